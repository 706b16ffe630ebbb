//! A terminal with a command in its foreground.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::sandbox::{Sandbox, wait_until};

pub(super) const CTRL_C: &[u8] = b"\x03";

/// A terminal. It is closed, and its command killed, when this value is dropped.
pub(super) struct Terminal {
    child: Child,
    /// Receives typed keys. Dropping it closes the terminal.
    keys: Option<mpsc::Sender<&'static [u8]>>,
    screen: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Runs `portway up` in a terminal.
    pub(super) fn up(sandbox: &Sandbox) -> Self {
        Self::shell(sandbox, "exec \"$0\" up")
    }

    /// Runs a shell as the session leader of a new terminal. In `script`, `$0` is Portway.
    pub(super) fn shell(sandbox: &Sandbox, script: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let screen = openpt(flags).unwrap();
        grantpt(&screen).unwrap();
        unlockpt(&screen).unwrap();
        let terminal: OwnedFd = ioctl_tiocgptpeer(&screen, flags).unwrap();
        let mut command = sandbox.command("setsid");
        command
            .args(["--ctty", "sh", "-c", script])
            .arg(env!("CARGO_BIN_EXE_portway"))
            .stdin(terminal.try_clone().unwrap())
            .stdout(terminal.try_clone().unwrap())
            .stderr(terminal);
        let child = command.spawn().unwrap();
        let (keys, typed) = mpsc::channel();
        let screen = thread::spawn(move || emulate(screen, &typed));
        Self {
            child,
            keys: Some(keys),
            screen: Some(screen),
        }
    }

    /// Types these bytes.
    pub(super) fn press(&self, keys: &'static [u8]) {
        self.keys.as_ref().unwrap().send(keys).unwrap();
    }

    /// Closes the terminal, as closing its window does.
    pub(super) fn close(&mut self) {
        self.keys = None;
        if let Some(screen) = self.screen.take() {
            screen.join().unwrap();
        }
    }

    /// Waits until the command exits and returns its exit code: 128 plus the number of the signal if
    /// a signal terminated it.
    #[track_caller]
    pub(super) fn wait(&mut self) -> i32 {
        let mut status = None;
        wait_until("the command exits", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.close();
    }
}

/// The emulator's side of a terminal: writes the keys that are typed and discards what is printed,
/// until the sender of keys is dropped. It owns the only descriptor, so returning closes the
/// terminal.
fn emulate(screen: OwnedFd, typed: &mpsc::Receiver<&'static [u8]>) {
    rustix::io::ioctl_fionbio(&screen, true).unwrap();
    let mut screen = fs::File::from(screen);
    let mut printed = [0; 4096];
    loop {
        match typed.recv_timeout(Duration::from_millis(5)) {
            Ok(keys) => screen.write_all(keys).unwrap(),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        while screen.read(&mut printed).is_ok_and(|count| count > 0) {}
    }
}
