//! Adds the local CA to the trust stores of this machine, and removes it.
//!
//! ```text
//! environment, record, store contents ─► steps ─► preview ─► results
//! ```
//!
//! The steps are computed by pure functions. The record lists every store that may contain the CA,
//! so that `portway trust --undo` finds it.

mod apply;
mod change;
pub(crate) mod children;
mod command;
mod contents;
mod environment;
mod record;
mod steps;
mod store;

use std::io;
use std::path::PathBuf;

use portway_api::ErrorCode;
use portway_gateway::tls::{Authority, AuthorityError};
use portway_project::shell::quote;

use crate::error::CommandError;
use crate::gateway::state;

pub use change::{Change, Direction, Outcome, Undo};

/// Returns the directory of the local CA.
pub(crate) fn dir() -> Result<PathBuf, CommandError> {
    Ok(state::dir()?.join("ca"))
}

/// Reads the local CA, if it exists.
pub(crate) fn authority() -> Result<Option<Authority>, CommandError> {
    Ok(Authority::read(&dir()?)?)
}

impl From<AuthorityError> for CommandError {
    fn from(error: AuthorityError) -> Self {
        let command_error = Self::new(ErrorCode::State, error.to_string());
        match &error {
            AuthorityError::Permissions { file, .. } => {
                let chmod = format!("chmod go= {}", quote(&file.to_string_lossy()));
                command_error
                    .hint(format!("remove the permissions of other users: `{chmod}`"))
                    .hint("if other users may have read the key, create a new CA: run `portway trust --undo`, then `portway trust`")
            }
            AuthorityError::File { source, .. } if source.kind() != io::ErrorKind::NotFound => {
                command_error.hint("check that you own the file and can read it")
            }
            AuthorityError::Generate(_) => command_error,
            AuthorityError::File { .. }
            | AuthorityError::Invalid { .. }
            | AuthorityError::Mismatch { .. }
            | AuthorityError::Expired(_) => command_error
                .hint("create a new CA: run `portway trust --undo`, then `portway trust`"),
        }
        .with_source(error)
    }
}
