//! Whether a gateway can start with the local CA, where there is one.

use portway_api::{Check, Finding};

use super::note::from_error;
use crate::error::CommandError;

/// Judges the CA; nothing is said of one that can be used, or that is not there.
pub(super) fn judge<T>(authority: Result<T, CommandError>) -> Option<Finding> {
    let wrong = authority.err()?;
    let mut finding = from_error(Check::LocalCa, "local CA", &wrong);
    finding.message += "; no gateway starts with it";
    Some(finding)
}
