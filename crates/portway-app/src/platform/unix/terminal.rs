//! The terminal of this process.

use std::io;

use rustix::stdio::stdin;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Passes every key to this process as it is, until the value is dropped.
pub(crate) struct RawMode {
    previous: Termios,
}

impl RawMode {
    /// Changes the mode of the terminal that is the standard input.
    pub(crate) fn enter() -> io::Result<Self> {
        let previous = tcgetattr(stdin())?;
        let mut raw = previous.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw)?;
        Ok(Self { previous })
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // It fails only if the terminal was closed.
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.previous);
    }
}

/// Returns the size of the terminal that is the standard input: rows and columns.
pub(crate) fn terminal_size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdin()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// The signals of a terminal that [`super::Signals`] does not contain.
pub(crate) struct TerminalSignals {
    quit: Signal,
    resize: Signal,
}

/// A signal of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TerminalSignal {
    /// Ctrl-\\ was pressed.
    Quit,
    /// The size has changed.
    Resized,
}

impl TerminalSignals {
    /// Registers handlers, so that the signals no longer stop this process.
    pub(crate) fn register() -> io::Result<Self> {
        Ok(Self {
            quit: signal(SignalKind::quit())?,
            resize: signal(SignalKind::window_change())?,
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> TerminalSignal {
        tokio::select! {
            _ = self.quit.recv() => TerminalSignal::Quit,
            _ = self.resize.recv() => TerminalSignal::Resized,
        }
    }
}
