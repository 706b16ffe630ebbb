//! Looking from outside: who answers at a URL, who has the socket.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::invariants::Ready;
use crate::invariants::own_url::Answer;

/// A service that hangs does not answer; that is no wrong answer.
const ANSWER: Duration = Duration::from_secs(2);

/// Who serves a ready service's URL: those who answer at `localhost`, in both families, and those
/// who have the listening sockets.
pub(crate) fn answer(service: &Ready) -> Answer {
    let hosts: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let said = hosts
        .iter()
        .filter_map(|host| get(*host, service.port, "/"));
    let mut runs: BTreeSet<String> = said
        .filter_map(|body| serde_json::from_str::<Value>(&body).ok())
        .filter_map(|body| Some(body["run"].as_str()?.to_owned()))
        .collect();
    for holder in portway_ports::owners(service.port).unwrap_or_default() {
        // Nobody, where a process has ended meanwhile.
        if let Some(process) = holder.process {
            let run = portway_supervisor::process::env_var(process.id.pid, "PORTWAY_RUN");
            let run = run.or_else(|| {
                let ended = !process.id.is_alive();
                (!ended).then(|| format!("{} (pid {})", process.command, process.id.pid))
            });
            runs.extend(run);
        }
    }
    Answer {
        service: service.clone(),
        runs: runs.into_iter().collect(),
    }
}

/// The body of what is answered.
pub(crate) fn get(host: IpAddr, port: u16, path: &str) -> Option<String> {
    let address = SocketAddr::new(host, port);
    let mut stream = TcpStream::connect_timeout(&address, ANSWER).ok()?;
    stream.set_read_timeout(Some(ANSWER)).ok()?;
    stream.set_write_timeout(Some(ANSWER)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}
