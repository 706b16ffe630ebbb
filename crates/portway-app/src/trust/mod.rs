//! Having programs trust the local CA, and taking that back.
//!
//! ```text
//! facts, record, what is in stores ─► steps ─► outlook ─► what became of them
//! ```
//!
//! What is to be done is a function from facts to steps, the same for every system; doing it is
//! thin. What was touched is written down before it is touched, so that it can always be undone.

mod apply;
mod change;
pub(crate) mod children;
mod command;
mod contents;
mod facts;
mod record;
mod steps;
mod store;

use std::io;
use std::path::PathBuf;

use portway_api::ErrorCode;
use portway_gateway::tls::{Authority, AuthorityError};

use crate::error::CommandError;
use crate::gateway::state;

pub use change::{Change, Direction, Outcome, Undo};

/// The directory of the local CA.
pub(crate) fn dir() -> Result<PathBuf, CommandError> {
    Ok(state::dir()?.join("ca"))
}

/// The local CA, if there is one.
pub(crate) fn authority() -> Result<Option<Authority>, CommandError> {
    Ok(Authority::read(&dir()?)?)
}

impl From<AuthorityError> for CommandError {
    fn from(error: AuthorityError) -> Self {
        let told = Self::new(ErrorCode::State, error.to_string());
        match error {
            AuthorityError::Permissions { file, .. } => {
                let close = format!("chmod go= {}", file.display());
                told.hint(format!("close it: `{close}`; should others have been there, make a new CA: `portway trust --undo`, then `portway trust`"))
            }
            AuthorityError::File { source, .. } if source.kind() != io::ErrorKind::NotFound => {
                told.hint("see that it is yours")
            }
            AuthorityError::Generate(_) => told,
            AuthorityError::File { .. }
            | AuthorityError::Invalid { .. }
            | AuthorityError::Mismatch { .. }
            | AuthorityError::Expired(_) => {
                told.hint("make a new one: `portway trust --undo`, then `portway trust`")
            }
        }
    }
}
