//! The trivial service: what the harness starts under Portway and its peers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::Result;

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
