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
    /// The code, message, place and hints.
    pub info: ErrorInfo,
    /// The place in the manifest, to be shown with its text.
    pub source_text: Option<Box<Diagnostic>>,
    /// The signal that ended the command.
    signal: Option<i32>,
}

impl CommandError {
    /// An error with this code and message.
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

    /// Adds a way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.info.hints.push(hint.into());
        self
    }

    /// Sets the file or directory that the error is about.
    pub fn place(mut self, place: &Path) -> Self {
        self.info.place = Some(place.display().to_string());
        self
    }

    /// A command that a signal ended; nobody needs to be told.
    pub fn signal(number: i32) -> Self {
        Self {
            signal: Some(number),
            ..Self::new(ErrorCode::Interrupted, format!("ended by signal {number}"))
        }
    }

    /// Whether nothing is printed about this error.
    pub fn is_silent(&self) -> bool {
        self.signal.is_some()
    }

    /// The exit code of the command.
    pub fn exit(&self) -> u8 {
        match self.signal {
            // As a shell says it.
            Some(number) => 128 + u8::try_from(number).unwrap_or(0),
            None => self.info.code.exit(),
        }
    }

    /// The error as programs receive it.
    pub fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.info.clone(),
        }
    }

    /// An operation on a file or directory that failed.
    pub fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(
            ErrorCode::Failed,
            format!("cannot {doing} `{}`: {error}", path.display()),
        )
        .place(path)
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
            ManifestError::Missing(_) => Self::new(ErrorCode::NoManifest, error.to_string())
                .hint("`portway init` writes a first one; `-C DIR` looks elsewhere"),
            ManifestError::Unreadable { ref file, .. } => {
                Self::new(ErrorCode::ManifestInvalid, error.to_string()).place(file)
            }
        }
    }
}

impl From<PortsFileError> for CommandError {
    fn from(error: PortsFileError) -> Self {
        Self::new(ErrorCode::PortsFileInvalid, error.to_string())
            .place(&error.file)
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
            .place(&error.file)
            .hint(error.help)
    }
}
