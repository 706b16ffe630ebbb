//! What the gateway says itself, where no service answers.
//!
//! A person gets a page, a program the error as JSON ([`ErrorBody`]). A name that leads nowhere
//! gets an answer that tells nothing: whoever can make a browser ask (DNS rebinding) must not learn
//! what runs here.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use portway_api::{ErrorBody, ErrorCode, ErrorInfo};
use portway_supervisor::logs::{self, Filter};

use crate::cache::CachedInstance;
use crate::proxy::{Answer, Asked, Refusal};

/// How many last lines of a failed service a page shows.
const LAST_LINES: usize = 30;

/// Marks an answer that stands in for a service's. The page's script asks with `HEAD`, which waits
/// while the service starts, until an answer comes without it.
const STAND_IN: HeaderName = HeaderName::from_static("x-portway-stand-in");

/// The answer to a request that is none.
pub(crate) fn bad_request(why: &str) -> Response<Answer> {
    json(StatusCode::BAD_REQUEST, ErrorCode::Usage, why, &[])
}

/// The answer to a request whose body has more than the `most` bytes that its service takes.
pub(crate) fn too_large(service: Option<&str>, most: u64) -> Response<Answer> {
    let service = service.unwrap_or("the service");
    let why = format!("`{service}` takes a body of at most {most} bytes");
    let hints = ["its limit is `max_body` in portway.toml"];
    json(
        StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::Refused,
        &why,
        &hints,
    )
}

/// The answer to a client that takes the gateway for a forward proxy.
pub(crate) fn not_a_proxy() -> Response<Answer> {
    let why = "this is a gateway to local services and no proxy to elsewhere";
    json(StatusCode::METHOD_NOT_ALLOWED, ErrorCode::Refused, why, &[])
}

/// The answer to a person who asks the gateway itself by another name.
pub(crate) fn moved(origin: &str) -> Response<Answer> {
    let mut response = Response::new(Answer::Own(Full::default()));
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(target) = HeaderValue::from_str(&format!("{origin}/")) {
        response.headers_mut().insert(header::LOCATION, target);
    }
    response
}

/// The answer for a name that leads nowhere.
pub(crate) fn nobody() -> Response<Answer> {
    let why = "nothing is served under this name";
    json(StatusCode::NOT_FOUND, ErrorCode::NotFound, why, &[])
}

/// The answer to a request that comes through again and again.
pub(crate) fn circle() -> Response<Answer> {
    let why = "the request goes in circles: a service sends it back to the gateway";
    json(StatusCode::LOOP_DETECTED, ErrorCode::Refused, why, &[])
}

/// The answer for a service that changes the protocol without being asked.
pub(crate) fn odd_answer() -> Response<Answer> {
    let why = "the service answered 101 without having been asked for another protocol";
    json(StatusCode::BAD_GATEWAY, ErrorCode::ServiceFailed, why, &[])
}

/// The answer where a service cannot be asked.
pub(crate) fn refused(
    refusal: &Refusal,
    member: Option<&CachedInstance>,
    service: Option<&str>,
    asked: &Asked,
) -> Response<Answer> {
    let mut words = Words::of(refusal, member, service);
    let is_trusted = asked.is_trusted();
    if !is_trusted {
        words.hint = None;
    }
    if !asked.is_page() {
        let hints: Vec<&str> = words.hint.iter().map(String::as_str).collect();
        let response = json(words.status, words.code, &words.title, &hints);
        return stand_in(response, words.starts);
    }
    let lines = match (member, service) {
        (Some(member), Some(service)) if words.logs && is_trusted => last(member, service),
        _ => Vec::new(),
    };
    stand_in(page(&words, &lines), words.starts)
}

/// What is said about a refusal.
struct Words {
    status: StatusCode,
    code: ErrorCode,
    title: String,
    hint: Option<String>,
    /// Whether it may be there in a moment.
    starts: bool,
    /// Whether what the service printed last explains it.
    logs: bool,
}

impl Words {
    fn of(refusal: &Refusal, member: Option<&CachedInstance>, service: Option<&str>) -> Self {
        let instance = member.map_or("this instance", |member| &member.status.name);
        let directory = member.map(|member| &member.status.directory);
        let service = service.unwrap_or("main service");
        let name = format!("`{service}` of {instance}");
        let up = directory.map(|directory| format!("portway -C {directory} up --detach"));
        let (status, code, title, hint, starts, logs) = match refusal {
            Refusal::NotRunning => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{instance} does not run"),
                up.map(|up| format!("start it: {up}")),
                false,
                false,
            ),
            Refusal::NoService => (
                StatusCode::NOT_FOUND,
                ErrorCode::UnknownService,
                format!("{instance} has no {service} to show"),
                Some("name one: http://SERVICE.INSTANCE.localhost".to_owned()),
                false,
                false,
            ),
            Refusal::Stopped => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{name} was stopped"),
                up.map(|up| format!("start it: {up} {service}")),
                false,
                false,
            ),
            Refusal::Completed => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{name} has done its work and ended"),
                None,
                false,
                true,
            ),
            Refusal::Failed(why) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::ServiceFailed,
                format!("{name} failed: {why}"),
                directory.map(|directory| {
                    format!("all it printed: portway -C {directory} logs {service}")
                }),
                false,
                true,
            ),
            Refusal::TooLong => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Timeout,
                format!("{name} is starting"),
                None,
                true,
                false,
            ),
            Refusal::NoAnswer(why) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::ServiceFailed,
                format!("{name} did not answer: {why}"),
                None,
                false,
                true,
            ),
        };
        Self {
            status,
            code,
            title,
            hint,
            starts,
            logs,
        }
    }
}

/// The last lines that a service printed, without what only terminals understand.
fn last(member: &CachedInstance, service: &str) -> Vec<String> {
    let filter = Filter {
        services: vec![service.to_owned()],
        ..Filter::default()
    };
    let records = logs::read(&member.log_dir, &filter);
    let skip = records.len().saturating_sub(LAST_LINES);
    let lines = records.into_iter().skip(skip);
    lines.map(|record| plain(&record.text)).collect()
}

/// Text without escape sequences and control characters.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' {
            // `ESC [ … letter`; of other sequences the rest is left, which does no harm in HTML.
            if characters.next_if_eq(&'[').is_some() {
                while characters
                    .next()
                    .is_some_and(|next| !next.is_ascii_alphabetic())
                {}
            }
        } else if !character.is_control() || character == '\t' {
            plain.push(character);
        }
    }
    plain
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn page(words: &Words, lines: &[String]) -> Response<Answer> {
    let mut rest = String::new();
    if let Some(hint) = &words.hint {
        rest.push_str(&format!("<p>{}</p>\n", escaped(hint)));
    }
    if !lines.is_empty() {
        let lines = escaped(&lines.join("\n"));
        rest.push_str(&format!("<p>Its last lines:</p>\n<pre>{lines}</pre>\n"));
    }
    let text = include_str!("pages/page.html")
        .replace("{title}", &escaped(&words.title))
        .replace("{rest}", &rest);
    let mut response = Response::new(Answer::Own(Full::new(Bytes::from(text))));
    *response.status_mut() = words.status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn stand_in(mut response: Response<Answer>, starts: bool) -> Response<Answer> {
    let headers = response.headers_mut();
    headers.insert(STAND_IN, HeaderValue::from_static("1"));
    if starts {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn json(status: StatusCode, code: ErrorCode, message: &str, hints: &[&str]) -> Response<Answer> {
    let body = ErrorBody {
        error: ErrorInfo {
            code,
            message: message.to_owned(),
            place: None,
            hints: hints.iter().map(|&hint| hint.to_owned()).collect(),
        },
    };
    let mut text = serde_json::to_vec(&body).unwrap_or_default();
    text.push(b'\n');
    let mut response = Response::new(Answer::Own(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(STAND_IN, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_printed_is_harmless_in_a_page() {
        assert_eq!(
            plain("\u{1b}[31mred\u{1b}[0m \u{7}bell\ttab"),
            "red bell\ttab"
        );
        assert_eq!(plain("cut \u{1b}[3"), "cut ");
        assert_eq!(
            escaped("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
