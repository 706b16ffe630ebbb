//! Starts a project in a checkout, and checks that it works within its own instance.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::{ErrorBody, InstanceStatus, ProjectPlan, ServiceStatus};

use super::processes;
use super::record::Attempt;
use super::sandbox::{Answer, Sandbox};
use super::toolchain::lack_in_output;
use super::wiring::{self, Own, Page};
use crate::command::root;

/// The longest that `portway up` may take, installing packages included.
const UP_LIMIT: Duration = Duration::from_secs(8 * 60);
/// The longest that a page may take, from opening the browser to closing it.
const PAGE_LIMIT: Duration = Duration::from_secs(5 * 60);
/// The longest that a first request may take, for example while a page is compiled.
const REQUEST_LIMIT: Duration = Duration::from_secs(4 * 60);
/// The pause before a URL that answered 503 is requested again.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// How many of the last lines of a failed service are kept.
const OUTPUT_LINES: usize = 12;

/// Start the project of a checkout. Returns the status if every service is ready.
pub(super) fn start(
    sandbox: &Sandbox,
    directory: &Path,
) -> Result<(Attempt, Option<InstanceStatus>), String> {
    let started = Instant::now();
    let answer = sandbox.portway(directory, &["up", "--detach", "--json"], UP_LIMIT)?;
    let mut attempt = Attempt {
        seconds: started.elapsed().as_secs(),
        ..Attempt::default()
    };
    let status = serde_json::from_str::<InstanceStatus>(&answer.stdout).ok();
    if let (Some(0), Some(status)) = (answer.code, status) {
        attempt.up = true;
        return Ok((attempt, Some(status)));
    }
    explain(&answer, &mut attempt);
    attempt.output.extend(last_output(sandbox, directory)?);
    Ok((attempt, None))
}

/// Why `up` failed, in Portway's words.
fn explain(answer: &Answer, attempt: &mut Attempt) {
    if answer.timed_out {
        let limit = UP_LIMIT.as_secs() / 60;
        attempt
            .problems
            .push(format!("not ready after {limit} minutes"));
    }
    if let Ok(body) = serde_json::from_str::<ErrorBody>(&answer.stdout) {
        let cause = body.error.hints.iter().find_map(|hint| cause(hint));
        let message = body.error.message;
        attempt.problems.push(match cause {
            Some(cause) if !message.contains(cause) => format!("{message}: {cause}"),
            _ => message,
        });
        attempt.output.extend(body.error.hints);
    } else if !answer.timed_out {
        let line = answer.stderr.lines().find(|line| line.starts_with("error"));
        attempt
            .problems
            .push(line.unwrap_or("`portway up` failed").to_owned());
    }
}

/// The line of a service's last output that says what went wrong.
fn cause(hint: &str) -> Option<&str> {
    const SIGNS: [&str; 6] = ["rror", "ERR", "not found", "No module", "annot ", "missing"];
    let lines = hint
        .strip_prefix("last output lines:")?
        .lines()
        .map(str::trim);
    lines
        .rev()
        .find(|line| SIGNS.iter().any(|sign| line.contains(sign)))
}

/// The end of what the services printed, and the line before it that says what the machine lacks.
fn last_output(sandbox: &Sandbox, directory: &Path) -> Result<Vec<String>, String> {
    let answer = sandbox.portway(directory, &["logs"], Duration::from_secs(20))?;
    let lines: Vec<_> = answer.stdout.lines().collect();
    let (before, last) = lines.split_at(lines.len().saturating_sub(OUTPUT_LINES));
    let lack = before.iter().find(|line| lack_in_output(line).is_some());
    Ok(lack
        .into_iter()
        .chain(last)
        .map(|line| (*line).to_owned())
        .collect())
}

/// Check a running checkout, and add what is wrong to its attempt.
pub(super) fn check(
    sandbox: &Sandbox,
    plan: &ProjectPlan,
    status: &InstanceStatus,
    other: &Path,
    attempt: &mut Attempt,
) -> Result<(), String> {
    let own = Own::of(status);
    for service in &status.services {
        let planned = plan
            .services
            .iter()
            .find(|planned| planned.name == service.name);
        let kind = planned.map_or("", |planned| planned.kind.as_str());
        if let ("http" | "frontend", Some(url)) = (kind, &service.url) {
            check_service(sandbox, service, url, kind == "frontend", &own, attempt)?;
        }
    }
    let pids = processes::of_instance(&status.id);
    let (connections, listening) = processes::sockets(&pids)?;
    let problems = wiring::connection_problems(&connections, &own, &listening);
    attempt.problems.extend(problems);
    for database in processes::databases(&pids, other) {
        let name = database.strip_prefix(other).unwrap_or(&database).display();
        attempt
            .problems
            .push(format!("`{name}` of the other checkout is open"));
    }
    if !attempt.problems.is_empty() {
        attempt
            .output
            .extend(last_output(sandbox, Path::new(&status.directory))?);
    }
    Ok(())
}

/// Request a service, and open it in the browser if it answers with a page.
fn check_service(
    sandbox: &Sandbox,
    service: &ServiceStatus,
    url: &str,
    is_frontend: bool,
    own: &Own,
    attempt: &mut Attempt,
) -> Result<(), String> {
    let name = &service.name;
    let (code, is_page) = settled(sandbox, url)?;
    if code == 0 || code >= 500 {
        let answer = if code == 0 {
            "nothing".to_owned()
        } else {
            code.to_string()
        };
        attempt.problems.push(format!("`{name}` answers {answer}"));
        return Ok(());
    }
    // The root of a backend may be missing or forbidden.
    if !is_page || (!is_frontend && code >= 400) {
        return Ok(());
    }
    let mut problems = wiring::page_problems(&open(sandbox, url)?, own);
    let named = service.named_url.as_ref().filter(|_| !problems.is_empty());
    if let Some(named) = named
        && wiring::page_problems(&open(sandbox, named)?, own).is_empty()
    {
        attempt.by_name = true;
        problems.clear();
    }
    attempt.problems.extend(
        problems
            .iter()
            .map(|problem| format!("`{name}`: {problem}")),
    );
    Ok(())
}

/// The answer of a URL, without the 503 of development servers that still compile.
fn settled(sandbox: &Sandbox, url: &str) -> Result<(u16, bool), String> {
    let deadline = Instant::now() + REQUEST_LIMIT;
    loop {
        let answer = request(sandbox, url)?;
        if answer.0 != 503 || Instant::now() > deadline {
            return Ok(answer);
        }
        thread::sleep(RETRY_DELAY);
    }
}

/// The status of a URL after redirects, 0 if there is none, and whether it is a page.
fn request(sandbox: &Sandbox, url: &str) -> Result<(u16, bool), String> {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--location",
            "--max-redirs",
            "5",
            "--noproxy",
            "*",
        ])
        .args(["--max-time", &REQUEST_LIMIT.as_secs().to_string()])
        .args(["--header", "Accept: text/html,*/*", "--output", "/dev/null"])
        .args(["--write-out", "%{http_code} %{content_type}"])
        .arg(url);
    let answer = sandbox.run(command, &root(), REQUEST_LIMIT + Duration::from_secs(5))?;
    let (code, kind) = answer.stdout.split_once(' ').unwrap_or_default();
    Ok((code.parse().unwrap_or(0), kind.contains("text/html")))
}

/// Open a page in Chromium.
fn open(sandbox: &Sandbox, url: &str) -> Result<Page, String> {
    let mut command = Command::new("node");
    command
        .arg(root().join("tests/browser/support/open-page.js"))
        .arg(url);
    let answer = sandbox.run(command, &root(), PAGE_LIMIT)?;
    serde_json::from_str(&answer.stdout).map_err(|_| {
        let line = answer.stderr.lines().find(|line| !line.trim().is_empty());
        format!(
            "cannot open a page in the browser: {}",
            line.unwrap_or("no output")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_with_the_cause() {
        let hint = "last output lines:\n    added 3 packages\n    Error: no seed\n    at main.js:1";
        assert_eq!(cause(hint), Some("Error: no seed"));
        assert_eq!(cause("last output lines:\n    added 3 packages"), None);
        assert_eq!(cause("run `portway logs api` to see the Error"), None);
    }
}
