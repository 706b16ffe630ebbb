//! Linux and macOS.

use std::sync::Arc;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// The machine's own name.
pub(crate) fn machine() -> String {
    let uname = rustix::system::uname();
    uname.nodename().to_string_lossy().into_owned()
}

/// Has this process end with its standard input and not before: a Ctrl-C in the terminal is the
/// supervisor's.
pub(crate) fn stay() {
    let _ = rustix::process::setsid();
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // A flag that nobody reads: the signal is taken, and does nothing.
        let _ = flag::register(signal, Arc::default());
    }
}
