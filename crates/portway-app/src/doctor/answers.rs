//! Checks HTTP responses: to health requests, and to the CORS preflight requests that a browser sends
//! for the pages of a frontend.

use std::time::Duration;

use portway_api::{Check, Finding};
use portway_project::{HealthCheck, HealthTarget};
use portway_supervisor::probe::{self, ProbeRequest, ProbeResponse};

use super::finding_builder::{FindingExt, error, fine, warning};

/// Timeout of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a health request.
pub(super) struct HealthResult {
    /// The service.
    pub(super) service: String,
    /// The request.
    pub(super) check: HealthCheck,
    /// The status code, or the error.
    pub(super) status: Result<u16, String>,
}

/// The result of a preflight request.
pub(super) struct Preflight {
    /// The backend.
    pub(super) backend: String,
    /// The frontend.
    pub(super) frontend: String,
    /// The frontend's origin.
    pub(super) origin: String,
    /// Whether the frontend is likely to call this backend.
    pub(super) is_expected: bool,
    /// Whether the request was for `/` because the manifest declares no path.
    pub(super) is_default_path: bool,
    /// The configuration file of the frontend's proxy, if it has one.
    pub(super) proxy: Option<String>,
    /// The response, or the error.
    pub(super) reply: Result<Reply, String>,
}

/// The parts of a preflight response that a browser evaluates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status code.
    pub(super) status: u16,
    /// `Access-Control-Allow-Origin`.
    pub(super) allowed: Option<String>,
    /// Whether other CORS headers show that the backend handles preflight requests.
    pub(super) handles_cors: bool,
}

/// Requests the health path and returns the status code.
pub(super) async fn status(check: &HealthCheck) -> Result<u16, String> {
    let question = ProbeRequest::Http {
        port: check.port,
        path: check.path().unwrap_or("/").to_owned(),
    };
    let answer = probe::send(&question, REQUEST_TIMEOUT)
        .await
        .map_err(|error| error.to_string())?;
    answer
        .status
        .ok_or_else(|| "the response has no status".to_owned())
}

/// Sends a preflight request as a browser does.
pub(super) async fn preflight(check: &HealthCheck, origin: &str) -> Result<Reply, String> {
    let question = ProbeRequest::Preflight {
        port: check.port,
        path: check.path().unwrap_or("/").to_owned(),
        origin: origin.to_owned(),
        method: "GET".to_owned(),
    };
    let answer: ProbeResponse = probe::send(&question, REQUEST_TIMEOUT)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Reply {
        status: answer.status.unwrap_or(0),
        allowed: answer.header("access-control-allow-origin"),
        handles_cors: ["methods", "headers", "credentials"].iter().any(|name| {
            answer
                .header(&format!("access-control-allow-{name}"))
                .is_some()
        }),
    })
}

/// Evaluates a health response.
pub(super) fn evaluate(asked: &HealthResult) -> Finding {
    let HealthResult { service, check, .. } = asked;
    let path = check.path().unwrap_or("/");
    let logs = format!("portway logs {service}");
    match &asked.status {
        Err(why) => error(
            Check::Answer,
            service,
            format!("does not respond at {}: {why}", check.url),
            "read its output; if it does not speak HTTP, set its `kind`",
        )
        .command(logs),
        Ok(status) if *status < 400 => fine(
            Check::Answer,
            service,
            format!("responds with {status} at {}", check.url),
        ),
        // No page is required at `/`.
        Ok(status) if check.is_healthy(*status) => fine(
            Check::Answer,
            service,
            format!("responds with {status} at {}, which is accepted", check.url),
        ),
        Ok(status) if check.target == HealthTarget::DefaultPath => warning(
            Check::Answer,
            service,
            format!("responds with {status} at {}", check.url),
            "read its output, or set a path that reports its health: `health = \"/health\"`",
        )
        .command(logs),
        Ok(status) => error(
            Check::Answer,
            service,
            format!("responds with {status} at {}", check.url),
            format!(
                "read its output; a healthy service responds with a status below 400 at `{path}`"
            ),
        )
        .command(logs),
    }
}

const ALLOW_ORIGINS: &str = "allow the origins that Portway sets in `CORS_ORIGINS`";

/// A finding that the backend rejects these pages. It is a warning if the frontend has a proxy, because
/// the browser then does not call the backend directly.
fn refused(asked: &Preflight, message: String, repair: &str) -> Finding {
    let finding = if asked.proxy.is_some() {
        warning
    } else {
        error
    };
    finding(Check::Cors, &asked.backend, message, repair)
}

/// Evaluates whether a page of the frontend may call the backend. Returns `None` if the backend did not
/// respond, which another finding reports.
pub(super) fn evaluate_preflight(asked: &Preflight) -> Option<Finding> {
    let Preflight {
        backend,
        frontend,
        origin,
        ..
    } = asked;
    let reply = asked.reply.as_ref().ok()?;
    let who = format!("pages of `{frontend}` ({origin})");
    let repair = ALLOW_ORIGINS;
    // A backend without a route for `/` can respond differently at the paths that pages request.
    let has_no_route = asked.is_default_path && reply.status == 404;
    let is_accepted = (200..300).contains(&reply.status) || has_no_route;
    let finding = match reply.allowed.as_deref() {
        None if has_no_route && !reply.handles_cors => fine(
            Check::Cors,
            backend,
            format!(
                "has no route for the preflight request to `/`, which says nothing about {who}; set `health` to a path to check it"
            ),
        ),
        Some(allowed) if allowed == origin && is_accepted => {
            fine(Check::Cors, backend, format!("allows requests from {who}"))
        }
        Some(allowed) if allowed == origin || allowed == "*" && !is_accepted => error(
            Check::Cors,
            backend,
            format!(
                "allows requests from {who}, but responds to the preflight request with {}, which blocks them",
                reply.status
            ),
            "respond to `OPTIONS` with 200 or 204 on every path",
        ),
        Some(several) if several.contains(',') => refused(
            asked,
            format!(
                "sends `Access-Control-Allow-Origin` more than once, or with more than one origin ({several}): browsers block {who}"
            ),
            "send the header once, with one origin, from the service or from the proxy in front of it",
        ),
        Some("*") => warning(
            Check::Cors,
            backend,
            format!("allows requests from every origin, including {who}, but none with cookies"),
            repair,
        ),
        Some(allowed) => refused(
            asked,
            format!("allows requests from {allowed}, but not from {who}"),
            repair,
        ),
        None if reply.handles_cors => refused(
            asked,
            format!("rejects requests from {who}: the origin is not allowed"),
            repair,
        ),
        None => match &asked.proxy {
            Some(file) => fine(
                Check::Cors,
                backend,
                format!("does not allow cross-origin requests, but the proxy of `{frontend}` forwards them"),
            )
            .at(file.clone()),
            None => {
                // A backend that this frontend does not call needs no CORS headers for it.
                let finding = if asked.is_expected { error } else { warning };
                let status = reply.status;
                let message = format!(
                    "does not allow requests from {who}: it responds with {status} and without `Access-Control-Allow-Origin`"
                );
                let repair =
                    format!("{repair}, or forward requests with a proxy in `{frontend}`");
                finding(Check::Cors, backend, message, repair)
            }
        },
    };
    Some(finding)
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    fn evaluated(status: Result<u16, &str>, named: bool) -> Severity {
        evaluate(&HealthResult {
            service: "api".into(),
            check: HealthCheck {
                port: 9000,
                target: if named {
                    HealthTarget::DeclaredPath("/".into())
                } else {
                    HealthTarget::DefaultPath
                },
                url: "http://localhost:9000/".into(),
            },
            status: status.map_err(str::to_owned),
        })
        .severity
    }

    #[test]
    fn requires_success_only_at_a_declared_path() {
        for (status, named, severity) in [
            (Ok(200), true, Severity::Fine),
            (Ok(302), true, Severity::Fine),
            (Ok(404), true, Severity::Error),
            (Ok(404), false, Severity::Fine),
            (Ok(500), false, Severity::Warning),
            (Ok(500), true, Severity::Error),
            (Err("no answer within 5s"), false, Severity::Error),
        ] {
            assert_eq!(evaluated(status, named), severity, "{status:?}");
        }
    }

    fn preflighted(
        status: u16,
        allowed: Option<&str>,
        handles_cors: bool,
        proxy: bool,
    ) -> Severity {
        preflighted_if(true, status, allowed, handles_cors, proxy)
    }

    fn preflighted_if(
        is_expected: bool,
        status: u16,
        allowed: Option<&str>,
        handles_cors: bool,
        proxy: bool,
    ) -> Severity {
        let finding = evaluate_preflight(&Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            is_expected,
            is_default_path: false,
            proxy: proxy.then(|| "vite.config.ts".into()),
            reply: Ok(Reply {
                status,
                allowed: allowed.map(str::to_owned),
                handles_cors,
            }),
        });
        finding.unwrap().severity
    }

    #[test]
    fn a_browser_is_let_in_by_exactly_its_origin_and_a_good_status() {
        let own = Some("http://localhost:5173");
        for (status, allowed, handles_cors, proxy, severity) in [
            (204, own, true, false, Severity::Fine),
            (405, own, true, false, Severity::Error),
            (200, Some("*"), false, false, Severity::Warning),
            (405, Some("*"), false, false, Severity::Error),
            (
                200,
                Some("http://localhost:3000"),
                true,
                false,
                Severity::Error,
            ),
            (400, None, true, false, Severity::Error),
            (400, None, true, true, Severity::Warning),
            (405, None, false, false, Severity::Error),
            (405, None, false, true, Severity::Fine),
        ] {
            let found = preflighted(status, allowed, handles_cors, proxy);
            assert_eq!(
                found, severity,
                "{status} {allowed:?} {handles_cors} {proxy}"
            );
        }
    }

    #[test]
    fn a_backend_without_a_route_for_the_default_path_is_no_problem() {
        let severity = |status: u16, allowed: Option<&str>, handles_cors: bool| {
            let finding = evaluate_preflight(&Preflight {
                backend: "api".into(),
                frontend: "web".into(),
                origin: "http://localhost:5173".into(),
                is_expected: true,
                is_default_path: true,
                proxy: None,
                reply: Ok(Reply {
                    status,
                    allowed: allowed.map(str::to_owned),
                    handles_cors,
                }),
            });
            finding.unwrap().severity
        };
        assert_eq!(severity(404, None, false), Severity::Fine);
        assert_eq!(
            severity(404, Some("http://localhost:5173"), true),
            Severity::Fine
        );
        assert_eq!(
            severity(404, Some("http://localhost:3000"), true),
            Severity::Error
        );
        assert_eq!(severity(405, None, false), Severity::Error);
        assert_eq!(severity(200, None, false), Severity::Error);
    }

    #[test]
    fn rejects_a_header_that_is_sent_twice() {
        let finding = evaluate_preflight(&Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            is_expected: true,
            is_default_path: true,
            proxy: None,
            reply: Ok(Reply {
                status: 204,
                allowed: Some("http://localhost:5173, *".into()),
                handles_cors: true,
            }),
        });
        let finding = finding.unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains("more than once"), "{finding:?}");
        assert!(finding.repair.unwrap().contains("once"));
    }

    #[test]
    fn warns_about_backends_that_the_frontend_does_not_call() {
        let silent = preflighted_if(false, 405, None, false, false);
        assert_eq!(silent, Severity::Warning);
        let refuses = preflighted_if(false, 400, None, true, false);
        assert_eq!(refuses, Severity::Error);
    }

    #[test]
    fn ignores_backends_that_do_not_respond() {
        let asked = Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            is_expected: true,
            is_default_path: true,
            proxy: None,
            reply: Err("connection refused".into()),
        };
        assert_eq!(evaluate_preflight(&asked), None);
    }
}
