//! What the service does.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use std::{env, fs, process, thread};

use socket2::{Domain, Socket, Type};

/// How much a flood prints, in bytes: more than a log file holds before it is turned over once.
const FLOOD: usize = 1 << 20;

/// How it was told to behave.
struct Mood {
    host: IpAddr,
    reuse: bool,
    port: u16,
}

pub(crate) fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        // The children: they stay until somebody ends them.
        ["stay", ref how @ ..] => stay(how),
        ["daemon", port] => {
            let _ = rustix::process::setsid();
            serve(&Mood {
                host: Ipv4Addr::LOCALHOST.into(),
                reuse: true,
                port: port.parse().expect("a port"),
            });
        }
        [port] => start(port.parse().expect("a port")),
        _ => panic!("usage: portway-chaos-service PORT"),
    }
}

/// The mark that Portway gives every service.
fn run() -> String {
    env::var("PORTWAY_RUN").unwrap_or_default()
}

/// The words of the mood file; none where there is no file.
fn mood_words() -> Vec<String> {
    let Some(moods) = env::var_os("CHAOS_MOODS") else {
        return Vec::new();
    };
    let directory = env::current_dir().unwrap_or_default();
    let checkout = directory.file_name().unwrap_or_default().to_string_lossy();
    let run = run();
    let service = run.rsplit('/').next().unwrap_or_default();
    let file = Path::new(&moods).join(format!("{checkout}.{service}"));
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn start(port: u16) {
    let mut mood = Mood {
        host: Ipv4Addr::LOCALHOST.into(),
        reuse: true,
        port,
    };
    let words = mood_words();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut number = || -> u64 { words.next().unwrap().parse().expect("a number") };
        match word {
            "slow" => thread::sleep(Duration::from_millis(number())),
            "die" => process::exit(number() as i32),
            "crash" => {
                let after = Duration::from_millis(number());
                thread::spawn(move || {
                    thread::sleep(after);
                    process::abort();
                });
            }
            "host" => mood.host = words.next().unwrap().parse().expect("an address"),
            "no-reuse" => mood.reuse = false,
            "ignore" => ignore_signals(),
            "daemonize" => {
                child(&["daemon", &port.to_string()]);
                process::exit(0);
            }
            "stray" => return stray(),
            "flood" => {
                thread::spawn(flood);
            }
            word => child(&["stay", word]),
        }
    }
    serve(&mood);
}

fn ignore_signals() {
    for signal in [15, 2, 1] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))).unwrap();
    }
}

/// Starts another process of this program.
fn child(arguments: &[&str]) {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(arguments).stdin(Stdio::null());
    let _ = command.spawn();
}

fn stay(how: &[&str]) {
    if how != ["plain"] {
        let _ = rustix::process::setsid();
    }
    if how == ["stubborn"] {
        ignore_signals();
    }
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
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

fn bind(mood: &Mood) -> std::io::Result<Socket> {
    let address = SocketAddr::new(mood.host, mood.port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(mood.reuse)?;
    socket.bind(&address.into())?;
    socket.listen(64)?;
    Ok(socket)
}

/// Cares nothing for the port it was given: serves on whatever it can get beside it.
fn stray() {
    let first: u16 = env::var("CHAOS_FIRST").unwrap().parse().unwrap();
    let count: u16 = env::var("CHAOS_COUNT").unwrap().parse().unwrap();
    for port in (first..first + count).cycle() {
        let mood = Mood {
            host: Ipv4Addr::LOCALHOST.into(),
            reuse: true,
            port,
        };
        if bind(&mood).is_ok_and(|socket| {
            drop(socket);
            true
        }) {
            serve(&mood);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn serve(mood: &Mood) {
    loop {
        let socket = bind(mood).unwrap_or_else(|error| {
            eprintln!("cannot bind {}: {error}", mood.port);
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

/// Answers one request; true asks for a new socket.
fn answer(mut stream: TcpStream, listener: &TcpListener) -> bool {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).unwrap_or(0);
    let request = String::from_utf8_lossy(&bytes[..count]).into_owned();
    let body = serde_json::json!({ "run": run(), "pid": process::id() }).to_string();
    let length = body.len();
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
        Some("rebind") => return true,
        Some("fork") => {
            // Passed on through exec, as servers that fork do.
            let _ = rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::empty());
            child(&["stay", "plain"]);
            let _ = rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::CLOEXEC);
        }
        Some(word @ ("plain" | "setsid" | "stubborn")) => child(&["stay", word]),
        _ => {}
    }
    false
}
