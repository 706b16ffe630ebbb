//! Services that other machines of the local network announce.

use std::time::Duration;

use portway_api::{DiscoveredService, ErrorCode};

use crate::error::CommandError;
use crate::reporter::Reporter;

/// Queries the local network for `time`. This machine's own services are left out.
///
/// # Errors
/// When the network cannot be queried.
pub fn discover(
    time: Duration,
    reporter: &dyn Reporter,
) -> Result<Vec<DiscoveredService>, CommandError> {
    let progress = reporter.progress();
    progress.message("asks the local network");
    let found = portway_lan::browse(time, |count| {
        progress.message(&format!("asks the local network: {count} so far"));
    });
    progress.finish();
    found.map_err(|error| {
        let message = format!("cannot ask the local network: {error}");
        CommandError::new(ErrorCode::Failed, message)
            .hint("mDNS needs UDP port 5353: a firewall or another responder may keep it")
    })
}
