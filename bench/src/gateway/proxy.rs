//! A running proxy, its memory and its connections.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::load::HOST;
use super::sockets::count_connections;
use crate::Result;
use crate::up::processes::{self, Process};

/// Time limit for a proxy to start, and to stop.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The body of the service's responses.
pub(super) fn body() -> String {
    "x".repeat(1024)
}

/// The ports of a proxy and of its service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Endpoints {
    /// The port for HTTP/1.1.
    pub(super) port: u16,
    /// The port for HTTP/2 without TLS, if it supports that.
    pub(super) h2_port: Option<u16>,
    /// The port of the service. For the service itself, the same as `port`.
    pub(super) service: u16,
}

/// A running proxy, or the service itself. Dropping it stops all its processes.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) name: &'static str,
    pub(super) endpoints: Endpoints,
    child: Child,
}

impl Proxy {
    /// Start a program, and wait until its port returns the service's response.
    pub(super) fn start(
        name: &'static str,
        endpoints: Endpoints,
        mut command: Command,
    ) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut proxy = Self {
            name,
            endpoints,
            child,
        };
        let until = Instant::now() + TIMEOUT;
        while !is_answering(endpoints.port) {
            if let Ok(Some(status)) = proxy.child.try_wait() {
                return Err(format!("it has exited: {status}"));
            }
            if Instant::now() > until {
                return Err("it does not answer with the service's response".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(proxy)
    }

    /// Whether it is the service itself.
    pub(super) fn is_service(&self) -> bool {
        self.endpoints.port == self.endpoints.service
    }

    /// The processes of the proxy: the first one, and for nginx its workers. Other children, such as
    /// pitchfork's daemons, do not count.
    fn pids(&self) -> Vec<u32> {
        let all = processes::tree(self.child.id());
        let has_workers = all.first().is_some_and(|process| process.name == "nginx");
        let count = if has_workers { all.len() } else { 1 };
        all.iter().take(count).map(|process| process.pid).collect()
    }

    /// Resident memory, in megabytes.
    pub(super) fn memory(&self) -> f64 {
        let pids = self.pids();
        pids.into_iter().filter_map(processes::resident).sum()
    }

    /// The number of connections to the service.
    pub(super) fn connections(&self) -> usize {
        count_connections(self.endpoints.service, &self.pids())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let all = processes::tree(self.child.id());
        // With SIGTERM, each stops what it has started. An error means that it has exited.
        let pid = i32::try_from(self.child.id()).map(Pid::from_raw);
        let _ = pid.map(|pid| kill(pid, Signal::SIGTERM));
        let until = Instant::now() + TIMEOUT;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        // A pid alone may belong to another process by now.
        let is_left = |process: &Process| {
            let is_same =
                |old: &Process| (old.pid, &old.arguments) == (process.pid, &process.arguments);
            all.iter().any(is_same)
        };
        loop {
            let left: Vec<Process> = processes::all().into_iter().filter(is_left).collect();
            if left.is_empty() || Instant::now() > until {
                break;
            }
            for process in left {
                let pid = i32::try_from(process.pid).map(Pid::from_raw);
                let _ = pid.map(|pid| kill(pid, Signal::SIGKILL));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Whether `port` returns the service's response.
fn is_answering(port: u16) -> bool {
    let request = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    };
    request().is_ok_and(|text| text.starts_with("HTTP/1.1 200") && text.ends_with(&body()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service with the same response, without nginx.
    fn service() -> (u16, std::thread::JoinHandle<()>) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            // Read the whole request: closing a socket with unread data would discard the response.
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n{}", body()).unwrap();
        });
        (port, thread)
    }

    fn endpoints(port: u16) -> Endpoints {
        Endpoints {
            port,
            h2_port: None,
            service: port,
        }
    }

    #[test]
    fn dropping_a_proxy_stops_its_children() {
        let (port, thread) = service();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & exec sleep 1000"]);
        let proxy = Proxy::start("x", endpoints(port), command).unwrap();
        thread.join().unwrap();
        let tree = loop {
            let tree = processes::tree(proxy.child.id());
            if tree
                .iter()
                .filter(|process| process.name == "sleep")
                .count()
                == 2
            {
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
                .any(|process| (process.pid, &process.arguments) == (old.pid, &old.arguments));
            assert!(!is_left, "{old:?}");
        }
    }

    #[test]
    fn reports_a_proxy_that_exits() {
        let (port, thread) = service();
        // After this request, nothing listens there.
        assert!(is_answering(port));
        thread.join().unwrap();
        let result = Proxy::start("x", endpoints(port), Command::new("false"));
        assert!(result.unwrap_err().contains("it has exited"));
    }
}
