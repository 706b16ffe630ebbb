//! Machines on a network of their own, made of namespaces: nothing of it is seen outside, and
//! nothing of it outlives the test.
//!
//! Each machine has its own network, host name, `/run` and processes. Its first process reads from
//! this one and ends with it, however that ends, and the kernel ends all others of the machine with
//! it; so there is nothing that would have to be cleared away.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sandbox::{CommandOutput, Sandbox, wait_until};

/// The interface of each machine to the network.
pub const INTERFACE: &str = "lan0";

/// Lets everybody do everything, as the bus of one test may.
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

/// A process that namespaces live with.
struct Namespaces {
    unshare: Child,
    /// The first process inside, as this one sees it.
    first: u32,
}

impl Namespaces {
    /// `enter` is how the namespaces are come to in which these lie.
    fn start(enter: &[String], kinds: &[&str]) -> Self {
        let words = enter.iter().map(String::as_str).chain(["unshare"]);
        let words: Vec<&str> = words.chain(kinds.iter().copied()).collect();
        let mut unshare = Command::new(words[0])
            .args(&words[1..])
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

    /// What has to stand before a command to run it inside.
    fn enter(&self) -> Vec<String> {
        let target = self.first.to_string();
        let words = ["nsenter", "--target", &target, "--user", "--net", "--mount"];
        let words = words.iter().chain(&["--uts", "--pid"]);
        words.map(|&word| word.to_owned()).collect()
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        // Its first process sees the end of its input, and the kernel ends the rest with it.
        drop(self.unshare.stdin.take());
        let _ = self.unshare.wait();
    }
}

/// One machine of a network.
pub struct Machine {
    namespaces: Namespaces,
    pub address: String,
}

/// Two machines with a cable between them.
pub struct Network {
    pub ada: Machine,
    pub bob: Machine,
    /// What the machines belong to; it goes after them.
    _around: Namespaces,
}

impl Network {
    pub fn new() -> Self {
        let kinds = ["--user", "--map-root-user", "--net", "--mount", "--uts"];
        let around = Namespaces::start(&[], &kinds);
        let machine = |name: &str, address: &str| {
            let kinds = ["--net", "--mount", "--uts"];
            let machine = Machine {
                namespaces: Namespaces::start(&around.enter(), &kinds),
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
        // From outside, where both ends can be named; the interfaces lie inside from the start.
        let mut cable = ada.enter_network_alone(&around);
        let peer = bob.namespaces.first.to_string();
        cable.args(["ip", "link", "add", INTERFACE, "type", "veth"]);
        cable.args(["peer", "name", INTERFACE, "netns", &peer]);
        run(cable);
        let network = Self {
            ada,
            bob,
            _around: around,
        };
        for machine in [&network.ada, &network.bob] {
            machine.set_address(&machine.address);
        }
        network
    }
}

impl Machine {
    /// A command of the sandbox, run on this machine.
    pub fn command(&self, sandbox: &Sandbox, program: impl AsRef<OsStr>) -> Command {
        let enter = self.namespaces.enter();
        let mut command = sandbox.command(&enter[0]);
        command.args(&enter[1..]);
        // Entering a mount namespace leaves the directory behind.
        command.arg("env").arg("-C").arg(sandbox.project());
        command.arg("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/bus");
        command.arg(program);
        command
    }

    /// Runs a command of the sandbox on this machine, to its end.
    pub fn run(&self, sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
        let mut command = self.command(sandbox, words[0]);
        command.args(&words[1..]);
        sandbox.run_command(command)
    }

    /// Runs Portway on this machine, to its end.
    pub fn portway(&self, sandbox: &Sandbox, arguments: &[&str]) -> CommandOutput {
        let mut words = vec![env!("CARGO_BIN_EXE_portway")];
        words.extend(arguments);
        self.run(sandbox, &words)
    }

    /// Gives the machine an address in place of those that it has.
    pub fn set_address(&self, address: &str) {
        self.shell(&format!(
            "ip address flush dev {INTERFACE} && ip address add {address}/24 dev {INTERFACE} && \
             ip link set {INTERFACE} up"
        ));
    }

    /// Starts Avahi, with a bus of its own.
    pub fn start_avahi(&self, sandbox: &Sandbox) {
        let config = sandbox.path("bus.xml");
        fs::write(&config, BUS).unwrap();
        let avahi = sandbox.path("avahi.conf");
        fs::write(&avahi, "[server]\nuse-ipv6=no\n").unwrap();
        // Only root is there: Avahi wants a directory of its own user, which root then is.
        self.shell(
            "for file in passwd group; do \
               printf 'root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/sh\n' > /run/$file && \
               mount --bind /run/$file /etc/$file; \
             done",
        );
        let start = |words: &[&OsStr]| {
            let mut command = self.command(sandbox, words[0]);
            command.args(&words[1..]);
            // It is the network's, and no process that the sandbox would have to see the end of.
            command.env_remove("XDG_STATE_HOME");
            sandbox.run_command(command).success();
        };
        let flag = |name: &str, path: &Path| format!("{name}={}", path.display());
        let words = [
            "dbus-daemon",
            &flag("--config-file", &config),
            "--fork",
            "--nopidfile",
        ];
        start(&words.map(OsStr::new));
        let words = [
            "avahi-daemon",
            &flag("--file", &avahi),
            "--daemonize",
            "--no-drop-root",
            "--no-chroot",
            "--no-rlimits",
            "--no-proc-title",
        ];
        start(&words.map(OsStr::new));
    }

    /// What Avahi on this machine sees of `_http._tcp`.
    pub fn browse(&self, sandbox: &Sandbox) -> Vec<Seen> {
        let words = ["avahi-browse", "--parsable", "--resolve", "--terminate"];
        let browsed = self.run(sandbox, &[&words[..], &["_http._tcp"]].concat());
        let out = browsed.success().stdout();
        out.lines().filter_map(Seen::read).collect()
    }

    /// Waits until Avahi on this machine sees so many services.
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

    /// Into this machine's network and nothing else of it.
    fn enter_network_alone(&self, around: &Namespaces) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--user=/proc/{}/ns/user", around.first));
        command.arg(format!("--net=/proc/{}/ns/net", self.namespaces.first));
        command
    }
}

fn run(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
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

/// Takes back `\032` (a byte, in decimal) and `\.`.
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
