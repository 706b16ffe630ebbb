//! Finds the services that other machines on the local network announce.

use std::time::Duration;

use portway_api::{DiscoveredService, ErrorCode};

use crate::error::CommandError;
use crate::reporter::Reporter;

/// Queries the local network for `time`. Leaves out the services of this machine.
///
/// # Errors
/// When the network cannot be queried.
pub fn discover(
    time: Duration,
    reporter: &dyn Reporter,
) -> Result<Vec<DiscoveredService>, CommandError> {
    let progress = reporter.progress();
    progress.message("querying the local network");
    let found = portway_lan::browse(time, |count| {
        progress.message(&format!("querying the local network: {count} found"));
    });
    progress.finish();
    found.map_err(|error| {
        CommandError::new(ErrorCode::Failed, "cannot query the local network")
            .caused_by(error)
            .hint("check that no firewall and no other mDNS responder blocks UDP port 5353")
    })
}
