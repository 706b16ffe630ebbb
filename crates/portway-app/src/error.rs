//! The error of a command: message, hints, stable code and exit code.

use std::io;
use std::path::Path;

use portway_api::{ErrorBody, ErrorCode, ErrorInfo};
use portway_project::Diagnostic;
use portway_project::PortsFileError;
use portway_project::manifest::ManifestError;
use portway_registry::RegistryError;

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    /// The code, message, location and hints.
    pub info: ErrorInfo,
    /// The location in the manifest with its source text, if the manifest is invalid.
    pub source_text: Option<Box<Diagnostic>>,
    /// The signal that stopped the command.
    signal: Option<i32>,
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
            signal: None,
        }
    }

    /// Adds a hint that says how to resolve the error.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.info.hints.push(hint.into());
        self
    }

    /// Sets the file or directory that the error is about.
    pub fn location(mut self, path: &Path) -> Self {
        self.info.place = Some(path.display().to_string());
        self
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

    /// Returns whether the error must not be printed.
    pub fn is_silent(&self) -> bool {
        self.signal.is_some()
    }

    /// Returns the exit code of the command.
    pub fn exit(&self) -> u8 {
        match self.signal {
            // The convention of shells.
            Some(number) => 128 + u8::try_from(number).unwrap_or(0),
            None => self.info.code.exit(),
        }
    }

    /// Returns the error as JSON output contains it.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.info.clone(),
        }
    }

    /// Creates the error of a failed operation on a file or directory.
    pub fn file(operation: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            ErrorCode::Failed,
            format!("cannot {operation} `{}`: {error}", path.display()),
        )
        .location(path)
    }
}

impl From<ErrorInfo> for CommandError {
    fn from(info: ErrorInfo) -> Self {
        Self {
            info,
            ..Self::new(ErrorCode::Failed, "")
        }
    }
}

impl From<Box<Diagnostic>> for CommandError {
    fn from(invalid: Box<Diagnostic>) -> Self {
        let mut error = Self::new(ErrorCode::ManifestInvalid, invalid.message.clone());
        error.info.place = Some(invalid.location());
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
                Self::new(ErrorCode::ManifestInvalid, error.to_string()).location(file)
            }
        }
    }
}

impl From<PortsFileError> for CommandError {
    fn from(error: PortsFileError) -> Self {
        Self::new(ErrorCode::PortsFileInvalid, error.to_string())
            .location(&error.file)
            .hint(error.help())
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
            .hint(error.help)
    }
}
