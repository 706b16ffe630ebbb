//! Users of one machine, each with a registry of its own: runners of a CI server, for example.
//!
//! `cargo xtask users` runs the test with more users and more runs. It needs root.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "`cargo xtask users` shows the result"
)]

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Barrier, Mutex};
use std::time::Instant;

use rustix::process::geteuid;
use serde_json::Value;

use crate::sandbox::{Sandbox, http_get, wait_until};

#[derive(Clone, Copy, Debug)]
enum Checkout {
    Main,
    Worktree,
}

impl Checkout {
    /// The first id of the users. No account is needed. The tests run at the same time.
    fn first_uid(self) -> u32 {
        match self {
            Self::Main => 61_000,
            Self::Worktree => 61_100,
        }
    }
}

const SERVICES: [&str; 2] = ["backend", "frontend"];

const MANIFEST: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port}\"
    port = \"%0-%39\"
    stop = { grace = \"1s\" }
    [services.frontend]
    command = \"%service serve {port}\"
    port = \"%40-%79\"
    stop = { grace = \"1s\" }
";

struct User {
    uid: u32,
    /// Home directory, with the checkout in it.
    home: PathBuf,
}

impl User {
    fn new(sandbox: &Sandbox, uid: u32, checkout: Checkout) -> Self {
        let user = Self {
            uid,
            home: sandbox.path(&format!("user{uid}")),
        };
        fs::create_dir(&user.home).unwrap();
        chown(&user.home, Some(uid), Some(uid)).unwrap();
        user.succeeds(user.command("git", ["init", "--quiet", "main"]));
        if matches!(checkout, Checkout::Worktree) {
            let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"];
            let commit = [
                "-C",
                "main",
                "commit",
                "--quiet",
                "--allow-empty",
                "--message",
                "a",
            ];
            user.succeeds(user.command("git", identity.into_iter().chain(commit)));
            let worktree = ["-C", "main", "worktree", "add", "--quiet", "../jobi"];
            user.succeeds(user.command("git", worktree));
        } else {
            fs::rename(user.home.join("main"), user.home.join("jobi")).unwrap();
        }
        let manifest = user.home.join("jobi/portway.toml");
        fs::write(&manifest, sandbox.expand(MANIFEST)).unwrap();
        user
    }

    /// A program, run as this user.
    fn command<'a>(&self, program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new("setpriv");
        let ids = [
            format!("--reuid={}", self.uid),
            format!("--regid={}", self.uid),
        ];
        command
            .args(ids)
            .args(["--clear-groups", "--bounding-set=-all", program])
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &self.home)
            .current_dir(&self.home)
            .stdin(Stdio::null());
        command
    }

    /// Portway in the checkout.
    fn portway(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_portway"), arguments.iter().copied());
        command.current_dir(self.home.join("jobi"));
        command
    }

    fn succeeds(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
        stdout
    }

    fn run(&self, arguments: &[&str]) -> String {
        self.succeeds(self.portway(arguments))
    }

    /// Starts the services and returns their ports.
    fn up(&self) -> [u16; 2] {
        let status: Value = serde_json::from_str(&self.run(&["up", "--detach", "--json"])).unwrap();
        SERVICES.map(|name| {
            let services = status["services"].as_array().unwrap();
            let service = services.iter().find(|one| one["name"] == name).unwrap();
            assert_eq!(service["state"], "ready", "{status}");
            u16::try_from(service["ports"][0]["port"].as_u64().unwrap()).unwrap()
        })
    }

    /// Whether a process of this user is running.
    fn has_processes(&self) -> bool {
        let line = format!("Uid:\t{}\t", self.uid);
        let list = fs::read_dir("/proc").unwrap().flatten();
        list.filter_map(|entry| fs::read_to_string(entry.path().join("status")).ok())
            .any(|status| status.contains(&line) && !status.contains("State:\tZ"))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.portway(&["down", "--now"]).output();
    }
}

/// Whether a user may run the binary, and enter the directories above it.
fn is_reachable(uid: u32) -> bool {
    let mut command = Command::new("setpriv");
    command
        .args([format!("--reuid={uid}"), format!("--regid={uid}")])
        .args([
            "--clear-groups",
            "test",
            "-x",
            env!("CARGO_BIN_EXE_portway"),
        ]);
    command.status().unwrap().success()
}

/// A number of the task that runs this test, or the default.
fn number(variable: &str, default: u32) -> u32 {
    let value = std::env::var(variable).ok();
    value.map_or(default, |text| text.parse().unwrap())
}

#[test]
fn main_checkouts_of_several_users_keep_their_ports() {
    // They prefer the same ports. The users who did not get them keep the ones that they got.
    assert_sticky(Checkout::Main);
}

#[test]
fn worktrees_of_several_users_keep_their_ports() {
    assert_sticky(Checkout::Worktree);
}

fn assert_sticky(checkout: Checkout) {
    for ports in run_all(checkout) {
        assert!(ports.iter().all(|one| *one == ports[0]), "{ports:?}");
    }
}

/// Runs the services of all users at the same time, and returns their ports in each run.
fn run_all(checkout: Checkout) -> Vec<Vec<[u16; 2]>> {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can run Portway as several users");
        return Vec::new();
    }
    if !is_reachable(checkout.first_uid()) {
        eprintln!(
            "skipped: other users cannot reach {}",
            env!("CARGO_BIN_EXE_portway")
        );
        return Vec::new();
    }
    let (users, runs) = (
        number("PORTWAY_TEST_USERS", 4),
        number("PORTWAY_TEST_RUNS", 4),
    );
    let sandbox = Sandbox::with_blocks(2);
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let first = checkout.first_uid();
    let users = (first..first + users).map(|uid| User::new(&sandbox, uid, checkout));
    let users: Vec<User> = users.collect();
    let start = Barrier::new(users.len());
    let running = Mutex::new(HashMap::new());
    let started = Instant::now();
    let all: Vec<Vec<[u16; 2]>> = std::thread::scope(|scope| {
        let run = |user| {
            let (start, running) = (&start, &running);
            scope.spawn(move || run_repeatedly(user, runs, start, running))
        };
        let threads: Vec<_> = users.iter().map(run).collect();
        let ports = threads.into_iter().map(|thread| thread.join().unwrap());
        ports.collect()
    });
    let moved = all
        .iter()
        .filter(|ports| ports.iter().any(|one| *one != ports[0]));
    println!(
        "{checkout:?}: {} users, {} starts in {:.0} s, 0 clashes, {} users with other ports later",
        users.len(),
        users.len() * runs as usize,
        started.elapsed().as_secs_f64(),
        moved.count()
    );
    all
}

/// Starts and stops the services of a user. Returns their ports in each run.
fn run_repeatedly(
    user: &User,
    runs: u32,
    start: &Barrier,
    running: &Mutex<HashMap<u16, u32>>,
) -> Vec<[u16; 2]> {
    let mut all = Vec::new();
    for run in 0..runs {
        if run == 0 {
            start.wait();
        }
        let ports = user.up();
        for port in ports {
            let other = running.lock().unwrap().insert(port, user.uid);
            assert_eq!(other, None, "port {port} of {}", user.uid);
            let home = http_get(port, "/env/HOME");
            assert_eq!(home.as_deref(), user.home.to_str(), "port {port}");
        }
        if run == 0 {
            // Each user has chosen before the first one stops.
            start.wait();
        }
        for port in ports {
            running.lock().unwrap().remove(&port);
        }
        user.run(&["down"]);
        all.push(ports);
    }
    wait_until("the processes of a user are gone", || !user.has_processes());
    all
}
