//! What the tests share.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portway_isolation::{Network, NetworkConfig, capability};

/// How long a condition may take on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Set in the process that runs a test a second time, as an ordinary user.
const ORDINARY: &str = "PORTWAY_TEST_ORDINARY_USER";

/// Set in a process that runs one test only.
const ALONE: &str = "PORTWAY_TEST_ALONE";

/// The user of that process, and a group of it that the user's namespace does not map.
pub(crate) const USER: u32 = 65_534;
pub(crate) const GROUP: u32 = 4242;

/// Gives the ordinary user the device that every user may open on most machines.
const AS_ORDINARY_USER: &str = "mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200 \
    && exec setpriv --reuid=65534 --regid=65534 --groups=4242 --inh-caps=-all \"$@\"";

/// Returns the program that runs helpers.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap();
    let program = program.join("examples/isolate");
    assert!(program.exists(), "`{}` is missing", program.display());
    program
}

/// Runs a test in this process and, as root, a second time in a process of an ordinary user.
pub(crate) fn for_each_user(test: impl FnOnce()) {
    test();
    if rustix::process::geteuid().is_root() {
        let name = thread::current().name().unwrap().to_owned();
        let status = as_ordinary_user(&std::env::current_exe().unwrap())
            .args(["--exact", &name, "--nocapture"])
            .env(ORDINARY, "1")
            .status()
            .unwrap();
        assert!(status.success(), "fails as an ordinary user");
    }
}

/// Returns a command that runs a program as an ordinary user, if this process runs as root.
pub(crate) fn as_ordinary_user(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            AS_ORDINARY_USER,
            "sh",
        ])
        .arg(program);
    command
}

/// Creates a network without a way out.
pub(crate) fn network() -> Network {
    create(NetworkConfig::new(program(), None))
}

pub(crate) fn create(config: NetworkConfig) -> Network {
    Network::create(config).unwrap_or_else(|error| {
        let obstacles = capability().obstacles;
        panic!("{error}: {obstacles:?}\nhelp: run `cargo xtask setup`")
    })
}

/// Waits for a condition.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "timeout: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns a listening socket outside, on a port that the system chooses, and its address.
pub(crate) fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Connects with a limit for reads.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

/// Serves every connection with a function, each in a thread, until the test ends.
pub(crate) fn serve(listener: TcpListener, handle: impl Fn(TcpStream) + Clone + Send + 'static) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(stream), handle) = (stream, handle.clone()) else {
                // A test may leave this process without descriptors for a while.
                thread::sleep(Duration::from_millis(1));
                continue;
            };
            thread::spawn(move || handle(stream));
        }
    });
}

/// Sends back what it receives, and then the end.
pub(crate) fn echo(mut stream: TcpStream) {
    let _ = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

/// Sends `request` and returns the response up to the end of the connection.
pub(crate) fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).unwrap();
    response
}

/// A child that is killed at the end of the test.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts a command whose standard output is read by the test.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Starts a Python program inside.
    pub(crate) fn python(network: &Network, program: &str) -> Self {
        let mut command = Command::new("/usr/bin/env");
        command.args(["python3", "-c", program]);
        network.namespace().enter(&mut command).unwrap();
        Self::start(&mut command)
    }

    /// Reads a line of the output.
    pub(crate) fn line(&mut self) -> String {
        let out = self.0.stdout.as_mut().unwrap();
        let mut line = Vec::new();
        let mut byte = [0];
        while out.read(&mut byte).unwrap() == 1 && byte != *b"\n" {
            line.push(byte[0]);
        }
        String::from_utf8(line).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a test in a process of its own, and as root in a second one of an ordinary user.
pub(crate) fn alone(test: impl FnOnce()) {
    if std::env::var_os(ORDINARY).is_some() || std::env::var_os(ALONE).is_some() {
        return test();
    }
    let name = thread::current().name().unwrap().to_owned();
    let own = std::env::current_exe().unwrap();
    let mut commands = vec![Command::new(&own)];
    if rustix::process::geteuid().is_root() {
        commands.push(as_ordinary_user(&own));
    }
    for mut command in commands {
        command
            .args(["--exact", &name, "--nocapture"])
            .env(ALONE, "1");
        assert!(command.status().unwrap().success());
    }
}
