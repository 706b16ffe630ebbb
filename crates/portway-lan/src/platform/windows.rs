//! Windows.

/// The machine's own name.
pub(crate) fn machine() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_default()
}

/// Nothing to do: the supervisor gives a herald a console of its own, where nobody presses Ctrl-C.
pub(crate) fn stay() {}
