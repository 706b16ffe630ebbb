//! Two machines with a network between them, made of Linux namespaces.
//!
//! Each machine has its own network, host name, `/run` and processes. Its first process reads from
//! a pipe of the test, so it exits when the test does, and the kernel then kills the other processes
//! of the machine. Nothing has to be cleaned up.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sandbox::{CommandOutput, Sandbox, wait_until};

/// The network interface of each machine.
pub const INTERFACE: &str = "lan0";

/// The configuration of a D-Bus daemon that allows everything.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/bus</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A process that keeps namespaces alive.
struct Namespaces {
    unshare: Child,
    /// The pid of the first process inside, as the test sees it.
    first: u32,
}

impl Namespaces {
    /// Creates namespaces. `enter` is the command prefix that enters their parents.
    fn start(enter: &[String], kinds: &[&str]) -> Self {
        let command = enter.iter().map(String::as_str).chain(["unshare"]);
        let command: Vec<&str> = command.chain(kinds.iter().copied()).collect();
        let mut unshare = Command::new(command[0])
            .args(&command[1..])
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`unshare` and `nsenter` of util-linux");
        let mut line = String::new();
        let out = unshare.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(
            line, "ready\n",
            "these tests make network namespaces, for which the system must allow user namespaces \
             (sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces) or they must be \
             run as root"
        );
        // `nsenter` and `unshare` each have one child.
        let mut first = unshare.id();
        for _ in 0..=enter.len().min(1) {
            let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
            first = children.unwrap().trim().parse().unwrap();
        }
        Self { unshare, first }
    }

    /// The command prefix that runs a command inside.
    fn enter(&self) -> Vec<String> {
        let target = self.first.to_string();
        let command_line = ["nsenter", "--target", &target, "--user", "--net", "--mount"];
        let command_line = command_line.iter().chain(&["--uts", "--pid"]);
        command_line.map(|&word| word.to_owned()).collect()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // The first process exits at the end of its input, and the kernel kills the others.
        drop(self.unshare.stdin.take());
        let _ = self.unshare.wait();
    }
}

/// One machine of a network.
pub struct Machine {
    namespaces: Namespaces,
    pub address: String,
}

/// Two machines with a network between them.
pub struct Network {
    pub ada: Machine,
    pub bob: Machine,
    /// The parent namespaces. They are dropped after the machines.
    _parent: Namespaces,
}

impl Network {
    pub fn new() -> Self {
        let kinds = ["--user", "--map-root-user", "--net", "--mount", "--uts"];
        let parent = Namespaces::start(&[], &kinds);
        let machine = |name: &str, address: &str| {
            let kinds = ["--net", "--mount", "--uts"];
            let machine = Machine {
                namespaces: Namespaces::start(&parent.enter(), &kinds),
                address: address.to_owned(),
            };
            machine.shell(&format!(
                "hostname {name} && mount -t tmpfs tmpfs /run && ip link set lo up"
            ));
            machine
        };
        let (ada, bob) = (
            machine("ada", "192.168.77.1"),
            machine("bob", "192.168.77.2"),
        );
        // Created from the parent, which can name both ends, directly inside the machines.
        let mut cable = ada.enter_network_alone(&parent);
        let peer = bob.namespaces.first.to_string();
        cable.args(["ip", "link", "add", INTERFACE, "type", "veth"]);
        cable.args(["peer", "name", INTERFACE, "netns", &peer]);
        run(cable);
        let network = Self {
            ada,
            bob,
            _parent: parent,
        };
        for machine in [&network.ada, &network.bob] {
            machine.set_address(&machine.address);
        }
        network
    }
}

impl Machine {
    /// A command of the sandbox on this machine, not started yet.
    pub fn command(&self, sandbox: &Sandbox, program: impl AsRef<OsStr>) -> Command {
        let enter = self.namespaces.enter();
        let mut command = sandbox.command(&enter[0]);
        command.args(&enter[1..]);
        // Entering a mount namespace changes the directory to `/`.
        command.arg("env").arg("-C").arg(sandbox.project());
        command.arg("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus");
        command.arg(program);
        command
    }

    /// Runs a command of the sandbox on this machine and waits until it exits.
    pub fn run(&self, sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
        let mut command = self.command(sandbox, arguments[0]);
        command.args(&arguments[1..]);
        sandbox.run_command(command)
    }

    /// Runs Portway on this machine and waits until it exits.
    pub fn portway(&self, sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
        let mut command_line = vec![env!("CARGO_BIN_EXE_portway")];
        command_line.extend(arguments);
        self.run(sandbox, &command_line)
    }

    /// Replaces the addresses of the machine.
    pub fn set_address(&self, address: &str) {
        self.shell(&format!(
            "ip address flush dev {INTERFACE} && ip address add {address}/24 dev {INTERFACE} && \
             ip link set {INTERFACE} up"
        ));
    }

    /// Starts Avahi with its own D-Bus daemon.
    pub fn start_avahi(&self, sandbox: &Sandbox) {
        let config = sandbox.path("bus.xml");
        fs::write(&config, BUS).unwrap();
        let avahi = sandbox.path("avahi.conf");
        fs::write(&avahi, "[server]\nuse-ipv6=no\n").unwrap();
        // The namespace has only root, and Avahi needs the user `avahi`: give root that name, too.
        self.shell(
            "for file in passwd group; do \
               printf 'root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n' > /run/$file && \
               mount --bind /run/$file /etc/$file; \
             done",
        );
        let start = |command_line: &[&OsStr]| {
            let mut command = self.command(sandbox, command_line[0]);
            command.args(&command_line[1..]);
            // The network stops these processes, so they are not processes of the sandbox.
            command.env_remove("XDG_STATE_HOME");
            sandbox.run_command(command).success();
        };
        let flag = |name: &str, path: &Path| format!("{name}={}", path.display());
        let command_line = [
            "dbus-daemon",
            &flag("--config-file", &config),
            "--fork",
            "--nopidfile",
        ];
        start(&command_line.map(OsStr::new));
        let command_line = [
            "avahi-daemon",
            &flag("--file", &avahi),
            "--daemonize",
            "--no-drop-root",
            "--no-chroot",
            "--no-rlimits",
            "--no-proc-title",
        ];
        start(&command_line.map(OsStr::new));
    }

    /// The services of `_http._tcp` that Avahi on this machine sees.
    pub fn browse(&self, sandbox: &Sandbox) -> Vec<Seen> {
        let command_line = ["avahi-browse", "--parsable", "--resolve", "--terminate"];
        let browsed = self.run(sandbox, &[&command_line[..], &["_http._tcp"]].concat());
        let out = browsed.success().stdout();
        out.lines().filter_map(Seen::read).collect()
    }

    /// Waits until Avahi on this machine sees `count` services.
    #[track_caller]
    pub fn until_count(&self, sandbox: &Sandbox, count: usize) -> Vec<Seen> {
        let mut seen = Vec::new();
        wait_until(&format!("{count} services are seen"), || {
            seen = self.browse(sandbox);
            seen.len() == count
        });
        seen
    }

    /// Waits until Avahi on this machine sees exactly these names.
    #[track_caller]
    pub fn until_seen(&self, sandbox: &Sandbox, names: &[&str]) -> Vec<Seen> {
        let mut seen = Vec::new();
        wait_until(&format!("{names:?} is seen"), || {
            seen = self.browse(sandbox);
            seen.sort_by(|a, b| a.name.cmp(&b.name));
            let mut seen = seen.iter().map(|one| one.name.as_str());
            names.iter().all(|name| seen.next() == Some(name)) && seen.next().is_none()
        });
        seen
    }

    fn shell(&self, line: &str) {
        let enter = self.namespaces.enter();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).args(["sh", "-c", line]);
        run(command);
    }

    /// A command that enters only the network of this machine.
    fn enter_network_alone(&self, parent: &Namespaces) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--user=/proc/{}/ns/user", parent.first));
        command.arg(format!("--net=/proc/{}/ns/net", self.namespaces.first));
        command
    }
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

/// One service that Avahi has found and resolved.
#[derive(Debug)]
pub struct Seen {
    pub name: String,
    pub host: String,
    pub address: String,
    pub port: u16,
    pub txt: String,
}

impl Seen {
    /// A line of `avahi-browse --parsable`: `=;lan0;IPv4;NAME;TYPE;local;HOST;ADDRESS;PORT;TXT`.
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.splitn(10, ';').collect();
        let ["=", _, _, name, _, _, host, address, port, txt] = fields[..] else {
            return None;
        };
        Some(Self {
            name: unescape(name),
            host: host.to_owned(),
            address: address.to_owned(),
            port: port.parse().ok()?,
            txt: txt.to_owned(),
        })
    }
}

/// Replaces the escapes `\032` (a byte in decimal) and `\.`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'9', b, c, tail @ ..]) => {
                let digit = |digit: &u8| u16::from(digit - b'0');
                let code = digit(a) * 100 + digit(b) * 10 + digit(c);
                bytes.push(u8::try_from(code).unwrap());
                rest = tail;
            }
            (b'\\', [next, tail @ ..]) => {
                bytes.push(*next);
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).unwrap()
}
