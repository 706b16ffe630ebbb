//! Containers whose ports a proxy of their engine serves: the process that listens is nobody that
//! one would want to end.
//!
//! Built against what Docker 28 and Podman 5 print (`ps --format`), and the arguments of Docker's
//! proxy; no engine ran beside the tests.

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portway_ports::Process;

/// An engine that does not answer within this time is not waited for.
const ANSWER: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Processes that serve a container's published port, by short name (which the kernel cuts at 15
/// characters), and the engine to ask.
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

/// The container for which `process`, if it is an engine's proxy, serves `port`: its name and
/// image as the engine tells them, else what the proxy's arguments tell.
pub(crate) fn published(process: &Process, port: u16) -> Option<String> {
    let (_, engine) = PROXIES
        .iter()
        .find(|(name, _)| process.name.starts_with(name))?;
    let filter = format!("publish={port}");
    let format = "{{.Names}}\t{{.Image}}";
    let answer = ask(engine, &["ps", "--filter", &filter, "--format", format]);
    answer
        .and_then(|answer| named(&answer))
        .or_else(|| target(&process.args))
        .or_else(|| Some(format!("a container of {engine}")))
}

/// "`jobi-db-1` (postgres:16)" of the first line of the engine's answer.
fn named(answer: &str) -> Option<String> {
    let (name, image) = answer.lines().next()?.split_once('\t')?;
    (!name.is_empty()).then(|| format!("`{name}` ({image})"))
}

/// The container's address among the arguments of Docker's proxy.
fn target(words: &[String]) -> Option<String> {
    let value = |flag: &str| {
        let at = words.iter().position(|word| word == flag)?;
        words.get(at + 1)
    };
    Some(format!(
        "a container at {}:{}",
        value("-container-ip")?,
        value("-container-port")?
    ))
}

/// What a program prints, if it succeeds in time.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + ANSWER;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => thread::sleep(LOOK_AGAIN),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    // One line a container: it fits into the pipe, so that nothing waits for being read.
    let mut text = String::new();
    child.stdout.take()?.read_to_string(&mut text).ok()?;
    status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engines_answer_names_the_container() {
        assert_eq!(
            named("jobi-db-1\tpostgres:16\n").as_deref(),
            Some("`jobi-db-1` (postgres:16)")
        );
        assert_eq!(named(""), None);
        assert_eq!(named("garbage\n"), None);
    }

    #[test]
    fn without_an_engine_the_proxys_arguments_tell() {
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
