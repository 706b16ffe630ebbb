//! The implementation of the service.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{env, fs, process, thread};

use rustix::process::{Resource, Rlimit, setrlimit};
use socket2::{Domain, Socket, Type};

/// How much a flood prints, in bytes: enough to rotate a log file.
const FLOOD: usize = 1 << 20;

/// How the service listens.
struct Options {
    host: IpAddr,
    reuse: bool,
    port: u16,
}

impl Options {
    fn new(port: u16) -> Self {
        Self {
            host: Ipv4Addr::LOCALHOST.into(),
            reuse: true,
            port,
        }
    }
}

pub(crate) fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        // The children.
        ["stay", ref how @ ..] => stay(how),
        ["daemon", port] => {
            // An error means that it is a session leader already.
            let _ = rustix::process::setsid();
            serve(&Options::new(port.parse().expect("a port")));
        }
        [port] => start(port.parse().expect("a port")),
        _ => panic!("usage: portway-chaos-service PORT"),
    }
}

/// The mark that Portway sets in every process of a service.
fn mark() -> String {
    env::var("PORTWAY_RUN").unwrap_or_default()
}

/// The words of the behavior file. Empty if the file does not exist.
fn behavior() -> Vec<String> {
    let Some(directory) = env::var_os("CHAOS_BEHAVIORS") else {
        return Vec::new();
    };
    let checkout = env::current_dir().unwrap_or_default();
    let checkout = checkout.file_name().unwrap_or_default().to_string_lossy();
    let mark = mark();
    let service = mark.rsplit('/').next().unwrap_or_default();
    let file = Path::new(&directory).join(format!("{checkout}.{service}"));
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn start(port: u16) {
    let mut options = Options::new(port);
    let behavior = behavior();
    let mut words = behavior.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut number = || -> u64 { words.next().unwrap().parse().expect("a number") };
        match word {
            "slow" => thread::sleep(Duration::from_millis(number())),
            "exit" => process::exit(number() as i32),
            "crash" => {
                let delay = Duration::from_millis(number());
                thread::spawn(move || {
                    thread::sleep(delay);
                    process::abort();
                });
            }
            "host" => options.host = words.next().unwrap().parse().expect("an address"),
            "no-reuse" => options.reuse = false,
            "ignore-signals" => ignore_signals(),
            "daemonize" => {
                spawn_child(&["daemon", &port.to_string()]);
                process::exit(0);
            }
            "wrong-port" => return serve_on_wrong_port(),
            "descriptors" => {
                let limit = Rlimit {
                    current: Some(number()),
                    maximum: None,
                };
                // An error means that the limit is lower already.
                let _ = setrlimit(Resource::Nofile, limit);
            }
            "flood" => {
                thread::spawn(flood);
            }
            word => spawn_child(&["stay", word]),
        }
    }
    serve(&options);
}

fn ignore_signals() {
    for signal in [15, 2, 1] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
    }
}

/// Start another process of this program.
fn spawn_child(arguments: &[&str]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::null());
    // The child may fail while the checkout is deleted.
    let _ = command.spawn();
}

/// Stay until a signal stops this process.
fn stay(how: &[&str]) {
    if how != ["plain"] {
        // An error means that it is a session leader already.
        let _ = rustix::process::setsid();
    }
    if how == ["stubborn"] {
        ignore_signals();
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Open files until no descriptor is left, and close them after a second. At most a thousand, because
/// the limit of the machine may be high.
fn exhaust_descriptors() {
    let limit = Rlimit {
        current: Some(100),
        maximum: None,
    };
    let _ = setrlimit(Resource::Nofile, limit);
    let open = |_| fs::File::open("/dev/null").ok();
    let files: Vec<_> = (0..1000).map_while(open).collect();
    thread::sleep(Duration::from_secs(1));
    drop(files);
}

fn flood() {
    let line = [b"\xff\x1b[2J no newline here ".repeat(100), b"\n".to_vec()].concat();
    let mut out = std::io::stdout().lock();
    for _ in 0..FLOOD / line.len() {
        if out.write_all(&line).is_err() {
            return;
        }
    }
}

fn bind(options: &Options) -> std::io::Result<Socket> {
    let address = SocketAddr::new(options.host, options.port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(options.reuse)?;
    socket.bind(&address.into())?;
    socket.listen(64)?;
    Ok(socket)
}

/// Ignore the given port and listen on any other one of the run.
fn serve_on_wrong_port() {
    let first: u16 = env::var("CHAOS_FIRST").unwrap().parse().unwrap();
    let count: u16 = env::var("CHAOS_COUNT").unwrap().parse().unwrap();
    for port in (first..first + count).cycle() {
        let options = Options::new(port);
        if bind(&options).map(drop).is_ok() {
            serve(&options);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn serve(options: &Options) {
    loop {
        let socket = bind(options).unwrap_or_else(|error| {
            eprintln!("cannot bind {}: {error}", options.port);
            process::exit(1);
        });
        let listener = TcpListener::from(socket);
        for stream in listener.incoming().flatten() {
            if answer(stream, &listener) {
                break;
            }
        }
    }
}

/// Answer one request. Returns whether the service must bind a new socket.
fn answer(mut stream: TcpStream, listener: &TcpListener) -> bool {
    // Without a timeout, a client that sends nothing would block the service.
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).unwrap_or(0);
    let request = String::from_utf8_lossy(&bytes[..count]).into_owned();
    let body = serde_json::json!({ "run": mark(), "pid": process::id() }).to_string();
    let length = body.len();
    // The client may have closed the connection.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    drop(stream);
    let path = request.split(' ').nth(1).unwrap_or_default();
    match path.strip_prefix("/do/") {
        Some("exit") => process::exit(0),
        Some("abort") => process::abort(),
        Some("hang") => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        Some("flood") => {
            thread::spawn(flood);
        }
        Some("exhaust") => {
            thread::spawn(exhaust_descriptors);
        }
        Some("rebind") => return true,
        Some("fork") => {
            // The child inherits the socket, as in servers that fork.
            let _ = rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::empty());
            spawn_child(&["stay", "plain"]);
            let _ = rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::CLOEXEC);
        }
        Some(word @ ("plain" | "setsid" | "stubborn")) => spawn_child(&["stay", word]),
        _ => {}
    }
    false
}
