//! Linux and macOS.

use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Returns the machine's own name.
pub(crate) fn machine_name() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

/// Makes this process ignore signals that request it to stop, because Ctrl-C in the terminal is
/// meant for the supervisor. It exits when its standard input ends.
pub(crate) fn ignore_stop_requests() {
    // This fails only if the process already leads a session.
    let _ = rustix::process::setsid();
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // A handler that sets an unused flag. It cannot fail for these signals.
        let _ = flag::register(signal, Arc::default());
    }
}
