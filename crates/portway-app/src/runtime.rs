//! The asynchronous runtime of one command.

use std::io;

use portway_api::ErrorCode;

use crate::error::CommandError;

/// Pipes with as many descriptors as a runtime opens, and some more: for its selector, its waker, and
/// signals.
const PIPES: usize = 4;

/// Creates a runtime that runs on the current thread only.
///
/// # Errors
/// When the process has too few file descriptors left.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let failed = |error: io::Error| {
        CommandError::new(ErrorCode::Failed, "cannot start the async runtime")
            .caused_by(error)
            .hint("raise the limit of open files, for example with `ulimit -n 1024`")
    };
    // Without descriptors, building a runtime panics.
    let pipes: io::Result<Vec<_>> = (0..PIPES).map(|_| io::pipe()).collect();
    drop(pipes.map_err(failed)?);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)
}
