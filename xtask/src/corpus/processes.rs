//! The processes of the services that run in a checkout: their connections and open files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::wiring::Connection;

/// The endings of the names of SQLite databases.
const DATABASES: [&str; 4] = [".db", ".sqlite", ".sqlite3", ".db3"];

/// The processes that have a variable, with this start of its value.
pub(super) fn with_variable(name: &str, start: &str) -> Vec<u32> {
    let wanted = format!("{name}={start}");
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable.starts_with(wanted.as_bytes()))
        })
        .collect()
}

/// The processes of an instance: those with its id, and those that they started, which may have
/// another environment.
pub(super) fn of_instance(id: &str) -> Vec<u32> {
    let mut own = with_variable("PORTWAY_ID", id);
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            Some((
                pid,
                parent(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?,
            ))
        })
        .collect();
    loop {
        let known = own.len();
        for (pid, parent) in &parents {
            if own.contains(parent) && !own.contains(pid) {
                own.push(*pid);
            }
        }
        if own.len() == known {
            return own;
        }
    }
}

/// The parent in the text of `/proc/PID/stat`: `PID (NAME) STATE PARENT …`.
fn parent(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

/// What a process runs, in one line.
pub(super) fn command(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .replace('\0', " ")
        .trim()
        .to_owned()
}

/// The connections to this machine that processes have opened, and the ports they listen on.
pub(super) fn sockets(pids: &[u32]) -> Result<(Vec<Connection>, Vec<u16>), String> {
    let listening: Vec<u16> = list(&["-tlnpH"])?
        .iter()
        .filter(|socket| socket.pids.iter().any(|pid| pids.contains(pid)))
        .map(|socket| socket.local.1)
        .collect();
    let established = list(&["-tnpH", "state", "established"])?;
    let is_own = |socket: &Socket| socket.pids.iter().any(|pid| pids.contains(pid));
    let connections = established
        .iter()
        // Processes of the instance may talk to each other.
        .filter(|socket| {
            let (near, far) = (socket.local.1, socket.peer.1);
            let is_other_end = |other: &&Socket| other.local.1 == far && other.peer.1 == near;
            !established.iter().filter(is_other_end).any(is_own)
        })
        .filter(|socket| socket.peer.0.contains("127.0.0.1") || socket.peer.0 == "[::1]")
        // The other end of a connection to a port of their own.
        .filter(|socket| !listening.contains(&socket.local.1))
        .filter_map(|socket| {
            let pid = *socket.pids.iter().find(|pid| pids.contains(pid))?;
            let port = socket.peer.1;
            Some(Connection { pid, port })
        })
        .collect();
    Ok((connections, listening))
}

/// The databases below a directory that processes have open.
pub(super) fn databases(pids: &[u32], directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for pid in pids {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        for file in files.filter_map(|file| fs::read_link(file.path()).ok()) {
            let name = file.to_string_lossy();
            let is_database = DATABASES.iter().any(|ending| name.ends_with(ending));
            if is_database && file.starts_with(directory) && !found.contains(&file) {
                found.push(file);
            }
        }
    }
    found
}

/// A socket, as `ss` lists it.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    local: (String, u16),
    peer: (String, u16),
    pids: Vec<u32>,
}

fn list(arguments: &[&str]) -> Result<Vec<Socket>, String> {
    let output = Command::new("ss")
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run `ss`: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(parse)
        .collect())
}

/// Parse a line of `ss`. The addresses are the first two words with a port.
fn parse(line: &str) -> Option<Socket> {
    let mut addresses = line.split_whitespace().filter_map(|word| {
        let (address, port) = word.rsplit_once(':')?;
        // `ss` prints `*` for any port.
        let port = if port == "*" { 0 } else { port.parse().ok()? };
        Some((address.to_owned(), port))
    });
    let (local, peer) = (addresses.next()?, addresses.next()?);
    let pids = line
        .split("pid=")
        .skip(1)
        .filter_map(|rest| rest.split(',').next()?.parse().ok())
        .collect();
    Some(Socket { local, peer, pids })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parent_of_a_process() {
        assert_eq!(parent("12 (next) server) S 7 12 12 0 -1"), Some(7));
        assert_eq!(parent("nothing"), None);
    }

    #[test]
    fn parses_lines_of_ss() {
        let socket = |local: (&str, u16), peer: (&str, u16), pids: &[u32]| Socket {
            local: (local.0.to_owned(), local.1),
            peer: (peer.0.to_owned(), peer.1),
            pids: pids.to_vec(),
        };
        for (line, expected) in [
            (
                "LISTEN 0 511 127.0.0.1:5173 0.0.0.0:* users:((\"node\",pid=97,fd=18))",
                socket(("127.0.0.1", 5173), ("0.0.0.0", 0), &[97]),
            ),
            (
                "0 0 [::1]:41776 [::1]:8000 users:((\"a\",pid=1,fd=5),(\"b\",pid=2,fd=5))",
                socket(("[::1]", 41776), ("[::1]", 8000), &[1, 2]),
            ),
        ] {
            assert_eq!(parse(line), Some(expected));
        }
        assert_eq!(parse("nothing"), None);
    }
}
