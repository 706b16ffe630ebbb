//! Every URL that Portway reports as ready is served by that service's own tree.
//!
//! A service that ends without a word leaves its port open for some milliseconds, until its
//! supervisor knows; and once a second a supervisor looks whether a stranger listens. So a wrong
//! answer counts when the same service goes on being reported as ready, and goes on being answered
//! for by somebody else, for far longer than that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Ready;

/// How long a wrong answer may be reported as ready.
const PATIENCE: Duration = Duration::from_secs(15);

/// Who has answered at a service's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) service: Ready,
    /// The mark of the process that answered, and of those that have the listening socket.
    pub(crate) runs: Vec<String>,
}

/// Remembers who was wrong since when.
#[derive(Debug, Default)]
pub(crate) struct OwnUrl {
    wrong: HashMap<Ready, Instant>,
}

/// The mark that everything carries which was started for a service.
pub(crate) fn mark(service: &Ready) -> String {
    format!("{}/{}", service.instance, service.service)
}

impl OwnUrl {
    /// `answers` are those of services that were ready before and after, unchanged.
    pub(crate) fn judge(&mut self, answers: &[Answer], now: Instant) -> Option<String> {
        let is_wrong = |answer: &&Answer| {
            let own = mark(&answer.service);
            answer.runs.iter().any(|run| !run.ends_with(&own))
        };
        let wrong: Vec<&Answer> = answers.iter().filter(is_wrong).collect();
        // Whoever was not asked, or answered rightly, begins anew.
        self.wrong
            .retain(|service, _| wrong.iter().any(|answer| answer.service == *service));
        wrong.into_iter().find_map(|answer| {
            let since = self.wrong.entry(answer.service.clone()).or_insert(now);
            let long = now.duration_since(*since) >= PATIENCE;
            long.then(|| format!("is ready, and somebody else answers: {answer:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn only_a_wrong_answer_that_stays_counts() {
        let mut invariant = OwnUrl::default();
        let answer = |run: &str| Answer {
            service: example("0a", "api", 9000),
            runs: vec!["/s/instances/0a/api".into(), run.into()],
        };
        let (own, other) = (answer("/s/instances/0a/api"), answer("/s/instances/0b/api"));
        let now = Instant::now();
        let later = now + PATIENCE;
        assert_eq!(invariant.judge(std::slice::from_ref(&own), now), None);
        assert_eq!(invariant.judge(std::slice::from_ref(&other), now), None);
        assert!(
            invariant
                .judge(std::slice::from_ref(&other), later)
                .is_some()
        );
        assert_eq!(invariant.judge(&[own], later), None);
        assert_eq!(invariant.judge(&[other], later + PATIENCE / 2), None);
    }
}
