//! A proxy that runs: what it costs, and its end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::load::HOST;
use super::sockets;
use crate::Result;
use crate::up::processes;

/// The longest that a proxy may take until it answers, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service answers.
pub(super) fn body() -> String {
    "x".repeat(1024)
}

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

impl Proxy {
    /// Starts the program that `prepare` makes of both ports, and waits until it answers as the
    /// service does.
    pub(super) fn start(
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
