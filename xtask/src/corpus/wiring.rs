//! Whether what a checkout requested stayed within its own instance. Pure functions.

use portway_api::InstanceStatus;
use serde::Deserialize;

/// What a page did in the browser, as `tests/browser/support/open-page.js` prints it.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    /// The status of the page itself.
    pub(super) status: Option<u16>,
    /// Why it did not open.
    pub(super) error: Option<String>,
    pub(super) requests: Vec<Request>,
}

/// A request or WebSocket of a page.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) url: String,
    /// The status of the response; missing if there was none.
    pub(super) status: Option<u16>,
    /// Why there was no response, in the words of the browser.
    pub(super) failure: Option<String>,
}

/// Where requests of an instance may go.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// The ports of the instance.
    pub(super) ports: Vec<u16>,
    /// Host and port of its names, such as `fix.shop.localhost:8080`.
    pub(super) names: Vec<String>,
}

impl Own {
    pub(super) fn of(status: &InstanceStatus) -> Self {
        let services = status.services.iter();
        Self {
            ports: services
                .clone()
                .flat_map(|service| service.ports.iter().map(|port| port.port))
                .collect(),
            names: services
                .filter_map(|service| service.named_url.as_deref())
                .filter_map(authority)
                .map(str::to_owned)
                .collect(),
        }
    }

    fn contains(&self, authority: &str) -> bool {
        let (host, port) = split(authority);
        self.names.iter().any(|name| name == authority)
            || (!host.ends_with(".localhost") && self.ports.contains(&port))
    }
}

/// What is wrong with a page: it did not open, or a request to this machine failed or went to
/// something other than its instance. Requests to other machines do not count.
pub(super) fn page_problems(page: &Page, own: &Own) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(error) = &page.error {
        problems.push(format!("the page does not open: {error}"));
    }
    if let Some(status) = page
        .status
        .filter(|status| *status >= 400 && *status != 401)
    {
        problems.push(format!("the page answers {status}"));
    }
    for request in &page.requests {
        let Some(authority) = authority(&request.url).filter(|a| is_local(a)) else {
            continue;
        };
        let problem = if !own.contains(authority) {
            format!("the page requests {authority}, which is not this instance's")
        } else if request.status.is_some_and(|status| status >= 500) {
            let status = request.status.unwrap_or_default();
            format!("{} answers {status}", path(&request.url))
        } else if let Some(failure) = request.failure.as_deref().filter(|f| is_failure(f)) {
            format!("{} fails: {failure}", path(&request.url))
        } else {
            continue;
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

/// Whether a request failed, and was not only given up by the page.
fn is_failure(error: &str) -> bool {
    !error.contains("ERR_ABORTED")
}

/// Host and port of a URL, without a user.
fn authority(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    if !matches!(scheme, "http" | "https" | "ws" | "wss") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[..end].rsplit('@').next()
}

fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    &rest[..end]
}

/// Host and port; 80 if the URL has none.
fn split(authority: &str) -> (&str, u16) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().unwrap_or(80)),
        _ => (authority, 80),
    }
}

fn is_local(authority: &str) -> bool {
    let (host, _) = split(authority);
    host == "localhost"
        || host.ends_with(".localhost")
        || host.starts_with("127.")
        || matches!(host, "0.0.0.0" | "[::1]" | "[::]")
}

/// A connection that a process of an instance has opened on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Connection {
    pub(super) pid: u32,
    /// The port that it is connected to.
    pub(super) port: u16,
}

/// What is wrong with the connections of an instance's processes: they may go to its own ports and to
/// ports that these processes themselves listen on.
pub(super) fn connection_problems(
    connections: &[Connection],
    own: &Own,
    listening: &[u16],
) -> Vec<String> {
    let mut problems = Vec::new();
    for connection in connections {
        let port = connection.port;
        if own.ports.contains(&port) || listening.contains(&port) {
            continue;
        }
        let problem =
            format!("a service is connected to port {port}, which is not this instance's");
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Own {
        Own {
            ports: vec![5174, 8001],
            names: vec!["api.fix.shop.localhost:8080".to_owned()],
        }
    }

    fn page(url: &str, status: Option<u16>, failure: Option<&str>) -> Page {
        Page {
            status: Some(200),
            error: None,
            requests: vec![Request {
                url: url.to_owned(),
                status,
                failure: failure.map(str::to_owned),
            }],
        }
    }

    #[test]
    fn accepts_requests_within_the_instance() {
        for url in [
            "http://localhost:5174/src/main.ts",
            "ws://localhost:5174/",
            "http://127.0.0.1:8001/todos?page=2",
            "http://api.fix.shop.localhost:8080/todos",
            "https://cdn.example.com/font.css",
            "data:image/png;base64,AAAA",
            "blob:http://localhost:9999/1",
        ] {
            let problems = page_problems(&page(url, Some(404), None), &own());
            assert_eq!(problems, [""; 0], "{url}");
        }
    }

    #[test]
    fn reports_requests_to_other_ports_and_names() {
        for (url, authority) in [
            ("http://localhost:8000/todos", "localhost:8000"),
            ("http://api.shop.localhost:8080/", "api.shop.localhost:8080"),
            ("ws://[::1]:5173/", "[::1]:5173"),
            ("http://localhost/", "localhost"),
        ] {
            let problems = page_problems(&page(url, Some(200), None), &own());
            let expected = format!("the page requests {authority}, which is not this instance's");
            assert_eq!(problems, [expected], "{url}");
        }
    }

    #[test]
    fn reports_requests_that_fail() {
        let url = "http://localhost:8001/todos?page=2";
        let failed = |status, failure| page_problems(&page(url, status, failure), &own());
        assert_eq!(
            failed(Some(500), None),
            ["localhost:8001/todos answers 500"]
        );
        assert_eq!(
            failed(None, Some("net::ERR_FAILED")),
            ["localhost:8001/todos fails: net::ERR_FAILED"]
        );
        assert_eq!(failed(None, Some("net::ERR_ABORTED")), [""; 0]);
    }

    #[test]
    fn reports_a_page_that_does_not_open() {
        let problems = |status, error: Option<&str>| {
            let page = Page {
                status,
                error: error.map(str::to_owned),
                requests: Vec::new(),
            };
            page_problems(&page, &own()).len()
        };
        assert_eq!(problems(Some(200), None), 0);
        assert_eq!(problems(Some(401), None), 0);
        assert_eq!(problems(Some(404), None), 1);
        assert_eq!(problems(None, Some("timeout")), 1);
    }

    #[test]
    fn reports_connections_to_another_database() {
        let connection = |port| Connection { pid: 1, port };
        let seen = [
            connection(8001),
            connection(5432),
            connection(40000),
            connection(5432),
        ];
        assert_eq!(
            connection_problems(&seen, &own(), &[40000]),
            ["a service is connected to port 5432, which is not this instance's"]
        );
    }
}
