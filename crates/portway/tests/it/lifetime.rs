//! Whatever Portway started is gone when Portway is gone: however it is stopped, whatever the
//! processes do to get away, and at most a service's `stop.grace` later. An orderly end leaves
//! nothing at all, not for an instant.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::sandbox::{RunningCommand, Sandbox, wait_until};

/// How a process may try to get away from whoever ends its parent.
const GRANDCHILDREN: [&str; 4] = ["plain", "setsid", "ignore", "daemon"];

/// The `stop.grace` of [`family`].
const GRACE: Duration = Duration::from_secs(1);

/// What a busy machine may need beyond a grace; far less than "10m".
const SLACK: Duration = Duration::from_secs(8);

// === what runs ===

/// One service for each kind of grandchild. `more`: further keys for each.
fn family(more: &str) -> Sandbox {
    let services: Vec<String> = GRANDCHILDREN
        .iter()
        .zip(0..)
        .map(|(kind, tens)| {
            format!(
                "[services.{kind}]
                command = \"%service serve {{port}} --grandchild {kind}\"
                port = \"%{tens}0-%{tens}9\"
                stop = {{ grace = \"1s\" }}
                {more}\n"
            )
        })
        .collect();
    Sandbox::new().manifest(&services.join(""))
}

/// Waits until a family is complete.
fn until_complete(sandbox: &Sandbox) {
    sandbox.run(&["wait"]).success();
    wait_until("every grandchild is there", || {
        pids(sandbox, "service sleep").len() == GRANDCHILDREN.len()
    });
}

/// A service that no signal impresses, and that may take as long as it likes.
fn stubborn() -> Sandbox {
    Sandbox::new().manifest(
        "[services.stubborn]
        command = \"%service serve {port} --ignore --grandchild ignore\"
        port = \"%0-%9\"
        stop = { grace = \"10m\" }",
    )
}

/// Services that take a while to end (`$2`) and then say so, in the file `stopped`.
fn tidy(manifest: &str) -> Sandbox {
    Sandbox::new().manifest(manifest).file(
        "tidy.sh",
        "trap 'sleep $2; echo $1 >> stopped; exit' TERM
        echo trapped
        while :; do sleep 0.02; done",
    )
}

// === what is looked at ===

/// The processes whose command line contains `words`.
fn pids(sandbox: &Sandbox, words: &str) -> Vec<u32> {
    let processes = sandbox.processes();
    let matches = processes.iter().filter(|(_, line)| line.contains(words));
    matches.map(|(pid, _)| *pid).collect()
}

/// The only instance of the sandbox.
fn instance(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.run(&["ps", "--json"]).success().json()[0].clone()
}

fn supervisor(sandbox: &Sandbox) -> u32 {
    instance(sandbox)["pid"].as_u64().unwrap() as u32
}

/// The keeper of the service with this kind of grandchild.
fn keeper(sandbox: &Sandbox, grandchild: &str) -> u32 {
    let words = format!("--grandchild {grandchild}");
    let processes = sandbox.processes();
    let mut keepers = processes
        .iter()
        .filter(|(_, line)| line.contains("__keeper") && line.contains(&words));
    *keepers.next().unwrap().0
}

fn service(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    let services = instance(sandbox)["services"].clone();
    let services = services.as_array().unwrap();
    services
        .iter()
        .find(|one| one["name"] == name)
        .unwrap()
        .clone()
}

fn kill(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
}

fn until_state(sandbox: &Sandbox, name: &str, state: &str) {
    wait_until(&format!("{name} is {state}"), || {
        service(sandbox, name)["state"] == state
    });
}

// === what is promised ===

/// After an orderly end nothing is left, and it took no longer than it may.
#[track_caller]
fn left_nothing(sandbox: &Sandbox, asked: Instant, grace: Duration) {
    let left = sandbox.processes();
    assert!(left.is_empty(), "left behind: {left:#?}");
    let sockets: Vec<_> = fs::read_dir(sandbox.state().join("instances"))
        .unwrap()
        .map(|dir| dir.unwrap().path().join("control.sock"))
        .filter(|socket| socket.exists())
        .collect();
    assert!(sockets.is_empty(), "left behind: {sockets:?}");
    leaves_nothing(sandbox, asked, grace);
}

/// Soon nothing is left: no process, no port.
#[track_caller]
fn leaves_nothing(sandbox: &Sandbox, asked: Instant, grace: Duration) {
    sandbox.wait_until_empty();
    let took = asked.elapsed();
    assert!(took < grace + SLACK, "it took {took:?}");
    // A process closes its sockets a little after it has ceased to be seen.
    wait_until("every port is free", || {
        (0..40).all(|index| portway_ports::Hold::acquire(sandbox.port(index)).is_ok())
    });
}

// === a terminal ===

const CTRL_C: &[u8] = b"\x03";

/// A terminal with a command in its foreground.
struct Terminal {
    child: Child,
    /// What is typed. Without it the terminal is closed.
    keys: Option<mpsc::Sender<&'static [u8]>>,
    screen: Option<JoinHandle<()>>,
}

impl Terminal {
    /// `portway up` in a terminal.
    fn up(sandbox: &Sandbox) -> Self {
        Self::shell(sandbox, "exec \"$0\" up")
    }

    /// A shell that leads the session of a new terminal; `$0` is Portway.
    fn shell(sandbox: &Sandbox, script: &str) -> Self {
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
        let screen = thread::spawn(move || show(screen, &typed));
        Self {
            child,
            keys: Some(keys),
            screen: Some(screen),
        }
    }

    fn press(&self, keys: &'static [u8]) {
        self.keys.as_ref().unwrap().send(keys).unwrap();
    }

    /// Closes the terminal, as a person closes its window.
    fn close(&mut self) {
        self.keys = None;
        if let Some(screen) = self.screen.take() {
            screen.join().unwrap();
        }
    }

    /// Waits for the end of the command and answers its exit code, with that of a signal as 128
    /// and more.
    #[track_caller]
    fn wait(&mut self) -> i32 {
        let mut status = None;
        wait_until("the command ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        status.code().unwrap_or_else(|| 128 + signal.unwrap())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.close();
    }
}

/// The emulator's side of a terminal: passes on what is typed and reads what is printed, until
/// nobody is left who could type. It alone has the descriptor, so that its end closes the terminal.
fn show(screen: OwnedFd, typed: &mpsc::Receiver<&'static [u8]>) {
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

// === the stops ===

#[test]
fn ctrl_c_ends_everything() {
    let sandbox = family("");
    let mut terminal = Terminal::up(&sandbox);
    until_complete(&sandbox);
    let asked = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    left_nothing(&sandbox, asked, GRACE);
}

#[test]
fn sigterm_to_the_supervisor_alone_ends_everything() {
    let sandbox = family("");
    let mut up = sandbox.spawn(&["up"]);
    until_complete(&sandbox);
    assert_eq!(supervisor(&sandbox), up.pid());
    let asked = Instant::now();
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 143);
    left_nothing(&sandbox, asked, GRACE);
}

#[test]
fn sigterm_to_a_detached_supervisor_ends_everything() {
    let sandbox = family("");
    sandbox.run(&["up", "--detach"]).success();
    until_complete(&sandbox);
    let supervisor = supervisor(&sandbox);
    let asked = Instant::now();
    kill(supervisor, Signal::TERM);
    wait_until("the supervisor ends", || {
        !sandbox.processes().contains_key(&supervisor)
    });
    left_nothing(&sandbox, asked, GRACE);
}

#[test]
fn down_ends_everything() {
    for detach in [false, true] {
        let sandbox = family("");
        let _up = if detach {
            sandbox.run(&["up", "--detach"]).success();
            None
        } else {
            Some(sandbox.spawn(&["up"]))
        };
        until_complete(&sandbox);
        let supervisor = supervisor(&sandbox);
        let asked = Instant::now();
        sandbox.run(&["down"]).success();
        // The supervisor has answered and is about to go; nothing else may be there.
        let mut left = sandbox.processes();
        left.remove(&supervisor);
        assert!(left.is_empty(), "left behind: {left:#?}");
        sandbox.wait_until_empty();
        left_nothing(&sandbox, asked, GRACE);
    }
}

#[test]
fn a_closed_terminal_ends_everything() {
    for script in [
        "exec \"$0\" up",
        "trap '' HUP; exec \"$0\" up",
        // A job in the background is sent no SIGHUP when its terminal goes.
        "set -m; \"$0\" up & wait",
    ] {
        let sandbox = family("");
        let mut terminal = Terminal::shell(&sandbox, script);
        until_complete(&sandbox);
        let asked = Instant::now();
        terminal.close();
        terminal.wait();
        leaves_nothing(&sandbox, asked, GRACE);
        left_nothing(&sandbox, asked, GRACE);
    }
}

#[test]
fn sigkill_of_the_supervisor_ends_everything() {
    for detach in [false, true] {
        let sandbox = family("");
        let _up = if detach {
            sandbox.run(&["up", "--detach"]).success();
            None
        } else {
            Some(sandbox.spawn(&["up"]))
        };
        until_complete(&sandbox);
        let asked = Instant::now();
        kill(supervisor(&sandbox), Signal::KILL);
        leaves_nothing(&sandbox, asked, GRACE);
    }
}

#[test]
fn sigkill_of_a_keeper_fails_a_service_that_never_restarts() {
    let sandbox = family("restart = \"never\"");
    let mut up = sandbox.spawn(&["up"]);
    until_complete(&sandbox);
    let asked = Instant::now();
    for keeper in pids(&sandbox, "__keeper") {
        kill(keeper, Signal::KILL);
    }
    for service in GRANDCHILDREN {
        until_state(&sandbox, service, "failed");
    }
    let left = sandbox.processes();
    assert!(left.keys().eq([&up.pid()]), "left behind: {left:#?}");
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    left_nothing(&sandbox, asked, GRACE);
}

#[test]
fn sigkill_of_a_keeper_starts_its_service_anew() {
    let sandbox = family("");
    let mut up = sandbox.spawn(&["up"]);
    until_complete(&sandbox);
    for (name, tens) in GRANDCHILDREN.iter().zip(0..) {
        let keeper = keeper(&sandbox, name);
        let tree = portway_supervisor::process::descendants(keeper);
        assert_eq!(tree.len(), 2, "{name}");
        kill(keeper, Signal::KILL);
        wait_until("it runs again", || {
            let service = service(&sandbox, name);
            service["state"] == "ready" && service["restarts"] == 1
        });
        let now = sandbox.processes();
        assert!(tree.iter().all(|old| !now.contains_key(&old.pid)), "{name}");
        let port = &service(&sandbox, name)["ports"][0]["port"];
        assert_eq!(*port, sandbox.port(tens * 10));
    }
    let asked = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    left_nothing(&sandbox, asked, GRACE);
}

// === grace ===

#[test]
fn a_service_that_ignores_every_signal_is_gone_after_its_grace() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let sandbox = Sandbox::new().manifest(
            "[services.stubborn]
            command = \"%service serve {port} --ignore\"
            port = \"%0-%9\"
            stop = { grace = \"1s\" }",
        );
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let asked = Instant::now();
        up.signal(signal);
        assert_eq!(up.wait(), code);
        assert!(asked.elapsed() >= GRACE, "it had {:?}", asked.elapsed());
        left_nothing(&sandbox, asked, GRACE);
    }
}

#[test]
fn a_service_has_its_grace_when_the_terminal_closes() {
    let sandbox = tidy(
        "[services.only]
        command = \"sh tidy.sh only 0.5\"
        ready = { log = \"trapped\" }",
    );
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    let asked = Instant::now();
    terminal.close();
    terminal.wait();
    left_nothing(&sandbox, asked, Duration::ZERO);
    assert_eq!(sandbox.read("stopped"), "only\n");
}

#[test]
fn only_what_does_not_end_by_itself_uses_up_the_grace() {
    let sandbox = Sandbox::new().manifest(
        "[services.api]
        command = \"%service serve {port} --grandchild plain --grandchild setsid\"
        port = \"%0-%9\"
        stop = { grace = \"10m\" }",
    );
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    let asked = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    left_nothing(&sandbox, asked, Duration::ZERO);
}

#[test]
fn an_end_takes_no_longer_than_the_services_do() {
    let end = || {
        let sandbox = Sandbox::new().manifest(
            "[services.api]
            command = \"%service serve {port}\"
            port = \"%0-%9\"",
        );
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let asked = Instant::now();
        up.signal(Signal::INT);
        assert_eq!(up.wait(), 130);
        asked.elapsed()
    };
    // One of several ends: the machine may be busy with something else for a while.
    assert!((0..10).any(|_| end() < Duration::from_millis(500)));
}

#[test]
fn a_second_ctrl_c_kills_at_once() {
    let sandbox = stubborn();
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    terminal.press(CTRL_C);
    until_state(&sandbox, "stubborn", "stopping");
    let asked = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    left_nothing(&sandbox, asked, Duration::ZERO);
}

#[test]
fn whatever_asked_first_the_next_signal_kills() {
    type Ask = fn(&Sandbox, &RunningCommand) -> Option<RunningCommand>;
    let interrupt: Ask = |_, up| {
        up.signal(Signal::INT);
        None
    };
    let terminate: Ask = |_, up| {
        up.signal(Signal::TERM);
        None
    };
    let hang_up: Ask = |_, up| {
        up.signal(Signal::HUP);
        None
    };
    let down: Ask = |sandbox, _| Some(sandbox.spawn(&["down"]));
    let stop_one: Ask = |sandbox, up| {
        let down = sandbox.spawn(&["down", "stubborn"]);
        until_state(sandbox, "stubborn", "stopping");
        up.signal(Signal::INT);
        Some(down)
    };
    for (first, then, code) in [
        (interrupt, terminate, 130),
        (terminate, interrupt, 143),
        (hang_up, interrupt, 129),
        (down, interrupt, 0),
        (down, terminate, 0),
        (stop_one, interrupt, 130),
    ] {
        let sandbox = stubborn();
        let mut up = sandbox.spawn(&["up"]);
        sandbox.run(&["wait"]).success();
        let asking = first(&sandbox, &up);
        wait_until("it ends", || instance(&sandbox)["state"] == "stopping");
        let asked = Instant::now();
        then(&sandbox, &up);
        assert_eq!(up.wait(), code);
        if let Some(mut asking) = asking {
            asking.wait();
        }
        left_nothing(&sandbox, asked, Duration::ZERO);
    }
}

#[test]
fn down_now_kills_what_is_being_stopped() {
    let sandbox = stubborn();
    sandbox.run(&["up", "--detach"]).success();
    let mut down = sandbox.spawn(&["down"]);
    until_state(&sandbox, "stubborn", "stopping");
    let asked = Instant::now();
    sandbox.run(&["down", "--now"]).success();
    assert_eq!(down.wait(), 0);
    sandbox.wait_until_empty();
    left_nothing(&sandbox, asked, Duration::ZERO);
}

#[test]
fn any_number_of_signals_ends_everything() {
    let sandbox = stubborn();
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    let asked = Instant::now();
    up.signal(Signal::INT);
    wait_until("it has ended", || {
        // A signal that comes too late finds nobody, or a zombie.
        up.signal(Signal::INT);
        sandbox.processes().is_empty()
    });
    assert_eq!(up.wait(), 130);
    left_nothing(&sandbox, asked, Duration::ZERO);
}

#[test]
fn a_second_signal_also_kills_what_a_lost_keeper_left() {
    let sandbox = stubborn();
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    kill(keeper(&sandbox, "ignore"), Signal::KILL);
    wait_until("the keeper is missed", || {
        let events = sandbox.portway_log("stubborn");
        events.iter().any(|text| text.contains("keeper"))
    });
    up.signal(Signal::INT);
    until_state(&sandbox, "stubborn", "stopping");
    let asked = Instant::now();
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
    left_nothing(&sandbox, asked, Duration::ZERO);
}

#[test]
fn what_a_lost_keeper_left_is_ended_and_nothing_else() {
    let sandbox = Sandbox::new().manifest(
        "[services.lost]
        command = \"%service sleep --grandchild ignore\"
        stop = { grace = \"2s\" }
        [services.other]
        command = \"%service serve {port}\"
        port = \"%0-%9\"",
    );
    let mut up = sandbox.spawn(&["up"]);
    sandbox.run(&["wait"]).success();
    kill(keeper(&sandbox, "ignore"), Signal::KILL);
    // A new keeper appears while the orphans of the other are being ended.
    sandbox.run(&["restart", "other"]).success();
    let pid = service(&sandbox, "other")["pid"].clone();
    wait_until("the lost one runs again", || {
        let lost = service(&sandbox, "lost");
        lost["state"] == "ready" && lost["restarts"] == 1
    });
    let other = service(&sandbox, "other");
    assert_eq!(other["pid"], pid);
    assert_eq!(other["restarts"], 0);
    up.signal(Signal::INT);
    assert_eq!(up.wait(), 130);
}

// === what is not a service yet, or beside it ===

#[test]
fn a_prepare_step_that_runs_is_ended_with_everything_below_it() {
    let grandchildren = GRANDCHILDREN.map(|kind| format!("--grandchild {kind}"));
    let manifest = format!(
        "[services.api]
        command = \"%service serve {{port}}\"
        port = \"%0-%9\"
        prepare = \"%service sleep {}\"
        stop = {{ grace = \"1s\" }}",
        grandchildren.join(" ")
    );
    let prepares = |sandbox: &Sandbox| {
        wait_until("the prepare step is complete", || {
            pids(sandbox, "service sleep").len() == 2 + GRANDCHILDREN.len()
        });
    };

    let sandbox = Sandbox::new().manifest(&manifest);
    let mut terminal = Terminal::up(&sandbox);
    prepares(&sandbox);
    let asked = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    left_nothing(&sandbox, asked, GRACE);

    let sandbox = Sandbox::new().manifest(&manifest);
    let mut up = sandbox.spawn(&["up"]);
    prepares(&sandbox);
    let asked = Instant::now();
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 143);
    left_nothing(&sandbox, asked, GRACE);

    let sandbox = Sandbox::new().manifest(&manifest);
    let up = sandbox.spawn(&["up"]);
    prepares(&sandbox);
    let asked = Instant::now();
    up.signal(Signal::KILL);
    leaves_nothing(&sandbox, asked, GRACE);
}

#[test]
fn a_probe_that_runs_is_ended_with_everything_below_it() {
    for loses_its_keeper in [false, true] {
        let sandbox = Sandbox::new().manifest(
            "[services.api]
            command = \"%service serve {port}\"
            port = \"%0-%9\"
            ready = { exec = \"%service sleep --ignore --grandchild ignore\" }
            stop = { grace = \"1s\" }",
        );
        let mut up = sandbox.spawn(&["up"]);
        wait_until("the probe is complete", || {
            pids(&sandbox, "service sleep").len() == 3
        });
        if loses_its_keeper {
            let keeper = keeper(&sandbox, "ignore");
            kill(keeper, Signal::KILL);
            wait_until("the next probe runs", || {
                pids(&sandbox, "service sleep --ignore").len() == 2
                    && !sandbox.processes().contains_key(&keeper)
            });
        }
        let asked = Instant::now();
        up.signal(Signal::INT);
        assert_eq!(up.wait(), 130);
        left_nothing(&sandbox, asked, GRACE);
    }
}

// === order ===

#[test]
fn those_who_need_others_stop_first() {
    // The longer one is needed the quicker it ends: side by side, they would end the other way.
    let sandbox = tidy(
        "[services.base]
        command = \"sh tidy.sh base 0\"
        ready = { log = \"trapped\" }
        [services.middle]
        command = \"sh tidy.sh middle 0.3\"
        ready = { log = \"trapped\" }
        after = [\"base\"]
        [services.top]
        command = \"sh tidy.sh top 0.6\"
        ready = { log = \"trapped\" }
        after = [\"middle\"]",
    );
    let mut terminal = Terminal::up(&sandbox);
    sandbox.run(&["wait"]).success();
    let asked = Instant::now();
    terminal.press(CTRL_C);
    assert_eq!(terminal.wait(), 130);
    left_nothing(&sandbox, asked, Duration::ZERO);
    assert_eq!(sandbox.read("stopped"), "top\nmiddle\nbase\n");
}
