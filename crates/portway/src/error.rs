//! The one place where errors become words, codes and exit codes.

use std::io;
use std::path::Path;

use portway_api::{ErrorBody, ErrorCode, ErrorInfo};
use portway_project::Diagnostic;
use portway_project::PortsFileError;
use portway_project::manifest::ManifestError;
use portway_registry::RegistryError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) info: ErrorInfo,
    /// The place in the manifest, to be shown with its text.
    pub(crate) source_text: Option<Box<Diagnostic>>,
    /// A text that is already formatted, such as a usage message.
    pub(crate) formatted: Option<String>,
    /// The signal that ended the command.
    signal: Option<i32>,
}

impl CommandError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            info: ErrorInfo {
                code,
                message: message.into(),
                place: None,
                hints: Vec::new(),
            },
            source_text: None,
            formatted: None,
            signal: None,
        }
    }

    /// Adds a way out.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.info.hints.push(hint.into());
        self
    }

    pub(crate) fn place(mut self, place: &Path) -> Self {
        self.info.place = Some(place.display().to_string());
        self
    }

    pub(crate) fn usage(error: clap::Error) -> Self {
        let first = error.to_string();
        let first = first.lines().next().unwrap_or_default();
        let message = first.strip_prefix("error: ").unwrap_or(first).to_owned();
        Self {
            formatted: Some(error.render().to_string()),
            ..Self::new(ErrorCode::Usage, message)
        }
    }

    /// A command that a signal ended; nobody needs to be told.
    pub(crate) fn signal(number: i32) -> Self {
        Self {
            signal: Some(number),
            ..Self::new(ErrorCode::Interrupted, format!("ended by signal {number}"))
        }
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.signal.is_some()
    }

    pub(crate) fn exit(&self) -> u8 {
        match self.signal {
            // As a shell says it.
            Some(number) => 128 + u8::try_from(number).unwrap_or(0),
            None => self.info.code.exit(),
        }
    }

    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: self.info.clone(),
        }
    }

    /// An operation on a file or directory that failed.
    pub(crate) fn file(doing: &str, path: &Path, error: &io::Error) -> Self {
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
