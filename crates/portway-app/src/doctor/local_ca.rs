//! Checks that the gateway can use the local CA, if one exists.

use portway_api::{Check, Finding};

use super::finding_builder::from_error;
use crate::error::CommandError;

/// Evaluates the CA. A usable or missing CA gives no finding.
pub(super) fn evaluate<T>(authority: Result<T, CommandError>) -> Option<Finding> {
    let wrong = authority.err()?;
    let mut finding = from_error(Check::LocalCa, "local CA", &wrong);
    finding.message += "; the gateway cannot start";
    Some(finding)
}
