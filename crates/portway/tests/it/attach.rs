//! `portway attach`, used in a real terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::sandbox::{Sandbox, wait_until};

const SERVICES: &str = r#"
[services.shell]
tty = true
command = """
test -t 0 && test -t 1 && test -t 2 && echo 'a terminal'
while read -r line; do echo "got $line"; stty size; done
"""

[services.plain]
command = "while read -r line; do echo \"got $line\"; done"
"#;

/// A user at a terminal.
struct Terminal {
    keyboard: File,
    /// The end of the terminal that the command has.
    other: OwnedFd,
    screen: Arc<Mutex<String>>,
    command: Child,
}

impl Terminal {
    /// Runs `portway attach SERVICE` in a terminal of 33 rows and 101 columns.
    fn attach(sandbox: &Sandbox, service: &str) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let other = ioctl_tiocgptpeer(&terminal, flags).unwrap();
        let end = || Stdio::from(other.try_clone().unwrap());
        // In a session of its own, so that keys send signals.
        let mut command = sandbox.command("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_portway"), "attach", service]);
        command.stdin(end()).stdout(end()).stderr(end());
        let screen = Arc::new(Mutex::new(String::new()));
        let terminal = Self {
            keyboard: File::from(terminal),
            command: command.spawn().unwrap(),
            other,
            screen: screen.clone(),
        };
        terminal.resize(33, 101);
        let mut output = terminal.keyboard.try_clone().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count) = output.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]);
                screen.lock().unwrap().push_str(&text);
            }
        });
        terminal.wait_for("detaches");
        terminal
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.keyboard, size).unwrap();
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn shows(&self, text: &str) -> bool {
        self.screen.lock().unwrap().contains(text)
    }

    fn wait_for(&self, text: &str) {
        wait_until(&format!("`{text}` is displayed"), || self.shows(text));
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.other).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.command.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until the command has exited, and expects the terminal to be as before.
    fn exits_with(mut self, code: i32) {
        assert_eq!(self.command.wait().unwrap().code(), Some(code));
        assert!(!self.is_raw());
    }
}

#[test]
fn a_service_with_a_terminal_gets_the_keys_and_the_size() {
    let sandbox = Sandbox::new().manifest(SERVICES);
    sandbox.run(&["up", "--detach"]).success();
    let mut first = Terminal::attach(&sandbox, "shell");
    let second = Terminal::attach(&sandbox, "shell");
    // It was printed before.
    first.wait_for("a terminal");
    wait_until("the terminal passes on every key", || first.is_raw());
    first.press("one\r");
    for terminal in [&first, &second] {
        terminal.wait_for("got one\r\n");
        terminal.wait_for("33 101");
    }
    first.resize(44, 122);
    wait_until("the service sees the new size", || {
        first.press("again\r");
        first.shows("44 122")
    });

    first.press("two\r\x1c");
    first.wait_for("detached from `shell`");
    first.exits_with(0);
    second.wait_for("got two");
    second.signal(Signal::TERM);
    second.exits_with(143);
    let killed = Terminal::attach(&sandbox, "shell");
    killed.signal(Signal::KILL);

    // Ctrl-D, which ends the input and thereby the service.
    let mut last = Terminal::attach(&sandbox, "shell");
    last.press("three\r");
    last.wait_for("got three");
    last.press("\x04");
    last.wait_for("the process of `shell` has exited");
    last.exits_with(0);
    let failure = sandbox.run(&["attach", "shell"]).code(1);
    failure
        .stderr_has("error: `shell` has no running process")
        .stderr_has("run `portway restart shell` to start it");
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}

#[test]
fn a_service_without_a_terminal_gets_lines() {
    let sandbox = Sandbox::new().manifest(SERVICES);
    let failure = sandbox.run(&["attach", "plain"]).code(1);
    failure.stderr_has("run `portway up --detach` to start them");
    sandbox.run(&["up", "--detach"]).success();
    let failure = sandbox.run(&["attach", "plane"]).code(2);
    failure.stderr_has("help: did you mean `plain`?");
    let failure = sandbox.run(&["attach"]).code(2);
    failure.stderr_has("portway attach SERVICE");

    let mut terminal = Terminal::attach(&sandbox, "plain");
    terminal.press("one\r");
    terminal.wait_for("got one");
    assert!(!terminal.is_raw());
    // The end of piped input is not the end of the service's.
    for line in ["two", "three"] {
        let mut piped = sandbox.command("sh");
        let portway = env!("CARGO_BIN_EXE_portway");
        piped.args(["-c", &format!("echo {line} | {portway} attach plain")]);
        let piped = sandbox.run_command(piped).success();
        piped.stdout_has(&format!("got {line}\n"));
        terminal.wait_for(&format!("got {line}"));
    }
    // Ctrl-C detaches and does not reach the service.
    terminal.press("\x03");
    terminal.wait_for("detached from `plain`");
    terminal.exits_with(0);
    assert_eq!(sandbox.status()["services"][1]["state"], "ready");
    sandbox.run(&["down"]).success();
    sandbox.wait_until_empty();
}
