//! Responses that the gateway generates in place of a service's response.
//!
//! A browser gets a page, a program gets an [`ErrorBody`] as JSON. Responses to untrusted clients
//! must not reveal which services exist, where they are or what they print: a website can make a
//! browser send requests to this machine (DNS rebinding).

mod rejections;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use portway_api::{ErrorBody, ErrorCode, ErrorInfo};
use portway_project::shell::quote;
use portway_supervisor::logs::{self, Filter};

use crate::cache::CachedInstance;
use crate::refusal::Refusal;
use crate::response::ResponseBody;
pub(crate) use rejections::*;

/// How many lines of a failed service's output a page shows.
const LOG_LINES: usize = 30;

/// Marks a response that the gateway generated. The script of a page sends `HEAD` requests until a
/// response comes without this header. The gateway delays such requests while the service starts.
const GENERATED: HeaderName = HeaderName::from_static("x-portway-stand-in");

/// The message of a gateway that has too many connections, or no free file descriptor.
const OVERLOADED_MESSAGE: &str = "the gateway is overloaded: too many connections are open";

/// The whole response to a connection that cannot be served.
pub(crate) const OVERLOADED: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
content-type: application/json\r\ncontent-length: 97\r\ncache-control: no-store\r\n\
retry-after: 1\r\nx-portway-stand-in: 1\r\nconnection: close\r\n\r\n\
{\"error\":{\"code\":\"failed\",\"message\":\"the gateway is overloaded: too many connections are open\"}}\n";

/// The recipient of a generated response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Audience {
    pub(crate) format: Format,
    /// Whether the client may see directories and the output of services.
    pub(crate) is_trusted: bool,
}

/// The format of a generated response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// A page, for a person.
    Html,
    /// An [`ErrorBody`], for a program.
    Json,
    /// A status of gRPC, for a gRPC client.
    Grpc,
}

/// Responds to a request that was not forwarded to its service.
pub(crate) fn refused(
    refusal: &Refusal,
    instance: Option<&CachedInstance>,
    service: Option<&str>,
    audience: Audience,
) -> Response<ResponseBody> {
    let mut explanation = Explanation::new(refusal, instance, service);
    if !audience.is_trusted {
        explanation.hint = None;
    }
    let mut response = match audience.format {
        Format::Json => {
            let Explanation { status, code, .. } = explanation;
            let hints: Vec<&str> = explanation.hint.iter().map(String::as_str).collect();
            json(status, code, &explanation.title, &hints)
        }
        Format::Grpc => grpc(UNAVAILABLE, &explanation.title),
        Format::Html => {
            let lines = match (instance, service) {
                (Some(instance), Some(service))
                    if explanation.shows_logs && audience.is_trusted =>
                {
                    last_lines(instance, service)
                }
                _ => Vec::new(),
            };
            page(&explanation, &lines)
        }
    };
    if matches!(refusal, Refusal::NotReady | Refusal::Overloaded) {
        let seconds = HeaderValue::from_static("1");
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// What a response says about a refusal.
struct Explanation {
    status: StatusCode,
    code: ErrorCode,
    title: String,
    hint: Option<String>,
    /// Whether the last output of the service helps to understand the refusal.
    shows_logs: bool,
}

impl Explanation {
    fn new(refusal: &Refusal, instance: Option<&CachedInstance>, service: Option<&str>) -> Self {
        let instance_name = instance.map_or("the instance", |one| &one.status.name);
        let directory = instance.map(|one| quote(&one.status.directory));
        let directory = directory.as_deref();
        let name = match service {
            Some(service) => format!("`{service}` of {instance_name}"),
            None => format!("the main service of {instance_name}"),
        };
        let service = service.unwrap_or_default();
        let up = |services: &str| {
            directory.map(|dir| format!("start it: `portway -C {dir} up --detach{services}`"))
        };
        let logs = || directory.map(|dir| format!("see why: `portway -C {dir} logs {service}`"));
        let (status, code, title, hint, shows_logs) = match refusal {
            Refusal::InstanceNotRunning => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{instance_name} is not running"),
                up(""),
                false,
            ),
            Refusal::NoService if service.is_empty() => (
                StatusCode::NOT_FOUND,
                ErrorCode::UnknownService,
                format!("{instance_name} has no main service"),
                Some("open a service by name: http://SERVICE.INSTANCE.localhost".to_owned()),
                false,
            ),
            Refusal::NoService => (
                StatusCode::NOT_FOUND,
                ErrorCode::UnknownService,
                format!("{instance_name} has no service `{service}`"),
                None,
                false,
            ),
            Refusal::ServiceStopped => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{name} is stopped"),
                up(&format!(" {service}")),
                false,
            ),
            Refusal::ServiceCompleted => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::NotRunning,
                format!("{name} has completed and is not running"),
                None,
                true,
            ),
            Refusal::ServiceFailed(cause) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::ServiceFailed,
                format!("{name} failed: {cause}"),
                logs(),
                true,
            ),
            Refusal::NotReady => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Timeout,
                format!("{name} is starting"),
                None,
                false,
            ),
            Refusal::Overloaded => (
                StatusCode::SERVICE_UNAVAILABLE,
                ErrorCode::Failed,
                OVERLOADED_MESSAGE.to_owned(),
                Some("increase the limit of open files (`ulimit -n`)".to_owned()),
                false,
            ),
            Refusal::NotHttp2 => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::ServiceFailed,
                format!("{name} does not support HTTP/2 without TLS (h2c), which gRPC requires"),
                None,
                false,
            ),
            Refusal::NoResponse(cause) => (
                StatusCode::BAD_GATEWAY,
                ErrorCode::ServiceFailed,
                format!("{name} did not respond: {cause}"),
                None,
                true,
            ),
        };
        Self {
            status,
            code,
            title,
            hint,
            shows_logs,
        }
    }
}

/// Returns the last lines of a service's output in this run, as plain text.
fn last_lines(instance: &CachedInstance, service: &str) -> Vec<String> {
    let failed = instance.status.service(service);
    if let Some(failed) = failed.filter(|failed| !failed.last_output.is_empty()) {
        return failed.last_output.iter().map(|line| plain(line)).collect();
    }
    let filter = Filter {
        services: vec![service.to_owned()],
        // Lines of an earlier run would mislead.
        since: instance.status.since,
        ..Filter::default()
    };
    let records = logs::read(&instance.log_dir, &filter);
    let skip = records.len().saturating_sub(LOG_LINES);
    let lines = records.into_iter().skip(skip);
    lines.map(|record| plain(&record.text)).collect()
}

/// Removes escape sequences and control characters.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn capitalize(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

fn escape_html(text: &str) -> String {
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

fn page(explanation: &Explanation, lines: &[String]) -> Response<ResponseBody> {
    let mut details = String::new();
    if let Some(hint) = &explanation.hint {
        details.push_str(&format!("<p>{}</p>\n", escape_html(&capitalize(hint))));
    }
    if !lines.is_empty() {
        let lines = escape_html(&lines.join("\n"));
        details.push_str(&format!("<p>Last output:</p>\n<pre>{lines}</pre>\n"));
    }
    let text = include_str!("error_pages/page.html")
        .replace("{title}", &escape_html(&explanation.title))
        .replace("{details}", &details);
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    generated(explanation.status, text.into(), &headers)
}

fn json(
    status: StatusCode,
    code: ErrorCode,
    message: &str,
    hints: &[&str],
) -> Response<ResponseBody> {
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
    let headers = [(header::CONTENT_TYPE, "application/json")];
    let mut response = generated(status, text.into(), &headers);
    response
        .extensions_mut()
        .insert(ErrorMessage(message.to_owned()));
    response
}

/// The message of an error, kept next to the response that contains it as JSON.
#[derive(Clone, Debug)]
struct ErrorMessage(String);

/// Converts an error that the gateway generated to a response for a gRPC client, with the code that
/// gRPC assigns to its HTTP status. Returns every other response unchanged.
pub(crate) fn for_grpc(response: Response<ResponseBody>) -> Response<ResponseBody> {
    let code = match response.status() {
        StatusCode::BAD_REQUEST => "13",
        StatusCode::UNAUTHORIZED => "16",
        StatusCode::FORBIDDEN => "7",
        StatusCode::NOT_FOUND => "12",
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => UNAVAILABLE,
        _ => "2",
    };
    match response.extensions().get() {
        Some(ErrorMessage(message)) => grpc(code, message),
        None => response,
    }
}

/// The gRPC status UNAVAILABLE, after which a client may try again.
const UNAVAILABLE: &str = "14";

/// Responds to a gRPC client with an error.
fn grpc(code: &'static str, message: &str) -> Response<ResponseBody> {
    let fields = [
        (header::CONTENT_TYPE, "application/grpc"),
        (HeaderName::from_static("grpc-status"), code),
    ];
    let mut response = generated(StatusCode::OK, Bytes::new(), &fields);
    let message = HeaderValue::try_from(percent_encode(message));
    if let Ok(message) = message {
        response.headers_mut().insert("grpc-message", message);
    }
    response
}

/// Encodes a message as gRPC requires: everything but printable ASCII characters.
fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'%' | 0..=0x1f | 0x7f.. => format!("%{byte:02X}"),
        _ => char::from(byte).to_string(),
    };
    text.bytes().map(encode).collect()
}

fn generated(
    status: StatusCode,
    body: Bytes,
    fields: &[(HeaderName, &'static str)],
) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::Generated(Full::new(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(GENERATED, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removes_escape_sequences_and_control_characters() {
        for (text, expected) in [
            ("\u{1b}[31mred\u{1b}[0m \u{7}bell\ttab", "red bell\ttab"),
            ("cut \u{1b}[3", "cut "),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn the_response_of_an_overloaded_gateway_is_valid() {
        let text = std::str::from_utf8(OVERLOADED).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let length = format!("content-length: {}\r\n", body.len());
        assert!(head.contains(&length), "{length}");
        let body: ErrorBody = serde_json::from_str(body).unwrap();
        assert_eq!(body.error.message, OVERLOADED_MESSAGE);
    }

    #[test]
    fn encodes_the_message_of_a_grpc_status() {
        for (text, expected) in [
            ("`api` of jobi is stopped", "`api` of jobi is stopped"),
            ("100 % \u{e9}\n", "100 %25 %C3%A9%0A"),
        ] {
            assert_eq!(percent_encode(text), expected);
        }
    }

    #[test]
    fn escapes_html() {
        assert_eq!(
            escape_html("<a href=\"x\">&"),
            "&lt;a href=&quot;x&quot;&gt;&amp;"
        );
    }
}
