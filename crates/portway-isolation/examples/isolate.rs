//! Runs a command in a network of its own: `isolate [HOST_PORT:PORT]... -- COMMAND [ARGUMENT]...`
//!
//! Each `HOST_PORT:PORT` passes connections to 127.0.0.1:HOST_PORT on to PORT inside. A host port of 0
//! is chosen by the system. When everything listens, a line with the host ports is printed. With
//! `--outbound slirp4netns` or `--outbound pasta`, programs inside can reach other machines.

use std::error::Error;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().map(String::as_str) == Some(portway_isolation::COMMAND) {
        return Ok(ExitCode::from(portway_isolation::run_helper()));
    }
    run(arguments)
}

#[cfg(target_os = "linux")]
#[allow(clippy::print_stdout, reason = "the result of the example")]
fn run(arguments: impl Iterator<Item = String>) -> Result<ExitCode, Box<dyn Error>> {
    use std::net::TcpListener;
    use std::process::Command;

    use portway_isolation::{Network, NetworkConfig, Outbound};

    let mut arguments = arguments;
    let mut ports = Vec::new();
    let mut outbound = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--" => break,
            "--outbound" => {
                let name = arguments.next().ok_or("no program")?;
                outbound = Some(Outbound::find(&name).ok_or(format!("`{name}` is missing"))?);
            }
            _ => {
                let (host, inner) = argument.split_once(':').ok_or("not HOST_PORT:PORT")?;
                ports.push((host.parse::<u16>()?, inner.parse::<u16>()?));
            }
        }
    }
    let program = arguments.next().ok_or("no command")?;
    let network = Network::create(NetworkConfig::new(std::env::current_exe()?, outbound))?;
    let mut host_ports = Vec::new();
    let mut forwards = Vec::new();
    for (host, inner) in ports {
        let listener = TcpListener::bind(("127.0.0.1", host))?;
        host_ports.push(listener.local_addr()?.port().to_string());
        forwards.push(network.forward_tcp(listener, inner)?);
    }
    println!("{}", host_ports.join(" "));
    let mut command = Command::new(program);
    command.args(arguments);
    network.namespace().enter(&mut command)?;
    let status = command.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

#[cfg(not(target_os = "linux"))]
fn run(_arguments: impl Iterator<Item = String>) -> Result<ExitCode, Box<dyn Error>> {
    Err("network namespaces exist only on Linux".into())
}
