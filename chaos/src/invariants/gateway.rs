//! The gateway serves requests, or says that it is overloaded, and never returns the response of
//! another service.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::plan::SERVICES;

/// How long the gateway may be overloaded, restart its view of the instances, or be starved by a
/// busy machine.
const GRACE_PERIOD: Duration = Duration::from_secs(60);

/// What a client received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The mark of the service that answered.
    Service(String),
    /// A response of the gateway itself, with its status.
    Gateway(u16),
    /// No complete response, but this text or error.
    None(String),
}

impl Answer {
    /// Parse a response.
    pub(crate) fn read(response: &str) -> Self {
        let Some((head, body)) = response.split_once("\r\n\r\n") else {
            return Self::None(response.to_owned());
        };
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = serde_json::from_str::<Value>(body).unwrap_or_default();
        match (status, body["run"].as_str()) {
            (Some(200), Some(mark)) => Self::Service(mark.to_owned()),
            (Some(status), _) => Self::Gateway(status),
            _ => Self::None(head.to_owned()),
        }
    }
}

/// Records since when no request was served.
#[derive(Debug, Default)]
pub(crate) struct GatewayAnswers {
    mark: Option<String>,
    failing_since: Option<Instant>,
}

impl GatewayAnswers {
    /// Check the answer to a request for a service that is ready all the time.
    pub(crate) fn evaluate(&mut self, answer: &Answer, now: Instant) -> Option<String> {
        match answer {
            Answer::Service(mark) => {
                self.failing_since = None;
                let own = self.mark.get_or_insert_with(|| mark.clone());
                let is_own = mark == own && mark.ends_with(&format!("/{}", SERVICES[0]));
                (!is_own).then(|| format!("`{mark}` answered instead of `{own}`"))
            }
            _ => {
                let since = *self.failing_since.get_or_insert(now);
                let persists = now.duration_since(since) >= GRACE_PERIOD;
                persists.then(|| format!("no request was served for a minute: {answer:?}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_responses() {
        let response = |status: u16, body: &str| {
            Answer::read(&format!("HTTP/1.1 {status} X\r\na: b\r\n\r\n{body}"))
        };
        assert_eq!(
            response(200, r#"{"run": "/i/0a/api"}"#),
            Answer::Service("/i/0a/api".into())
        );
        assert_eq!(response(503, "{}"), Answer::Gateway(503));
        assert_eq!(Answer::read(""), Answer::None(String::new()));
    }

    #[test]
    fn finds_other_services_and_requests_that_are_never_served() {
        let mut answers = GatewayAnswers::default();
        let now = Instant::now();
        let service = |mark: &str| Answer::Service(mark.into());
        assert_eq!(answers.evaluate(&Answer::None(String::new()), now), None);
        assert_eq!(answers.evaluate(&service("/i/0a/api"), now), None);
        assert_eq!(answers.evaluate(&Answer::Gateway(503), now), None);
        let later = now + GRACE_PERIOD;
        assert!(answers.evaluate(&Answer::Gateway(503), later).is_some());
        assert_eq!(answers.evaluate(&service("/i/0a/api"), later), None);
        assert!(answers.evaluate(&service("/i/0b/api"), later).is_some());
    }
}
