//! The test service: a small HTTP server that misbehaves on demand.
//!
//! ```text
//! service serve PORT [OPTION…]   answers on 127.0.0.1:PORT
//! service sleep [OPTION…]        does nothing
//! service grab PORT…             listens on the first of the ports that becomes free
//! ```
//!
//! | option | effect |
//! | --- | --- |
//! | `--host HOST` | listen on another address |
//! | `--no-reuse` | bind without SO_REUSEADDR, which is never set on Windows |
//! | `--udp` | answer UDP packets with the pid |
//! | `--unix PATH` | listen on a Unix socket only |
//! | `--fd` | use the socket at descriptor 3 |
//! | `--delay MS` | wait before binding |
//! | `--fail CODE` | exit immediately |
//! | `--fail-until FILE N` | exit with code 1 on the first N starts |
//! | `--ignore` | ignore TERM, INT and HUP |
//! | `--setsid` | start a new session |
//! | `--grandchild KIND` | first start a process: `plain`, `setsid`, `ignore` or `daemon` |
//! | `--print TEXT` | print a line |
//! | `--flood BYTES` | print that many bytes |
//! | `--rebind` | on a request for `/rebind`, close the socket and bind a new one |
//! | `--unhealthy-file FILE` | answer `/health` with 500 while the file exists |
//! | `--worker` | start a process that shares the listening socket |
//! | `--cors` | allow the origins in `CORS_ORIGINS` |
//!
//! `/` answers with the pid, `/env/NAME` with a variable, and `/exit/CODE` exits the process.

#![allow(
    missing_docs,
    clippy::exit,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::zombie_processes
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{env, fs, process, thread};

use socket2::{Domain, Socket, Type};

#[derive(Default)]
struct Options {
    ports: Vec<u16>,
    host: Option<String>,
    no_reuse: bool,
    udp: bool,
    unix: Option<PathBuf>,
    fd: bool,
    delay: u64,
    fail: Option<i32>,
    fail_until: Option<(PathBuf, usize)>,
    ignore: bool,
    setsid: bool,
    grandchildren: Vec<String>,
    print: Vec<String>,
    flood: usize,
    rebind: bool,
    worker: bool,
    cors: bool,
    unhealthy_file: Option<PathBuf>,
}

fn main() {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().expect("a command");
    let options = parse(&mut arguments);
    if options.setsid {
        system::leave_session();
    }
    if options.ignore {
        for signal in system::SIGNALS {
            signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
        }
    }
    for kind in &options.grandchildren {
        grandchild(kind);
    }
    for text in &options.print {
        println!("{text}");
    }
    flood(options.flood);
    if let Some(code) = options.fail {
        process::exit(code);
    }
    if let Some((file, starts)) = &options.fail_until {
        let before = fs::read(file).unwrap_or_default().len();
        fs::write(file, vec![b'x'; before + 1]).unwrap();
        if before < *starts {
            process::exit(1);
        }
    }
    thread::sleep(Duration::from_millis(options.delay));
    match command.as_str() {
        "serve" => serve(&options),
        "grab" => grab(&options.ports),
        "sleep" => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        _ => panic!("unknown command: {command}"),
    }
}

fn parse(arguments: &mut impl Iterator<Item = String>) -> Options {
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value");
        match argument.as_str() {
            "--host" => options.host = Some(value()),
            "--no-reuse" => options.no_reuse = true,
            "--udp" => options.udp = true,
            "--unix" => options.unix = Some(value().into()),
            "--fd" => options.fd = true,
            "--delay" => options.delay = value().parse().unwrap(),
            "--fail" => options.fail = Some(value().parse().unwrap()),
            "--fail-until" => options.fail_until = Some((value().into(), value().parse().unwrap())),
            "--ignore" => options.ignore = true,
            "--setsid" => options.setsid = true,
            "--grandchild" => options.grandchildren.push(value()),
            "--print" => options.print.push(value()),
            "--flood" => options.flood = value().parse().unwrap(),
            "--rebind" => options.rebind = true,
            "--worker" => options.worker = true,
            "--cors" => options.cors = true,
            "--unhealthy-file" => options.unhealthy_file = Some(value().into()),
            port => options.ports.push(port.parse().expect("a port")),
        }
    }
    options
}

/// Starts another process of this binary that sleeps.
fn grandchild(kind: &str) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.arg("sleep").stdin(Stdio::null());
    match kind {
        "plain" => {}
        "setsid" => {
            command.arg("--setsid");
        }
        "ignore" => {
            command.args(["--setsid", "--ignore"]);
        }
        // Exits after starting its own child, which then has no parent.
        "daemon" => {
            command.args(["--setsid", "--grandchild", "ignore", "--fail", "0"]);
        }
        _ => panic!("unknown kind of grandchild: {kind}"),
    }
    let mut child = command.spawn().unwrap();
    if kind == "daemon" {
        child.wait().unwrap();
    }
}

fn flood(bytes: usize) {
    let mut out = std::io::stdout().lock();
    let chunk = [b"\xff\x1b[2J no newline here ".repeat(100), b"\n".to_vec()].concat();
    let mut left = bytes;
    while left > 0 {
        let count = left.min(chunk.len());
        out.write_all(&chunk[..count]).unwrap();
        left -= count;
    }
    out.flush().unwrap();
}

fn bind(options: &Options) -> TcpListener {
    if options.fd {
        assert_eq!(env::var("LISTEN_FDS").as_deref(), Ok("1"), "LISTEN_FDS");
        let pid = process::id().to_string();
        assert_eq!(env::var("LISTEN_PID"), Ok(pid), "LISTEN_PID");
        return system::passed_socket();
    }
    let host = options.host.as_deref().unwrap_or("127.0.0.1");
    let address = SocketAddr::new(host.parse().unwrap(), options.ports[0]);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    // On Windows the option has another meaning, and servers do not set it.
    let reuse = cfg!(unix) && !options.no_reuse;
    socket.set_reuse_address(reuse).unwrap();
    let bound = socket
        .bind(&address.into())
        .and_then(|()| socket.listen(128));
    if let Err(error) = bound {
        eprintln!("cannot bind {address}: {error}");
        process::exit(1);
    }
    if options.worker {
        system::keep_open(&socket);
        grandchild("plain");
    }
    socket.into()
}

fn serve(options: &Options) {
    if let Some(path) = &options.unix {
        return system::serve_unix(path);
    }
    if options.udp {
        return serve_udp(options);
    }
    loop {
        let listener = bind(options);
        for stream in listener.incoming() {
            if answer(stream.unwrap(), options).is_some_and(|rebind| rebind) {
                break;
            }
        }
    }
}

/// Answers each packet with the pid.
fn serve_udp(options: &Options) {
    let host = options.host.as_deref().unwrap_or("127.0.0.1");
    let bound = UdpSocket::bind((host, options.ports[0]));
    let socket = bound.unwrap_or_else(|error| {
        eprintln!("cannot bind: {error}");
        process::exit(1);
    });
    loop {
        let (_, from) = socket.recv_from(&mut [0; 64]).unwrap();
        let _ = socket.send_to(process::id().to_string().as_bytes(), from);
    }
}

/// Answers one request. `Some(true)` means that the caller must bind a new socket.
fn answer(mut stream: TcpStream, options: &Options) -> Option<bool> {
    let mut bytes = [0; 2048];
    let count = stream.read(&mut bytes).ok()?;
    let request = String::from_utf8_lossy(&bytes[..count]).into_owned();
    let path = request.split(' ').nth(1)?;
    let unhealthy = options
        .unhealthy_file
        .as_ref()
        .is_some_and(|file| file.exists());
    let status = if path == "/health" && unhealthy {
        500
    } else {
        200
    };
    let body = match path.strip_prefix("/env/") {
        Some(name) => env::var(name).unwrap_or_default(),
        None => process::id().to_string(),
    };
    let cors = cors(&request, options).unwrap_or_default();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{cors}");
    // In one write: a client receives all of it or nothing when the process exits.
    let answer = format!("{head}connection: close\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes());
    if let Some(code) = path.strip_prefix("/exit/") {
        drop(stream);
        process::exit(code.parse().ok()?);
    }
    Some(options.rebind && path == "/rebind")
}

/// The CORS headers for a request with an origin, as the usual middlewares write them.
fn cors(request: &str, options: &Options) -> Option<String> {
    let (_, origin) = request.split_once("\r\norigin: ")?;
    let (origin, _) = origin.split_once("\r\n").filter(|_| options.cors)?;
    let allowed = env::var("CORS_ORIGINS").unwrap_or_default();
    let mut headers = "access-control-allow-methods: GET\r\n".to_owned();
    if allowed.split(',').any(|one| one == origin || one == "*") {
        headers.push_str(&format!("access-control-allow-origin: {origin}\r\n"));
    }
    Some(headers)
}

/// Listens on the first of the ports that becomes free, with SO_REUSEADDR, and never exits.
fn grab(ports: &[u16]) {
    loop {
        for &port in ports {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            if socket
                .bind(&address.into())
                .and_then(|()| socket.listen(1))
                .is_ok()
            {
                println!("grabbed {port}");
                loop {
                    thread::sleep(Duration::from_secs(3600));
                }
            }
        }
    }
}

/// Functions that differ between operating systems.
#[cfg(unix)]
mod system {
    use std::net::TcpListener;
    use std::os::fd::FromRawFd;

    /// The signals that request a program to stop.
    pub(crate) const SIGNALS: [i32; 3] = [15, 2, 1];

    pub(crate) fn leave_session() {
        let _ = rustix::process::setsid();
    }

    pub(crate) fn passed_socket() -> TcpListener {
        #[allow(unsafe_code)]
        // SAFETY: with LISTEN_FDS set, this descriptor is a listening socket that nothing else owns.
        unsafe {
            TcpListener::from_raw_fd(3)
        }
    }

    /// Accepts connections to a Unix socket.
    pub(crate) fn serve_unix(path: &std::path::Path) {
        let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
        for stream in listener.incoming() {
            drop(stream.unwrap());
        }
    }

    /// Keeps a socket open in child processes, as servers that fork do.
    pub(crate) fn keep_open(socket: &socket2::Socket) {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
    }
}

/// Functions that differ between operating systems.
#[cfg(windows)]
mod system {
    use std::net::TcpListener;

    /// Ctrl-C.
    pub(crate) const SIGNALS: [i32; 1] = [2];

    /// Does nothing: Windows has no such sessions.
    pub(crate) fn leave_session() {}

    pub(crate) fn passed_socket() -> TcpListener {
        panic!("Windows has no numbered descriptors")
    }

    pub(crate) fn serve_unix(_path: &std::path::Path) {
        panic!("not on Windows")
    }

    pub(crate) fn keep_open(_socket: &socket2::Socket) {
        panic!("servers on Windows do not do that")
    }
}
