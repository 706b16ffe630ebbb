//! The asynchronous runtime of one command.

use portway_api::ErrorCode;

use crate::error::CommandError;

/// Creates a runtime that runs on the current thread only.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandError::new(ErrorCode::Failed, "cannot start the async runtime").caused_by(error)
        })
}
