//! Windows.

/// Returns the machine's own name.
pub(crate) fn machine_name() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Does nothing: the supervisor starts the announcer on a separate console, which receives no
/// Ctrl-C.
pub(crate) fn ignore_stop_requests() {}
