//! The error of a command: message, hints, stable code and exit code.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use portway_api::{ErrorBody, ErrorCode, ErrorInfo, FailureReason};
use portway_project::Diagnostic;
use portway_project::PortsFileError;
use portway_project::checkout::CheckoutError;
use portway_project::manifest::ManifestError;
use portway_registry::RegistryError;

use crate::platform;

/// The source of an error about services that failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.text())]
pub(crate) struct FailedServices(pub(crate) Vec<(String, FailureReason)>);

impl FailedServices {
    fn text(&self) -> String {
        let services = self.0.iter();
        let texts: Vec<String> = services
            .map(|(service, reason)| format!("`{service}` {reason}"))
            .collect();
        texts.join("; ")
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[error("{}", info.message)]
pub struct CommandError {
    /// The code, message, location and hints.
    pub info: ErrorInfo,
    /// The location in the manifest with its source text, if the manifest is invalid.
    pub source_text: Option<Box<Diagnostic>>,
    /// Whether the message does not name the location.
    is_location_unnamed: bool,
    /// Whether the error was printed already.
    is_reported: bool,
    /// The signal that stopped the command.
    signal: Option<i32>,
    /// The exit code, if it is not that of the code.
    exit: Option<u8>,
    /// The cause, whose text is part of the message.
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl CommandError {
    /// Creates an error with a code and a message.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            info: ErrorInfo {
                code,
                message: message.into(),
                place: None,
                hints: Vec::new(),
            },
            source_text: None,
            is_location_unnamed: false,
            is_reported: false,
            signal: None,
            exit: None,
            source: None,
        }
    }

    /// Creates the error when a program cannot be started. It is a missing requirement only if the
    /// program is the reason, and not, for example, a limit of the system.
    pub(crate) fn cannot_run(program: impl fmt::Display, cause: io::Error) -> Self {
        let code = match is_program_unusable(&cause) {
            true => ErrorCode::MissingRequirement,
            false => ErrorCode::Failed,
        };
        Self::new(code, format!("cannot run `{program}`")).caused_by(cause)
    }

    /// Adds a hint that says how to resolve the error.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.info.hints.push(hint.into());
        self
    }

    /// Adds the cause of the error: its text to the message, and the error as the source.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        self.info.message = format!("{}: {cause}", self.info.message);
        self.source = Some(cause);
        self
    }

    /// Sets the source of an error whose message contains the text of the source already.
    pub(crate) fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Sets the file or directory that the error is about and that its message names.
    pub fn location(mut self, path: &Path) -> Self {
        self.info.place = Some(path.display().to_string());
        self
    }

    /// Sets a location that the message does not name: `FILE`, `FILE:LINE` or `FILE:LINE:COLUMN`.
    pub(crate) fn unnamed_location(mut self, location: impl Into<String>) -> Self {
        self.info.place = Some(location.into());
        self.is_location_unnamed = true;
        self
    }

    /// Returns the message, after the location if the message does not name it.
    pub fn text(&self) -> String {
        match &self.info.place {
            Some(location) if self.is_location_unnamed => {
                format!("{location}: {}", self.info.message)
            }
            _ => self.info.message.clone(),
        }
    }

    /// Creates the error of a command that a signal has stopped. It is not printed.
    pub fn signal(number: i32) -> Self {
        Self {
            signal: Some(number),
            ..Self::new(
                ErrorCode::Interrupted,
                format!("stopped by signal {number}"),
            )
        }
    }

    /// Sets the exit code of the command.
    pub(crate) fn with_exit(mut self, code: u8) -> Self {
        self.exit = Some(code);
        self
    }

    /// Marks an error that was printed for a user already.
    pub(crate) fn reported(mut self) -> Self {
        self.is_reported = true;
        self
    }

    /// Returns whether the error was printed for a user already.
    pub fn is_reported(&self) -> bool {
        self.is_reported
    }

    /// Returns whether the error must not be printed.
    pub fn is_silent(&self) -> bool {
        self.signal.is_some()
    }

    /// Returns the exit code of the command.
    pub fn exit(&self) -> u8 {
        match self.signal {
            // The convention of shells.
            Some(number) => 128 + u8::try_from(number).unwrap_or(0),
            None => self.exit.unwrap_or_else(|| self.info.code.exit()),
        }
    }

    /// Returns the error as JSON output contains it.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.info.clone(),
        }
    }

    /// Logs the cause with its type, which the message does not show.
    pub fn log(&self) {
        if let Some(source) = &self.source {
            tracing::debug!(code = ?self.info.code, ?source, "the command failed");
        }
    }

    /// Creates the error of a failed operation on a file or directory.
    pub fn file(operation: &str, path: &Path, error: io::Error) -> Self {
        let message = format!("cannot {operation} `{}`", path.display());
        Self::new(ErrorCode::Failed, message)
            .caused_by(error)
            .location(path)
    }
}

impl From<CheckoutError> for CommandError {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::Enter { dir, source } => Self::file("enter", &dir, source),
            CheckoutError::Git { file, source } => Self::file("read", &file, source.into()).hint(
                "Portway reads git's files to find the main checkout and the branch; fix this file",
            ),
        }
    }
}

impl From<ErrorInfo> for CommandError {
    fn from(info: ErrorInfo) -> Self {
        Self {
            // Another process reports these with a location in a file, and all others with a path
            // that their message names.
            is_location_unnamed: matches!(
                info.code,
                ErrorCode::ManifestInvalid | ErrorCode::PreferencesInvalid | ErrorCode::Usage
            ),
            info,
            ..Self::new(ErrorCode::Failed, "")
        }
    }
}

impl From<Box<Diagnostic>> for CommandError {
    fn from(invalid: Box<Diagnostic>) -> Self {
        let mut error = Self::new(ErrorCode::ManifestInvalid, invalid.message.clone())
            .unnamed_location(invalid.location());
        error.info.hints.extend(invalid.help.clone());
        error.source_text = Some(invalid);
        error
    }
}

impl From<ManifestError> for CommandError {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::Invalid(invalid) => invalid.into(),
            ManifestError::Missing(_) => Self::new(ErrorCode::NoManifest, error.to_string()).hint(
                "run `portway init` to create one, or use `-C DIR` to select another directory",
            ),
            ManifestError::Unreadable { ref file, .. } => {
                Self::new(ErrorCode::ManifestInvalid, error.to_string())
                    .location(file)
                    .with_source(error)
            }
        }
    }
}

impl From<PortsFileError> for CommandError {
    fn from(error: PortsFileError) -> Self {
        let dir = error.file.parent().unwrap_or(&error.file);
        if error.problem.is_directory_missing() {
            let message = format!("the directory `{}` was moved or deleted", dir.display());
            return Self::new(ErrorCode::Failed, message)
                .hint("run the command again in the directory of the project")
                .with_source(error);
        }
        Self::new(ErrorCode::PortsFileInvalid, error.to_string())
            .location(&error.file)
            .hint(error.help())
            .with_source(error)
    }
}

impl From<RegistryError> for CommandError {
    fn from(error: RegistryError) -> Self {
        let message = match error.cause() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        };
        Self::new(ErrorCode::State, message)
            .location(&error.file)
            .hint(error.help.as_str())
            .with_source(error)
    }
}

/// Returns whether the system refused to start a program because of the program or its path.
fn is_program_unusable(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied};
    matches!(
        error.kind(),
        NotFound | PermissionDenied | NotADirectory | IsADirectory | InvalidFilename
    ) || platform::is_not_a_program(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_an_unusable_program_is_a_missing_requirement() {
        use rustix::io::Errno;
        let code = |errno: Errno| CommandError::cannot_run("x", errno.into()).info.code;
        let missing = [Errno::NOENT, Errno::ACCESS, Errno::NOTDIR, Errno::NOEXEC];
        for errno in missing {
            assert_eq!(code(errno), ErrorCode::MissingRequirement, "{errno}");
        }
        let limits = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::AGAIN,
            Errno::NOMEM,
            Errno::TOOBIG,
            Errno::IO,
        ];
        for errno in limits {
            assert_eq!(code(errno), ErrorCode::Failed, "{errno}");
        }
    }

    #[test]
    fn keeps_the_cause_as_text_and_as_source() {
        let cause = || io::Error::from(io::ErrorKind::PermissionDenied);
        let error = CommandError::file("read", Path::new("/p/x"), cause());
        assert_eq!(
            error.to_string(),
            format!("cannot read `/p/x`: {}", cause())
        );
        let source = error.source().and_then(|source| source.downcast_ref());
        assert_eq!(
            source.map(io::Error::kind),
            Some(io::ErrorKind::PermissionDenied)
        );
    }
}
