//! Holds of ports that an instance had before.

use std::path::Path;
use std::thread;
use std::time::Duration;

use portway_ports::{Hold, HoldError, Protocol};

/// Holds a port that the instance had before. Another command of the checkout (`portway exec`) may have
/// a soft hold, and a killed process may not have released the port yet.
pub(super) fn acquire_again(port: u16, protocol: Protocol, dir: &Path) -> Result<Hold, HoldError> {
    const MAX_ATTEMPTS: u32 = 20;
    const RETRY_DELAY: Duration = Duration::from_millis(1);
    for _ in 0..MAX_ATTEMPTS {
        match Hold::acquire_for(port, protocol) {
            Err(HoldError::InUse(_))
                if protocol == Protocol::Tcp && portway_registry::has_users(dir) =>
            {
                if let Ok(hold) = Hold::join(port) {
                    return Ok(hold);
                }
            }
            Err(HoldError::InUse(_)) => {}
            other => return other,
        }
        // A process that is listening does not release the port within this time.
        if portway_ports::listeners(port).is_ok_and(|found| !found.is_empty()) {
            break;
        }
        thread::sleep(RETRY_DELAY);
    }
    Err(HoldError::InUse(port))
}
