//! Where the service runs.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portway_isolation::{Forward, Network};

use super::{PORT, cost};
use crate::Result;
use crate::env::{BenchEnv, run};

/// How long a service may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The name of the image and of the container.
const IMAGE: &str = "portway-bench-isolation";

/// What serves requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// This program, which takes a few microseconds for a request.
    Small,
    /// A Node server, which takes as long as those of applications at least.
    Node,
}

/// A Node server, whose port is its argument.
const NODE: &str = "require('http').createServer((_, r) => r.end('hello\\n')).listen(+process.argv[1], '127.0.0.1')";

impl Service {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Small => "Rust, a thread per connection",
            Self::Node => "Node",
        }
    }

    fn command(self, env: &BenchEnv, port: u16) -> Command {
        let port = port.to_string();
        match self {
            Self::Small => {
                let mut command = env.child_command(&env.helper, "isolation-home");
                command.args(["helper:http", "127.0.0.1", &port]);
                command
            }
            Self::Node => {
                let mut command = env.child_command("node", "isolation-home");
                command.args(["-e", NODE, &port]);
                command
            }
        }
    }
}

/// A running service. Dropping it stops the service.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) service: Service,
    /// The port on the machine.
    pub(super) port: u16,
    running: Running,
}

#[derive(Debug)]
enum Running {
    Plain(Child),
    Isolated(
        Child,
        #[allow(dead_code, reason = "kept open")] (Forward, Network),
    ),
    Container,
}

impl Place {
    /// On a port of the machine.
    pub(super) fn plain(env: &BenchEnv, service: Service, port: u16) -> Result<Self> {
        let child = service.command(env, port).spawn();
        let child = child.map_err(|error| error.to_string())?;
        Self::new("plain", service, port, Running::Plain(child))
    }

    /// In a network namespace behind the relay.
    pub(super) fn isolated(env: &BenchEnv, service: Service, port: u16) -> Result<Self> {
        let fail = |error: std::io::Error| error.to_string();
        let network = cost::network(env, None)?;
        let mut command = service.command(env, PORT);
        network.namespace().enter(&mut command).map_err(fail)?;
        let child = command.spawn().map_err(fail)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(fail)?;
        let forward = network.forward_tcp(listener, PORT).map_err(fail)?;
        // The relay accepts before the service listens.
        wait(|| network.connect((Ipv4Addr::LOCALHOST, PORT).into()).is_ok())?;
        Self::new(
            "isolated",
            service,
            port,
            Running::Isolated(child, (forward, network)),
        )
    }

    /// In a container whose image consists of this program and its libraries.
    pub(super) fn container(env: &BenchEnv, port: u16) -> Result<Self> {
        run(Command::new("docker")
            .arg("info")
            .stdout(Stdio::null())
            .stderr(Stdio::null()))
        .map_err(|_| "no container engine is running".to_owned())?;
        image(env)?;
        run(Command::new("docker")
            .args(["run", "--rm", "--detach", "--name", IMAGE, "--publish"])
            .arg(format!("127.0.0.1:{port}:{PORT}"))
            .args([IMAGE, "/helper", "helper:http", "0.0.0.0"])
            .arg(PORT.to_string())
            .stdout(Stdio::null()))?;
        Self::new("docker run -p", Service::Small, port, Running::Container)
    }

    /// Whether the relay passes the requests on.
    pub(super) fn is_isolated(&self) -> bool {
        matches!(self.running, Running::Isolated(..))
    }

    fn new(name: &'static str, service: Service, port: u16, running: Running) -> Result<Self> {
        let place = Self {
            name,
            service,
            port,
            running,
        };
        wait(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())?;
        Ok(place)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        match self {
            Self::Plain(child) | Self::Isolated(child, _) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Container => {
                let _ = Command::new("docker")
                    .args(["rm", "--force", IMAGE])
                    .output();
            }
        }
    }
}

fn wait(mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while !condition() {
        if Instant::now() > deadline {
            return Err("the service does not listen".to_owned());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Makes the image.
fn image(env: &BenchEnv) -> Result<()> {
    let root = env.empty_dir("isolation-image")?;
    let libraries = Command::new("ldd").arg(&env.helper).output();
    let libraries = libraries.map_err(|error| format!("ldd: {error}"))?.stdout;
    let libraries = String::from_utf8_lossy(&libraries).into_owned();
    let paths = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    let copies = paths.map(|path| (Path::new(path), path.trim_start_matches('/')));
    let helper = (env.helper.as_path(), "helper");
    for (from, to) in copies.chain([helper]) {
        let to = root.join(to);
        let copied = to
            .parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::copy(from, &to));
        copied.map_err(|error| format!("{}: {error}", to.display()))?;
    }
    let archive = env.path("isolation-image.tar");
    run(Command::new("tar")
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(&root)
        .arg("."))?;
    run(Command::new("docker")
        .arg("import")
        .arg(&archive)
        .arg(IMAGE)
        .stdout(Stdio::null()))
}
