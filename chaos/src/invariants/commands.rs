//! Every command exits in time, with a documented code, and without a panic.

use portway_api::{ErrorBody, ErrorCode};
use serde_json::{Deserializer, Value};

use crate::env::CommandResult;

/// The exit codes that faults can cause. 2 is not one of them, because every file that a command
/// reads is valid.
const CODES: [i32; 6] = [0, 1, 4, 5, 6, 124];

/// Faults that explain the failure of a command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// The harness has sent signals to the command.
    pub(crate) was_signaled: bool,
    /// The supervisor or a keeper was suspended.
    pub(crate) is_suspended: bool,
    /// The command or the supervisor could open only few files.
    pub(crate) is_limited: bool,
    /// A part of Portway's state was deleted.
    pub(crate) is_state_deleted: bool,
    /// The directory was replaced while the instance was running.
    pub(crate) is_replaced: bool,
}

/// Check one result. `is_running` returns whether the instance is running now.
pub(crate) fn evaluate(
    result: &CommandResult,
    conditions: Conditions,
    is_running: impl FnOnce() -> bool,
) -> Option<String> {
    if let Some(violation) = evaluate_any(result) {
        return Some(violation);
    }
    let violation = |message: &str| Some(format!("{message}: {result:?}"));
    // Either the signal's own effect, or a command that caught it.
    if conditions.was_signaled && result.code >= 128 {
        return None;
    }
    // The dynamic loader needs descriptors, too.
    if conditions.is_limited && [126, 127].contains(&result.code) {
        return None;
    }
    if !CODES.contains(&result.code) {
        return violation("a command exits with an unexpected code");
    }
    let is_explained = conditions.explains(result);
    if result.code == 1 && !is_explained && !is_failure_expected(result, is_running) {
        return violation("a command fails for no known reason");
    }
    None
}

impl Conditions {
    /// Whether one of these faults is what the command reports as the reason of its exit code 1.
    fn explains(self, result: &CommandResult) -> bool {
        let code = error_code(&result.stdout);
        let says = |words: &[&str]| {
            let message = [result.stderr.as_str(), &result.stdout].concat();
            words.iter().any(|word| message.contains(word))
        };
        let is_suspended =
            || code == Some(ErrorCode::Unresponsive) || says(&["is suspended", "did not respond"]);
        let is_limited = || says(&["oo many open files", "file descriptor"]);
        let is_state_deleted = || code == Some(ErrorCode::State) || says(&["registry."]);
        self.is_suspended && is_suspended()
            || self.is_limited && is_limited()
            || self.is_state_deleted && is_state_deleted()
            || self.is_replaced && says(&["has been replaced"])
    }
}

/// Whether exit code 1 has one of the reasons that faults can cause.
fn is_failure_expected(result: &CommandResult, is_running: impl FnOnce() -> bool) -> bool {
    let command = result.title.rsplit(" portway ").next().unwrap_or_default();
    match command.split(' ').next().unwrap_or_default() {
        // It reports findings.
        "doctor" => true,
        // A service could not start again under the old path.
        "restart" if result.stderr.contains("whose path was") => true,
        // These print no error codes. They fail if the instance does not run, or stops meanwhile.
        "restart" | "down" => !is_running(),
        // In the foreground it prints logs and no error codes. Other commands and faults stop it.
        "up" if command == "up" => true,
        _ => error_code(&result.stdout) == Some(ErrorCode::NotRunning),
    }
}

/// The error code that a command with `--json` printed last.
fn error_code(stdout: &str) -> Option<ErrorCode> {
    let values = Deserializer::from_str(stdout).into_iter::<Value>();
    let last = values.map_while(Result::ok).last()?;
    let body: ErrorBody = serde_json::from_value(last).ok()?;
    Some(body.error.code)
}

/// Check what holds for every command, even if its directory was deleted while it ran.
pub(crate) fn evaluate_any(result: &CommandResult) -> Option<String> {
    let violation = |message: &str| Some(format!("{message}: {result:?}"));
    if result.timed_out {
        return violation("a command does not exit");
    }
    if result.stderr.contains("panicked at") || result.code == 101 {
        return violation("a command panicked");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(line: &str, code: i32, stdout: &str, stderr: &str) -> CommandResult {
        CommandResult {
            title: format!("c0: portway {line}"),
            code,
            timed_out: false,
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }

    #[test]
    fn finds_unexpected_exit_codes_and_panics() {
        let is_violation = |code, stderr: &str, was_signaled| {
            let result = result("env --json", code, "", stderr);
            let conditions = Conditions {
                was_signaled,
                ..Conditions::default()
            };
            evaluate(&result, conditions, || false).is_some()
        };
        assert!(!is_violation(0, "", false));
        assert!(!is_violation(137, "", true));
        assert!(is_violation(137, "", false));
        assert!(is_violation(2, "", true));
        assert!(is_violation(101, "", true));
        assert!(is_violation(0, "thread 'main' panicked at src", false));
        assert!(is_violation(1, "error: disk I/O error", false));
    }

    #[test]
    fn a_moved_directory_is_a_reason_not_to_restart() {
        let moved =
            "error: `c1` is running in this directory, whose path was `/c1` when it started";
        let is_violation = |line: &str| {
            let result = result(line, 1, "", moved);
            evaluate(&result, Conditions::default(), || true).is_some()
        };
        assert!(!is_violation("restart web"));
        assert!(is_violation("down"));
    }

    #[test]
    fn expects_failures_only_if_the_instance_does_not_run() {
        let is_violation = |line: &str, stdout: &str, is_running| {
            let result = result(line, 1, stdout, "");
            evaluate(&result, Conditions::default(), || is_running).is_some()
        };
        let error = |code: &str| format!(r#"{{"error": {{"code": "{code}", "message": "m"}}}}"#);
        let stopped = error("not_running");
        assert!(!is_violation("up --detach --json", &stopped, true));
        let status_then_error = format!("{{\"id\": \"0a\"}}\n{stopped}");
        assert!(!is_violation(
            "up --detach --json",
            &status_then_error,
            true
        ));
        assert!(is_violation("up --detach --json", &error("state"), false));
        assert!(is_violation("exec -- true", "", false));
        assert!(is_violation("restart api", "", true));
        assert!(!is_violation("restart api", "", false));
        assert!(!is_violation("doctor --json", "[]", true));
    }

    #[test]
    fn expects_failures_that_name_the_fault() {
        let is_violation = |stderr: &str, conditions| {
            evaluate(&result("down", 1, "", stderr), conditions, || true).is_some()
        };
        let message = "error: the supervisor of `c0` (pid 7) is suspended";
        let suspended = Conditions {
            is_suspended: true,
            ..Conditions::default()
        };
        assert!(!is_violation(message, suspended));
        assert!(is_violation("error: something else", suspended));
        assert!(is_violation(message, Conditions::default()));
        let limited = Conditions {
            is_limited: true,
            ..Conditions::default()
        };
        assert!(!is_violation("error: Too many open files", limited));
        assert!(is_violation(message, limited));
    }
}
