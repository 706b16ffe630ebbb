//! What services answer over HTTP: at their health path, and to a browser that asks for a page of a
//! frontend whether it may call a backend.

use std::time::Duration;

use portway_api::{Check, Finding};
use portway_project::{HealthCheck, HealthTarget};
use portway_supervisor::probe::{self, ProbeRequest, ProbeResponse};

use super::note::{Further, error, fine, warning};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(5);

/// A service that was asked at its health path.
pub(super) struct Asked {
    /// The service.
    pub(super) service: String,
    /// What was asked.
    pub(super) check: HealthCheck,
    /// The status, or why there is none.
    pub(super) status: Result<u16, String>,
}

/// A backend that was asked for a frontend.
pub(super) struct Preflight {
    /// The backend.
    pub(super) backend: String,
    /// The frontend.
    pub(super) frontend: String,
    /// The frontend's origin.
    pub(super) origin: String,
    /// Whether something tells that the frontend means this backend.
    pub(super) meant: bool,
    /// The file that has the frontend's server pass requests on, if one does.
    pub(super) proxy: Option<String>,
    /// What came back.
    pub(super) reply: Result<Reply, String>,
}

/// What a browser looks at in the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// `Access-Control-Allow-Origin`.
    pub(super) allowed: Option<String>,
    /// Whether other headers of the kind show that it knows what was asked.
    pub(super) knows: bool,
}

/// Asks for the status at a path.
pub(super) async fn status(check: &HealthCheck) -> Result<u16, String> {
    let question = ProbeRequest::Http {
        port: check.port,
        path: check.path().unwrap_or("/").to_owned(),
    };
    let answer = probe::send(&question, LIMIT)
        .await
        .map_err(|error| error.to_string())?;
    answer.status.ok_or_else(|| "no status".to_owned())
}

/// Asks as a browser does before it lets a page call.
pub(super) async fn preflight(check: &HealthCheck, origin: &str) -> Result<Reply, String> {
    let question = ProbeRequest::Preflight {
        port: check.port,
        path: check.path().unwrap_or("/").to_owned(),
        origin: origin.to_owned(),
        method: "GET".to_owned(),
    };
    let answer: ProbeResponse = probe::send(&question, LIMIT)
        .await
        .map_err(|error| error.to_string())?;
    Ok(Reply {
        status: answer.status.unwrap_or(0),
        allowed: answer.header("access-control-allow-origin"),
        knows: ["methods", "headers", "credentials"].iter().any(|name| {
            answer
                .header(&format!("access-control-allow-{name}"))
                .is_some()
        }),
    })
}

/// Judges what a service answers.
pub(super) fn judge(asked: &Asked) -> Finding {
    let Asked { service, check, .. } = asked;
    let path = check.path().unwrap_or("/");
    let logs = format!("portway logs {service}");
    match &asked.status {
        Err(why) => error(
            Check::Answer,
            service,
            format!("does not answer at {}: {why}", check.url),
            "see what it says; where it speaks no HTTP, give it a `kind`",
        )
        .command(logs),
        Ok(status) if *status < 400 => fine(
            Check::Answer,
            service,
            format!("answers {status} at {}", check.url),
        ),
        // Nobody promised that there is anything at `/`.
        Ok(status) if check.is_healthy(*status) => fine(
            Check::Answer,
            service,
            format!("answers {status} at {}, which is an answer", check.url),
        ),
        Ok(status) if check.target == HealthTarget::DefaultPath => warning(
            Check::Answer,
            service,
            format!("answers {status} at {}", check.url),
            "see why; or name a path that tells whether it is well: `health = \"/health\"`",
        )
        .command(logs),
        Ok(status) => error(
            Check::Answer,
            service,
            format!("answers {status} at {}", check.url),
            format!("see why; a service that is well answers below 400 at `{path}`"),
        )
        .command(logs),
    }
}

const LET_IN: &str = "let the origins in that Portway tells it in `CORS_ORIGINS`";

/// A backend that lets pages call it, and not these. That does no harm to those whose own server
/// passes their requests on.
fn refused(asked: &Preflight, message: String, repair: &str) -> Finding {
    let judge = if asked.proxy.is_some() {
        warning
    } else {
        error
    };
    judge(Check::Cors, &asked.backend, message, repair)
}

/// Judges whether a page of the frontend may call the backend; `None` where the backend did not
/// answer, which is another finding's matter.
pub(super) fn judge_preflight(asked: &Preflight) -> Option<Finding> {
    let Preflight {
        backend,
        frontend,
        origin,
        ..
    } = asked;
    let reply = asked.reply.as_ref().ok()?;
    let who = format!("pages of `{frontend}` ({origin})");
    let repair = LET_IN;
    let finding = match reply.allowed.as_deref() {
        Some(allowed) if allowed == origin && (200..300).contains(&reply.status) => {
            fine(Check::Cors, backend, format!("lets {who} call it"))
        }
        Some(allowed) if allowed == origin || allowed == "*" && reply.status >= 300 => error(
            Check::Cors,
            backend,
            format!(
                "lets {who} call it and answers the browser's question with {}, which forbids it",
                reply.status
            ),
            "answer `OPTIONS` with 200 or 204 on every path",
        ),
        Some(several) if several.contains(',') => refused(
            asked,
            format!(
                "sends `Access-Control-Allow-Origin` more than once, or with more than one origin ({several}): no browser lets {who} call it"
            ),
            "have it sent once, by the service or by what stands before it, with one origin",
        ),
        Some("*") => warning(
            Check::Cors,
            backend,
            format!("lets pages of every origin call it, {who} among them, and none with cookies"),
            repair,
        ),
        Some(allowed) => refused(
            asked,
            format!("lets pages of {allowed} call it, and not {who}"),
            repair,
        ),
        None if reply.knows => refused(
            asked,
            format!("refuses {who}: their origin is not among those that it lets in"),
            repair,
        ),
        None => match &asked.proxy {
            Some(file) => fine(
                Check::Cors,
                backend,
                format!("lets no pages call it, and `{frontend}` passes requests on for them"),
            )
            .at(file.clone()),
            None => {
                // A backend that only others call needs no browser's leave.
                let judge = if asked.meant { error } else { warning };
                let status = reply.status;
                let message = format!(
                    "does not let {who} call it: it answers {status} without `Access-Control-Allow-Origin`"
                );
                let repair =
                    format!("{repair}, or have the server of `{frontend}` pass requests on");
                judge(Check::Cors, backend, message, repair)
            }
        },
    };
    Some(finding)
}

#[cfg(test)]
mod tests {
    use portway_api::Severity;

    use super::*;

    fn judged(status: Result<u16, &str>, named: bool) -> Severity {
        judge(&Asked {
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
    fn a_path_that_somebody_named_must_answer_and_any_other_only_speak() {
        for (status, named, severity) in [
            (Ok(200), true, Severity::Fine),
            (Ok(302), true, Severity::Fine),
            (Ok(404), true, Severity::Error),
            (Ok(404), false, Severity::Fine),
            (Ok(500), false, Severity::Warning),
            (Ok(500), true, Severity::Error),
            (Err("no answer within 5s"), false, Severity::Error),
        ] {
            assert_eq!(judged(status, named), severity, "{status:?}");
        }
    }

    fn preflighted(status: u16, allowed: Option<&str>, knows: bool, proxy: bool) -> Severity {
        preflighted_if(true, status, allowed, knows, proxy)
    }

    fn preflighted_if(
        meant: bool,
        status: u16,
        allowed: Option<&str>,
        knows: bool,
        proxy: bool,
    ) -> Severity {
        let finding = judge_preflight(&Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            meant,
            proxy: proxy.then(|| "vite.config.ts".into()),
            reply: Ok(Reply {
                status,
                allowed: allowed.map(str::to_owned),
                knows,
            }),
        });
        finding.unwrap().severity
    }

    #[test]
    fn a_browser_is_let_in_by_exactly_its_origin_and_a_good_status() {
        let own = Some("http://localhost:5173");
        for (status, allowed, knows, proxy, severity) in [
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
            let found = preflighted(status, allowed, knows, proxy);
            assert_eq!(found, severity, "{status} {allowed:?} {knows} {proxy}");
        }
    }

    #[test]
    fn a_header_that_is_sent_twice_lets_nobody_in() {
        let finding = judge_preflight(&Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            meant: true,
            proxy: None,
            reply: Ok(Reply {
                status: 204,
                allowed: Some("http://localhost:5173, *".into()),
                knows: true,
            }),
        });
        let finding = finding.unwrap();
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.message.contains("more than once"), "{finding:?}");
        assert!(finding.repair.unwrap().contains("once"));
    }

    #[test]
    fn a_backend_that_the_frontend_does_not_mean_may_be_silent() {
        let silent = preflighted_if(false, 405, None, false, false);
        assert_eq!(silent, Severity::Warning);
        let refuses = preflighted_if(false, 400, None, true, false);
        assert_eq!(refuses, Severity::Error);
    }

    #[test]
    fn who_does_not_answer_is_not_judged_twice() {
        let asked = Preflight {
            backend: "api".into(),
            frontend: "web".into(),
            origin: "http://localhost:5173".into(),
            meant: true,
            proxy: None,
            reply: Err("nobody listens".into()),
        };
        assert_eq!(judge_preflight(&asked), None);
    }
}
