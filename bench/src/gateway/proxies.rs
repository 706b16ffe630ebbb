//! The proxies that stand before one service, each told as little as it needs.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::load::HOST;
use super::sockets;
use super::tools::{HOME, Tools};
use crate::Result;
use crate::peers::Peers;
use crate::ports::ranges::Ranges;
use crate::up::processes;
use crate::world::{World, run};

/// The longest that a proxy may take until it answers, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// Version of pitchfork, from the Rust registry.
const PITCHFORK: &str = "2.33.0";

/// How long the answer of the service is.
const BODY: usize = 1024;

/// A running program, and where it serves.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) name: &'static str,
    /// Where it speaks HTTP/1.1.
    pub(super) port: u16,
    /// Where it speaks HTTP/2 without TLS.
    pub(super) h2_port: Option<u16>,
    /// The port of the service behind it; its own where it is that service.
    service: u16,
    child: Child,
}

/// Starts the service, and all proxies before it; and tells what is missing, with the reason. The
/// service itself is the first, for those that ask it without a proxy.
pub(super) fn all(
    world: &World,
    peers: &Peers,
    tools: &Tools,
    ranges: &Ranges,
) -> Result<(Vec<Proxy>, Vec<String>)> {
    let (port, _) = ranges.first();
    let direct = Proxy::start("direct", port, Some(port + 1), port, |_, _| {
        service(world, tools, port)
    })?;
    let mut all = vec![direct];
    let mut missing = Vec::new();
    let mut add = |name: &str, one: Result<Proxy>| match one {
        Ok(one) => all.push(one),
        Err(why) => missing.push(format!("Not measured: {name} ({why}).\n\n")),
    };
    let gateway = port + 2;
    add(
        "portway",
        Proxy::start("portway", gateway, Some(gateway), port, |_, port| {
            let mut command = world.bound(&world.portway, HOME);
            command.args(["gateway", "--port", &port.to_string()]);
            Ok(command)
        }),
    );
    for (name, first, kept) in [
        ("nginx, connections kept", port + 3, true),
        ("nginx", port + 5, false),
    ] {
        let start = |service, port| nginx(world, tools, service, port, kept);
        add(
            name,
            Proxy::start(name, first, Some(first + 1), port, start),
        );
    }
    let caddy_port = port + 7;
    add(
        "caddy",
        Proxy::start(
            "caddy",
            caddy_port,
            Some(caddy_port),
            port,
            |service, port| caddy(world, tools, service, port),
        ),
    );
    let (own, front) = (port + 8, port + 10);
    add(
        "pitchfork",
        Proxy::start("pitchfork", front, Some(front), own, |service, port| {
            pitchfork(world, peers, tools, service, port)
        }),
    );
    add(
        "portless",
        Proxy::start("portless", port + 11, None, port, |service, port| {
            portless(world, peers, service, port)
        }),
    );
    Ok((all, missing))
}

impl Proxy {
    /// Starts the program that `prepare` makes of both ports, and waits until it answers as the
    /// service does.
    fn start(
        name: &'static str,
        port: u16,
        h2_port: Option<u16>,
        service: u16,
        prepare: impl Fn(u16, u16) -> Result<Command>,
    ) -> Result<Self> {
        let mut command = prepare(service, port)?;
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut proxy = Self {
            name,
            port,
            h2_port,
            service,
            child,
        };
        let until = Instant::now() + PATIENCE;
        while !is_answered(port) {
            if let Ok(Some(status)) = proxy.child.try_wait() {
                return Err(format!("it has ended: {status}"));
            }
            if Instant::now() > until {
                return Err("it does not answer as the service does".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }

    /// Whether it stands before a service, and is not that itself.
    pub(super) fn is_before(&self) -> bool {
        self.port != self.service
    }

    /// Its own processes: the first, and those that nginx has for the work. What it starts besides,
    /// as pitchfork does its daemons, is not its proxy.
    fn pids(&self) -> Vec<u32> {
        let root = self.child.id();
        let all = processes::tree(root);
        let name = all.first().map(|one| one.name.clone());
        all.iter()
            .filter(|one| {
                one.pid == root
                    || Some(&one.name) == name.as_ref() && name.as_deref() == Some("nginx")
            })
            .map(|one| one.pid)
            .collect()
    }

    /// Its resident memory, in megabytes.
    pub(super) fn memory(&self) -> f64 {
        let pids = self.pids();
        pids.into_iter().filter_map(processes::resident).sum()
    }

    /// How many connections it has to the service.
    pub(super) fn connections(&self) -> usize {
        sockets::to(self.service, &self.pids())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let all = processes::tree(self.child.id());
        // Asked, and not killed: each ends what it has started.
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        for one in processes::all() {
            // A number alone may be another's by now.
            if all
                .iter()
                .any(|old| (old.pid, &old.words) == (one.pid, &one.words))
            {
                let pid = i32::try_from(one.pid).map(Pid::from_raw);
                let _ = pid.map(|pid| kill(pid, Signal::SIGKILL));
            }
        }
    }
}

/// Whether a request to `port` is answered by the service.
fn is_answered(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    ask().is_ok_and(|text| text.starts_with("HTTP/1.1 200") && text.ends_with(&body()))
}

fn body() -> String {
    "x".repeat(BODY)
}

fn write(dir: PathBuf, name: &str, text: &str) -> Result<PathBuf> {
    let file = dir.join(name);
    fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(file)
}

/// The service: nginx with one process, as an instance of Portway. On the port above it speaks
/// HTTP/2.
fn service(world: &World, tools: &Tools, port: u16) -> Result<Command> {
    let words = nginx_service(world, tools, "gateway-service", port)?;
    let manifest = format!(
        "[project]\nname = \"bench\"\n\n[services.api]\ncommand = \"{words}\"\nport = \"{port}-{port}\"\n"
    );
    let dir = world.checkout("gateway-checkout", &manifest)?;
    let mut command = tools.command(world, &world.portway);
    command.arg("-C").arg(dir).arg("up");
    Ok(command)
}

/// The command line of the service on `port`.
fn nginx_service(world: &World, tools: &Tools, name: &str, port: u16) -> Result<String> {
    let http = format!(
        "server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{} http2; location / {{ default_type text/plain; \
         return 200 \"{}\"; }} }}",
        port + 1,
        body()
    );
    let file = nginx_file(world, name, "1", &http)?;
    Ok(format!("{} -c {}", tools.nginx.display(), file.display()))
}

/// A configuration that keeps nginx within its directory. It is told to let connections live as
/// long as they are used.
fn nginx_file(world: &World, name: &str, workers: &str, http: &str) -> Result<PathBuf> {
    let dir = world.fresh(name)?;
    let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", dir.display()))
        .collect();
    let text = format!(
        "worker_processes {workers};\ndaemon off;\nerror_log /dev/null;\npid {}/pid;\n\
         events {{ worker_connections 16384; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 1000000000;\n{places}{http}\n}}\n",
        dir.display()
    );
    write(dir, "nginx.conf", &text)
}

/// As many processes as there are processors, which is what Debian's own configuration says; it
/// tells the service the same as Portway does.
fn nginx(world: &World, tools: &Tools, service: u16, port: u16, kept: bool) -> Result<Command> {
    let keep = match kept {
        true => "keepalive 256; keepalive_requests 1000000000;",
        false => "",
    };
    // Without this nginx asks by HTTP/1.0, and each time on a connection of its own.
    let version = match kept {
        true => "proxy_http_version 1.1; proxy_set_header Connection \"\";",
        false => "",
    };
    let http = format!(
        "upstream service {{ server 127.0.0.1:{service}; {keep} }}\n\
         server {{ listen 127.0.0.1:{port}; listen 127.0.0.1:{} http2; location / {{\n\
         proxy_pass http://service; {version}\n\
         proxy_set_header Host $http_host;\n\
         proxy_set_header Forwarded \"for=$remote_addr;host=\\\"$http_host\\\";proto=$scheme\";\n\
         proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_set_header X-Forwarded-Host $http_host;\n\
         proxy_set_header X-Forwarded-Port $server_port;\n\
         proxy_set_header X-Forwarded-Proto $scheme;\n}} }}",
        port + 1
    );
    let file = nginx_file(world, &format!("gateway-nginx-{port}"), "auto", &http)?;
    let mut command = tools.command(world, &tools.nginx);
    command.arg("-c").arg(file);
    Ok(command)
}

fn caddy(world: &World, tools: &Tools, service: u16, port: u16) -> Result<Command> {
    let text = format!(
        "{{\n admin off\n auto_https off\n servers {{\n  protocols h1 h2c\n }}\n}}\n\
         http://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{service}\n}}\n"
    );
    let file = write(world.fresh("gateway-caddy")?, "Caddyfile", &text)?;
    let mut command = tools.command(world, &tools.caddy);
    command
        .args(["run", "--adapter", "caddyfile", "--config"])
        .arg(file);
    Ok(command)
}

/// It leads to daemons of its own alone, so it has a service like the other one for itself, which
/// it starts with the first request. Built without its proxy's TLS, as for `bench up`.
fn pitchfork(
    world: &World,
    peers: &Peers,
    tools: &Tools,
    service: u16,
    port: u16,
) -> Result<Command> {
    let program = peers.built(
        "pitchfork",
        "pitchfork-cli",
        PITCHFORK,
        &["--no-default-features"],
    )?;
    let words = nginx_service(world, tools, "gateway-pitchfork-service", service)?;
    let home = "gateway-pitchfork-home";
    let dir = world.fresh("gateway-pitchfork")?;
    let daemon = format!(
        "[daemons.api]\nrun = \"exec {words}\"\nport = {{ expect = [{service}] }}\nready_port = {service}\n"
    );
    write(dir.clone(), "pitchfork.toml", &daemon)?;
    let names = format!(
        "[slugs]\nbench = {{ dir = \"{}\", daemon = \"api\" }}\n",
        dir.display()
    );
    let config = world.fresh(home)?.join(".config/pitchfork");
    fs::create_dir_all(&config).map_err(|error| format!("{}: {error}", config.display()))?;
    write(config, "config.toml", &names)?;
    let mut command = world.bound(program, home);
    command.args(["supervisor", "run"]).current_dir(dir);
    for (name, value) in [
        ("ENABLE", "true"),
        ("PORT", &port.to_string()),
        ("HTTPS", "false"),
        ("DNS", "false"),
        ("SYNC_HOSTS", "false"),
        ("AUTO_TRUST", "false"),
    ] {
        command.env(format!("PITCHFORK_PROXY_{name}"), value);
    }
    Ok(command)
}

/// With the Node that it wants, from the same registry.
fn portless(world: &World, peers: &Peers, service: u16, port: u16) -> Result<Command> {
    let modules = peers.npm(world, "portless")?.join("node_modules");
    let home = "gateway-portless-home";
    world.fresh(home)?;
    let portless = || {
        let mut command = world.bound(modules.join("node/bin/node"), home);
        command.arg(modules.join("portless/dist/cli.js"));
        command
    };
    run(portless()
        .args(["alias", "bench", &service.to_string()])
        .stdout(Stdio::null()))?;
    let mut command = portless();
    command.args([
        "proxy",
        "start",
        "--no-tls",
        "--foreground",
        "--port",
        &port.to_string(),
    ]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that answers as the real one, without nginx.
    fn service() -> (u16, std::thread::JoinHandle<()>) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n{}", body());
        });
        (port, answering)
    }

    #[test]
    fn a_cell_ends_with_all_that_it_has_started() {
        let (port, answering) = service();
        let proxy = Proxy::start("x", port, None, port, |_, _| {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & exec sleep 1000"]);
            Ok(command)
        })
        .unwrap();
        answering.join().unwrap();
        let tree = loop {
            let tree = processes::tree(proxy.child.id());
            if tree.iter().filter(|one| one.name == "sleep").count() == 2 {
                break tree;
            }
        };
        assert!(proxy.memory() > 0.0);
        assert_eq!(proxy.connections(), 0);
        drop(proxy);
        let left = processes::all();
        for old in tree {
            let is_left = left
                .iter()
                .any(|one| (one.pid, &one.words) == (old.pid, &old.words));
            assert!(!is_left, "{old:?}");
        }
    }

    #[test]
    fn a_proxy_that_ends_says_so() {
        let (port, answering) = service();
        // Nobody listens there any more.
        assert!(is_answered(port));
        answering.join().unwrap();
        let refused = Proxy::start("x", port, None, port, |_, _| Ok(Command::new("false")));
        assert!(refused.unwrap_err().contains("it has ended"));
    }
}
