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
use crate::up::processes::{self, Process};

/// The longest that a proxy may take until it answers, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the service answers.
pub(super) fn body() -> String {
    "x".repeat(1024)
}

/// The ports of a proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where it speaks HTTP/1.1.
    pub(super) port: u16,
    /// Where it speaks HTTP/2 without TLS.
    pub(super) h2_port: Option<u16>,
    /// Where the service behind it listens; its own port where it is that service.
    pub(super) service: u16,
}

/// A running program.
#[derive(Debug)]
pub(super) struct Proxy {
    pub(super) name: &'static str,
    pub(super) place: Place,
    child: Child,
}

impl Proxy {
    /// Starts a program, and waits until it answers at its place as the service does.
    pub(super) fn start(name: &'static str, place: Place, mut command: Command) -> Result<Self> {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut proxy = Self { name, place, child };
        let until = Instant::now() + PATIENCE;
        while !is_answered(place.port) {
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
        self.place.port != self.place.service
    }

    /// Its own processes: the first, and where that is nginx those that do the work. What a proxy
    /// starts besides, as pitchfork does its daemons, is something else.
    fn pids(&self) -> Vec<u32> {
        let all = processes::tree(self.child.id());
        let works_in_many = all.first().is_some_and(|one| one.name == "nginx");
        let count = if works_in_many { all.len() } else { 1 };
        all.iter().take(count).map(|one| one.pid).collect()
    }

    /// Its resident memory, in megabytes.
    pub(super) fn memory(&self) -> f64 {
        let pids = self.pids();
        pids.into_iter().filter_map(processes::resident).sum()
    }

    /// How many connections it has to the service.
    pub(super) fn connections(&self) -> usize {
        sockets::to(self.place.service, &self.pids())
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
        // A number alone may be another's by now.
        let is_left = |one: &Process| {
            let same = |old: &Process| (old.pid, &old.words) == (one.pid, &one.words);
            all.iter().any(same)
        };
        loop {
            let left: Vec<Process> = processes::all().into_iter().filter(is_left).collect();
            if left.is_empty() || Instant::now() > until {
                break;
            }
            for one in left {
                let pid = i32::try_from(one.pid).map(Pid::from_raw);
                let _ = pid.map(|pid| kill(pid, Signal::SIGKILL));
            }
            std::thread::sleep(Duration::from_millis(5));
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
            let mut head = Vec::new();
            // To its end: with something unread, the answer would be lost with the connection.
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n{}", body()).unwrap();
        });
        (port, answering)
    }

    fn at(port: u16) -> Place {
        Place {
            port,
            h2_port: None,
            service: port,
        }
    }

    #[test]
    fn a_cell_ends_with_all_that_it_has_started() {
        let (port, answering) = service();
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & exec sleep 1000"]);
        let proxy = Proxy::start("x", at(port), command).unwrap();
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
        let refused = Proxy::start("x", at(port), Command::new("false"));
        assert!(refused.unwrap_err().contains("it has ended"));
    }
}
