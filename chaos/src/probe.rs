//! Observes services from outside: which process responds at a URL, and which has the socket open.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::invariants::ReadyService;
use crate::invariants::own_url::Probe;

/// Timeout of a request. A service that hangs does not respond, which is not a wrong answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Find the processes that respond at `localhost`, in both address families, and those that have
/// the listening socket.
pub(crate) fn probe(service: &ReadyService) -> Probe {
    let hosts: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let bodies = hosts
        .iter()
        .filter_map(|host| get(*host, service.port, "/"));
    let mut marks: BTreeSet<String> = bodies
        .filter_map(|body| serde_json::from_str::<Value>(&body).ok())
        .filter_map(|body| Some(body["run"].as_str()?.to_owned()))
        .collect();
    for owner in portway_ports::owners(service.port).unwrap_or_default() {
        // `None` if the process has just exited.
        if let Some(process) = owner.process {
            let mark = portway_supervisor::process::env_var(process.id.pid, "PORTWAY_RUN");
            let mark = mark.or_else(|| {
                let is_alive = process.id.is_alive();
                is_alive.then(|| format!("{} (pid {})", process.command, process.id.pid))
            });
            marks.extend(mark);
        }
    }
    Probe {
        service: service.clone(),
        marks: marks.into_iter().collect(),
    }
}

/// Send a request and return the body of the response.
pub(crate) fn get(host: IpAddr, port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::new(host, port);
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT).ok()?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}
