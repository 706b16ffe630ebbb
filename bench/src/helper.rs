//! The services and other processes that the harness starts, all implemented by this program.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::unistd::{geteuid, getuid};

use crate::Result;

/// How long a service runs if no signal stops it.
const MAX_LIFETIME: Duration = Duration::from_secs(1800);

/// The number of processes in a chain, so that it ends in any case: about ten seconds.
const MAX_CHAIN: u32 = 3000;

/// `[PORT] MILLISECONDS`: wait like a server that starts, then listen until standard input is
/// closed. The default port is `$PORT`. Prints the port and whether listening succeeded.
pub(crate) fn serve(arguments: &[&str]) -> Result<()> {
    let environment = std::env::var("PORT").unwrap_or_default();
    let (port, wait) = match arguments {
        [port, wait] => (*port, wait),
        [wait] => (environment.as_str(), wait),
        _ => return Err("usage: helper:serve [PORT] MILLISECONDS".to_owned()),
    };
    let wait = wait.parse().map_err(|_| format!("invalid time `{wait}`"))?;
    std::thread::sleep(Duration::from_millis(wait));
    // With SO_REUSEADDR, as servers do.
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
    // Standard input is closed when the harness exits for any reason.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(listener);
    Ok(())
}

/// `DESCRIPTORS`: keep that many descriptors open until standard input is closed.
pub(crate) fn idle(arguments: &[&str]) -> Result<()> {
    let count = arguments
        .first()
        .and_then(|count| count.parse::<usize>().ok());
    let count = count.ok_or("usage: helper:idle DESCRIPTORS")?;
    // Standard input, output, and error are open already.
    let files: std::io::Result<Vec<File>> = (3..count).map(|_| File::open("/dev/null")).collect();
    let files = files.map_err(|error| error.to_string())?;
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    drop(files);
    Ok(())
}

/// `[PORT]`: listen until a signal arrives, at most [`MAX_LIFETIME`]. The default port is `$PORT`.
pub(crate) fn listen(arguments: &[&str]) -> Result<()> {
    let environment = std::env::var("PORT").unwrap_or_default();
    let port = arguments.first().copied().unwrap_or(&environment);
    let port: u16 = port.parse().map_err(|_| format!("invalid port `{port}`"))?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| error.to_string())?;
    // The kernel accepts connections; this empties its queue. Without a timer, hundreds of these
    // processes use no processor time.
    std::thread::spawn(move || listener.incoming().for_each(drop));
    std::thread::sleep(MAX_LIFETIME);
    Ok(())
}

/// `HOST PORT`: answer every request over HTTP/1.1 with a short response, and a request for `/bulk` with
/// bytes until the client closes its connection.
pub(crate) fn http(arguments: &[&str]) -> Result<()> {
    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n";
    let usage = || "usage: helper:http HOST PORT".to_owned();
    let [host, port] = arguments else {
        return Err(usage());
    };
    let port: u16 = port.parse().map_err(|_| usage())?;
    let listener = TcpListener::bind((*host, port)).map_err(|error| error.to_string())?;
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut stream = stream;
            let _ = stream.set_nodelay(true);
            let mut bytes = [0; 4096];
            let mut end = 0;
            loop {
                match stream.read(&mut bytes[end..]) {
                    Ok(count) if count > 0 => end += count,
                    _ => return,
                }
                if !bytes[..end].ends_with(b"\r\n\r\n") {
                    continue;
                }
                let is_bulk = bytes.starts_with(b"GET /bulk");
                end = 0;
                let mut result = stream.write_all(RESPONSE);
                let zeros = vec![0; if is_bulk { 1 << 20 } else { 0 }];
                while is_bulk && result.is_ok() {
                    result = stream.write_all(&zeros);
                }
                if result.is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}

/// `PORT TAG [PROGRAM]`: listen, and start a child in a separate session, as daemons do. `PROGRAM` is a
/// copy of this program that implements the child.
pub(crate) fn parent(arguments: &[&str]) -> Result<()> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let (tag, program) = match arguments {
        [_, tag] => (tag, own.as_path()),
        [_, tag, program] => (tag, Path::new(program)),
        _ => return Err("usage: helper:parent PORT TAG [PROGRAM]".to_owned()),
    };
    let mut child = Command::new("setsid")
        .arg(program)
        .args(["helper:child", tag])
        .spawn()
        .map_err(|error| format!("setsid: {error}"))?;
    let result = listen(arguments);
    // An error means that it has exited.
    let _ = child.kill();
    result
}

/// `PORT TAG`: like [`parent`], with a child that forks and exits again and again.
pub(crate) fn chained(arguments: &[&str]) -> Result<()> {
    let tag = arguments.last().ok_or("usage: helper:chained PORT TAG")?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new("setsid")
        .arg(own)
        .args(["helper:child-chain", tag, &MAX_CHAIN.to_string()])
        .spawn()
        .map_err(|error| format!("setsid: {error}"))?;
    std::thread::spawn(move || child.wait());
    listen(arguments)
}

/// `TAG LENGTH`: start the next process of the chain, and exit.
pub(crate) fn chain(arguments: &[&str]) -> Result<()> {
    let (tag, length) = match arguments {
        [tag, length] => (tag, length.parse::<u32>().unwrap_or(0)),
        _ => return Err("usage: helper:child-chain TAG LENGTH".to_owned()),
    };
    if length == 0 {
        return Ok(());
    }
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    // It is not waited for, because this process exits.
    #[allow(clippy::zombie_processes)]
    let next = Command::new(own)
        .args(["helper:child-chain", tag, &(length - 1).to_string()])
        .spawn();
    next.map(drop).map_err(|error| error.to_string())
}

/// `PORT TAG`: like [`parent`], and print without end.
pub(crate) fn flood(arguments: &[&str]) -> Result<()> {
    std::thread::spawn(|| {
        let line = [b'x'; 4096];
        let mut out = std::io::stdout();
        while out.write_all(&line).is_ok() {}
    });
    parent(arguments)
}

/// Wait until a signal arrives, at most two minutes.
pub(crate) fn child() -> Result<()> {
    std::thread::sleep(Duration::from_secs(120));
    Ok(())
}

/// Fail unless this program runs with the rights of its owner, who is not the user that started it.
pub(crate) fn check_set_uid() -> Result<()> {
    match geteuid() == getuid() {
        true => Err("the set-uid bit has no effect in this file system".to_owned()),
        false => Ok(()),
    }
}
