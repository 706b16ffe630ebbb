//! The trivial service: what the harness starts under Portway and its peers.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;

use crate::Result;

/// What a service lives at the most, should nobody end it.
const LIFE: Duration = Duration::from_secs(1800);

/// `[PORT] MILLISECONDS`: waits as a starting server does, then listens until standard input
/// ends. The port is the environment's where none is given. Prints the port and whether it could
/// be had.
pub(crate) fn serve(arguments: &[&str]) -> Result<()> {
    let environment = std::env::var("PORT").unwrap_or_default();
    let (port, wait) = match arguments {
        [port, wait] => (*port, wait),
        [wait] => (environment.as_str(), wait),
        _ => return Err("help:serve [PORT] MILLISECONDS".to_owned()),
    };
    let wait = wait.parse().map_err(|_| format!("`{wait}` is no time"))?;
    std::thread::sleep(Duration::from_millis(wait));
    // With SO_REUSEADDR, as servers bind.
    let listener = port
        .parse()
        .ok()
        .and_then(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let state = if listener.is_some() {
        "bound"
    } else {
        "failed"
    };
    println!("{port} {state}");
    let _ = std::io::stdout().flush();
    // Until the harness goes, however it goes.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(listener);
    Ok(())
}

/// `DESCRIPTORS`: has so many open, and does nothing until standard input ends.
pub(crate) fn idle(arguments: &[&str]) -> Result<()> {
    let count = arguments
        .first()
        .and_then(|count| count.parse::<usize>().ok());
    let count = count.ok_or("help:idle DESCRIPTORS")?;
    // Three are there already.
    let files: std::io::Result<Vec<File>> = (3..count).map(|_| File::open("/dev/null")).collect();
    let files = files.map_err(|error| error.to_string())?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(files);
    Ok(())
}

/// `[PORT]`: listens until it is ended, or for as long as a table takes at the most. The port is the environment's where none is given.
pub(crate) fn listen(arguments: &[&str]) -> Result<()> {
    let environment = std::env::var("PORT").unwrap_or_default();
    let port = arguments.first().copied().unwrap_or(&environment);
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port"))?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    // The kernel accepts; here the queue is only emptied. It waits without a pulse, so that
    // hundreds of these cost nothing.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    std::thread::sleep(LIFE);
    Ok(())
}

/// `PORT TAG`: listens, beside a child that made itself a session of its own, as daemons do.
pub(crate) fn family(arguments: &[&str]) -> Result<()> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let tag = arguments.last().ok_or("help:family PORT TAG")?;
    let mut child = Command::new("setsid")
        .arg(own)
        .args(["help:linger", tag])
        .spawn()
        .map_err(|error| format!("setsid: {error}"))?;
    let listened = listen(arguments);
    let _ = child.kill();
    listened
}

/// Stays until it is ended, or for two minutes.
pub(crate) fn linger() -> Result<()> {
    std::thread::sleep(Duration::from_secs(120));
    Ok(())
}
