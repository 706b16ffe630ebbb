//! Containers whose ports are served by a proxy of their engine, which must not be stopped.
//!
//! Follows the output of Docker 28 and Podman 5 (`ps --format`) and the arguments of Docker's proxy. The
//! tests use recorded output.

use std::process::Command;
use std::time::Duration;

use portway_ports::Process;
use portway_supervisor::program;

/// Timeout of a query to the engine.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// Maximum size of its response, in bytes.
const MAX_OUTPUT: u64 = 1 << 20;

/// Proxies of published ports by process name, which Linux truncates to 15 characters, and their engine.
const PROXIES: [(&str, &str); 8] = [
    ("docker-proxy", "docker"),
    ("com.docker.back", "docker"),
    ("vpnkit", "docker"),
    ("rootlesskit", "docker"),
    ("rootlessport", "podman"),
    ("pasta", "podman"),
    ("slirp4netns", "podman"),
    ("gvproxy", "podman"),
];

/// Returns the container whose published `port` the proxy `process` serves: name and image from the
/// engine, or else the address in the proxy's arguments.
pub(crate) fn published(process: &Process, port: u16) -> Option<String> {
    let (_, engine) = PROXIES
        .iter()
        .find(|(name, _)| process.name.starts_with(name))?;
    let filter = format!("publish={port}");
    let format = "{{.Names}}\t{{.Image}}";
    let answer = query(engine, &["ps", "--filter", &filter, "--format", format]);
    answer
        .and_then(|answer| format_container(&answer))
        .or_else(|| target(&process.args))
        .or_else(|| Some(format!("a container of {engine}")))
}

/// Formats the first line of the engine's output: "`jobi-db-1` (postgres:16)".
fn format_container(answer: &str) -> Option<String> {
    let (name, image) = answer.lines().next()?.split_once('\t')?;
    (!name.is_empty()).then(|| format!("`{name}` ({image})"))
}

/// Returns the container's address from the arguments of Docker's proxy.
fn target(arguments: &[String]) -> Option<String> {
    let value = |flag: &str| {
        let at = arguments.iter().position(|one| one == flag)?;
        arguments.get(at + 1)
    };
    Some(format!(
        "a container at {}:{}",
        value("-container-ip")?,
        value("-container-port")?
    ))
}

/// Runs a program and returns its output, if it succeeds in time.
fn query(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    let text = program::output(command, QUERY_TIMEOUT, MAX_OUTPUT)?;
    String::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_engines_output() {
        assert_eq!(
            format_container("jobi-db-1\tpostgres:16\n").as_deref(),
            Some("`jobi-db-1` (postgres:16)")
        );
        assert_eq!(format_container(""), None);
        assert_eq!(format_container("garbage\n"), None);
    }

    #[test]
    fn falls_back_to_the_proxys_arguments() {
        let words = "/usr/bin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port 5432 \
                     -container-ip 172.17.0.2 -container-port 5432 -use-listen-fd";
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        assert_eq!(
            target(&words).as_deref(),
            Some("a container at 172.17.0.2:5432")
        );
        assert_eq!(target(&words[..4]), None);
    }
}
