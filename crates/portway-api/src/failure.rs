//! Why a service failed or is restarted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ErrorCode, PortConflict};

/// Why a service failed or is restarted.
///
/// The text form is a predicate that follows the service's name: "`backend` exited with code 1".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FailureReason {
    /// The process exited with this code.
    Exited {
        /// The exit code.
        code: i32,
        /// The line of its output that says why, once Portway does not start it again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<String>,
    },
    /// A signal terminated the process.
    Signaled {
        /// The signal's number.
        signal: i32,
    },
    /// A command was not found (exit code 127).
    CommandNotFound,
    /// A command that the process runs was not found (exit code 127).
    ProgramNotFound {
        /// The program, as the shell's message names it.
        program: String,
    },
    /// A command was found and cannot be executed (exit code 126).
    CommandNotExecutable,
    /// The process exited with code 0 before it listened on its port.
    ExitedBeforeListening,
    /// The process exited with an error because a module or a file does not exist.
    FileMissing {
        /// The exit code.
        code: i32,
        /// The line of its output that says so.
        line: String,
    },
    /// The operating system did not start the process.
    StartFailed {
        /// The system's error message.
        error: String,
    },
    /// The directory to run in does not exist.
    DirectoryNotFound {
        /// The directory.
        directory: String,
    },
    /// The prepare step failed.
    PrepareFailed {
        /// How the prepare step failed.
        cause: Box<FailureReason>,
        /// The service for which the step ran, when both have the same step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shared_with: Option<String>,
    },
    /// Portway could not read the inputs of the prepare step.
    PrepareInputUnreadable {
        /// The system's error message.
        error: String,
    },
    /// The service waits for one that failed.
    DependencyFailed {
        /// The service that failed.
        service: String,
    },
    /// The service waits for one that is stopped.
    DependencyStopped {
        /// The service that is stopped.
        service: String,
    },
    /// The service did not listen on its port before the readiness timeout.
    NotListening {
        /// The timeout in milliseconds.
        timeout_ms: u64,
        /// The last line that it printed, if that looks like a question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
    },
    /// The service was not ready before the readiness timeout.
    NotReady {
        /// The timeout in milliseconds.
        timeout_ms: u64,
        /// The last line that it printed, if that looks like a question.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<String>,
    },
    /// The service is running and no longer listens on its port.
    StoppedListening,
    /// The liveness probe failed as many times in a row as the manifest allows.
    LivenessFailed,
    /// Other processes took the service's port again and again.
    PortLost {
        /// The port that was lost last.
        port: u16,
        /// How many times the service lost its port.
        times: u32,
        /// What uses the port now.
        taken_by: Box<PortConflict>,
    },
    /// Another process took the service's port, and no other port is available.
    NoReplacementPort {
        /// The port that was lost.
        port: u16,
        /// What uses the port now.
        taken_by: Box<PortConflict>,
        /// Why no other port is available.
        error: String,
    },
    /// The service failed again after each restart.
    GaveUp {
        /// How many times the service was restarted.
        restarts: u32,
        /// The last failure.
        cause: Box<FailureReason>,
    },
}

impl FailureReason {
    /// Returns the error code of a command that fails for this reason.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::CommandNotFound | Self::ProgramNotFound { .. } | Self::CommandNotExecutable => {
                ErrorCode::MissingRequirement
            }
            Self::PrepareFailed { cause, .. } | Self::GaveUp { cause, .. } => cause.error_code(),
            _ => ErrorCode::ServiceFailed,
        }
    }

    /// Adds the line of output that says why a process exited with an error.
    #[must_use]
    pub fn with_line(self, line: Option<String>) -> Self {
        match self {
            Self::Exited { code, line: None } if code != 0 => Self::Exited { code, line },
            other => other,
        }
    }

    /// Removes the line that [`with_line`](Self::with_line) added.
    #[must_use]
    pub fn without_line(self) -> Self {
        match self {
            Self::Exited { code, .. } => Self::Exited { code, line: None },
            Self::PrepareFailed { cause, shared_with } => Self::PrepareFailed {
                cause: Box::new(cause.without_line()),
                shared_with,
            },
            Self::GaveUp { restarts, cause } => Self::GaveUp {
                restarts,
                cause: Box::new(cause.without_line()),
            },
            other => other,
        }
    }

    /// Returns whether the service only waits for others, so that this is not its own failure.
    pub fn is_dependency(&self) -> bool {
        matches!(
            self,
            Self::DependencyFailed { .. } | Self::DependencyStopped { .. }
        )
    }

    /// Returns the program that was not found, if its name is known.
    pub fn missing_program(&self) -> Option<&str> {
        match self {
            Self::ProgramNotFound { program } => Some(program),
            Self::PrepareFailed { cause, .. } | Self::GaveUp { cause, .. } => {
                cause.missing_program()
            }
            _ => None,
        }
    }

    /// Returns whether the service was not ready before its readiness timeout.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::NotListening { .. } | Self::NotReady { .. })
    }

    /// Returns the error code of a command in which services failed for these reasons: the first
    /// one that is more specific than [`ErrorCode::ServiceFailed`].
    pub fn error_code_of<'a>(reasons: impl IntoIterator<Item = &'a Self>) -> ErrorCode {
        let mut codes = reasons.into_iter().map(Self::error_code);
        codes
            .find(|code| *code != ErrorCode::ServiceFailed)
            .unwrap_or(ErrorCode::ServiceFailed)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code, line: None } => write!(f, "exited with code {code}"),
            Self::Exited {
                code,
                line: Some(line),
            } => write!(f, "exited with code {code}: {line}"),
            Self::Signaled { signal: 9 } => write!(f, "was killed by SIGKILL"),
            Self::Signaled { signal } => match signal_name(*signal) {
                Some(name) => write!(f, "was terminated by {name}"),
                None => write!(f, "was terminated by signal {signal}"),
            },
            Self::CommandNotFound => write!(f, "exited with code 127: command not found"),
            Self::ProgramNotFound { program } => {
                write!(f, "exited with code 127: `{program}` was not found")
            }
            Self::CommandNotExecutable => {
                write!(f, "exited with code 126: command cannot be executed")
            }
            Self::ExitedBeforeListening => {
                write!(f, "exited with code 0 before it listened on its port")
            }
            Self::FileMissing { code, line } => write!(f, "exited with code {code}: {line}"),
            Self::StartFailed { error } => write!(f, "could not be started: {error}"),
            Self::DirectoryNotFound { directory } => {
                write!(f, "could not be started: `{directory}` does not exist")
            }
            Self::PrepareFailed { cause, shared_with } => match shared_with {
                None => write!(f, "could not be prepared: the prepare step {cause}"),
                Some(other) => write!(
                    f,
                    "could not be prepared: the prepare step, shared with `{other}`, {cause}"
                ),
            },
            Self::PrepareInputUnreadable { error } => write!(
                f,
                "could not be prepared: an input of the prepare step cannot be read: {error}"
            ),
            Self::DependencyFailed { service } => {
                write!(f, "is waiting for `{service}`, which failed")
            }
            Self::DependencyStopped { service } => {
                write!(f, "is waiting for `{service}`, which is stopped")
            }
            Self::NotListening {
                timeout_ms,
                question,
            } => {
                let timeout = seconds(*timeout_ms);
                write!(f, "did not listen on its port within {timeout} s")?;
                write_question(f, question.as_deref())
            }
            Self::NotReady {
                timeout_ms,
                question,
            } => {
                write!(f, "was not ready within {} s", seconds(*timeout_ms))?;
                write_question(f, question.as_deref())
            }
            Self::StoppedListening => write!(f, "no longer listens on its port"),
            Self::LivenessFailed => write!(f, "failed its liveness probe"),
            Self::PortLost {
                times, taken_by, ..
            } => {
                write!(f, "lost its port {times} times, last to {taken_by}")
            }
            Self::NoReplacementPort {
                port,
                taken_by,
                error,
            } => write!(
                f,
                "lost port {port} to {taken_by}, and no other port is available: {error}"
            ),
            Self::GaveUp { restarts, cause } => {
                write!(f, "{cause}; gave up after {restarts} restarts")
            }
        }
    }
}

fn write_question(f: &mut fmt::Formatter<'_>, question: Option<&str>) -> fmt::Result {
    match question {
        Some(question) => write!(f, "; it waits for an answer to `{question}`"),
        None => Ok(()),
    }
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Names a signal whose number is the same on every supported system.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_follows_the_name_of_a_service() {
        let exited = FailureReason::Exited {
            code: 3,
            line: None,
        };
        assert_eq!(exited.to_string(), "exited with code 3");
        let prepare = FailureReason::PrepareFailed {
            cause: Box::new(exited.clone()),
            shared_with: Some("api".into()),
        };
        assert_eq!(
            prepare.to_string(),
            "could not be prepared: the prepare step, shared with `api`, exited with code 3"
        );
        let gave_up = FailureReason::GaveUp {
            restarts: 5,
            cause: Box::new(exited),
        };
        assert_eq!(
            gave_up.to_string(),
            "exited with code 3; gave up after 5 restarts"
        );
        let timeout = FailureReason::NotReady {
            timeout_ms: 1500,
            question: None,
        };
        assert_eq!(timeout.to_string(), "was not ready within 1.5 s");
    }

    #[test]
    fn names_only_portable_signals() {
        let text = |signal| FailureReason::Signaled { signal }.to_string();
        assert_eq!(text(9), "was killed by SIGKILL");
        assert_eq!(text(11), "was terminated by SIGSEGV");
        assert_eq!(text(10), "was terminated by signal 10");
    }

    #[test]
    fn a_missing_command_keeps_its_error_code_inside_other_reasons() {
        let missing = || Box::new(FailureReason::CommandNotFound);
        for reason in [
            FailureReason::CommandNotFound,
            FailureReason::CommandNotExecutable,
            FailureReason::PrepareFailed {
                cause: missing(),
                shared_with: None,
            },
            FailureReason::GaveUp {
                restarts: 5,
                cause: missing(),
            },
        ] {
            assert_eq!(reason.error_code(), ErrorCode::MissingRequirement);
        }
        let other = FailureReason::Exited {
            code: 1,
            line: None,
        };
        assert_eq!(other.error_code(), ErrorCode::ServiceFailed);
    }

    #[test]
    fn json_names_the_type() {
        let json = serde_json::to_value(FailureReason::Exited {
            code: 3,
            line: None,
        })
        .unwrap();
        assert_eq!(json, serde_json::json!({ "type": "exited", "code": 3 }));
    }
}
