//! A gateway of its own for each test, on a port that the kernel chooses, and services behind it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portway_api::{
    ErrorCode, ErrorInfo, FreeReport, GatewayStatus, InstanceState, InstanceStatus, PathRoute,
    PortMap, PortReport, PortStatus, ServiceState, ServiceStatus,
};
use portway_gateway::tls::{Authority, GeneratedAuthority, ROOT_FILE};
use portway_gateway::{Api, InstanceCache, InstanceRecord, Operations, TlsListeners};
use tokio::sync::oneshot;

/// A gateway, with the instances that it knows.
pub(crate) struct Town {
    pub(crate) address: SocketAddr,
    /// Where it serves by TLS.
    pub(crate) tls_address: SocketAddr,
    instances: Arc<Mutex<Vec<InstanceStatus>>>,
    cache: InstanceCache,
    logs: tempfile::TempDir,
    acts: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Town {
    /// A gateway that knows one instance, `jobi`, whose services are `services` and ready.
    pub(crate) fn of(services: &[(&str, u16)]) -> Self {
        Self::with(jobi(services))
    }

    pub(crate) fn with(instance: InstanceStatus) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let instances = Arc::new(Mutex::new(vec![instance]));
        let (stop, stopped) = oneshot::channel();
        let (send, receive) = std::sync::mpsc::channel();
        let known = instances.clone();
        let logs = tempfile::tempdir().unwrap();
        let directory = logs.path().to_owned();
        let ca = logs.path().join("ca");
        GeneratedAuthority::new().unwrap().write(&ca).unwrap();
        let secure = TlsListeners {
            listeners: vec![TcpListener::bind("127.0.0.1:0").unwrap()],
            authority: Authority::read(&ca).unwrap().unwrap(),
        };
        let tls_address = secure.listeners[0].local_addr().unwrap();
        let acts = Arc::new(Mutex::new(Vec::new()));
        let machine = Arc::new(Noted(acts.clone()));
        let status = GatewayStatus {
            port: address.port(),
            tls_port: Some(tls_address.port()),
            forwards: Vec::new(),
            pid: std::process::id(),
            since: 1,
            version: "0".into(),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let cache = portway_gateway::InstanceCache::start(Arc::new(move || {
                    let all = known.lock().unwrap();
                    let known = |status: &InstanceStatus| InstanceRecord {
                        status: status.clone(),
                        socket: None,
                        log_dir: directory.clone(),
                    };
                    Ok(all.iter().map(known).collect())
                }));
                cache.refresh().await;
                send.send(cache.clone()).unwrap();
                let stop = async { drop(stopped.await) };
                let api = Api::new(status, cache.clone(), machine).unwrap();
                portway_gateway::serve(vec![listener], Some(secure), cache, api, 2, stop)
                    .await
                    .unwrap();
            });
        });
        Self {
            address,
            tls_address,
            instances,
            logs,
            acts,
            cache: receive.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Changes what the gateway knows, and waits until it does.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<InstanceStatus>)) {
        change(&mut self.instances.lock().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let wanted = self.instances.lock().unwrap().clone();
        runtime.block_on(async {
            loop {
                let snapshot = self.cache.refresh().await;
                let now: Vec<_> = snapshot
                    .all()
                    .iter()
                    .map(|one| (*one.status).clone())
                    .collect();
                if now.len() == wanted.len() && wanted.iter().all(|one| now.contains(one)) {
                    break;
                }
            }
        });
    }

    /// Changes what there is, without telling the gateway.
    pub(crate) fn quietly(&self, change: impl FnOnce(&mut Vec<InstanceStatus>)) {
        change(&mut self.instances.lock().unwrap());
    }

    /// The certificate that a client of its TLS trusts, as PEM.
    pub(crate) fn root(&self) -> Vec<u8> {
        std::fs::read(self.logs.path().join("ca").join(ROOT_FILE)).unwrap()
    }

    /// What the machine was asked to do.
    pub(crate) fn acts(&self) -> Vec<String> {
        self.acts.lock().unwrap().clone()
    }

    /// Writes the log of a service.
    pub(crate) fn log(&self, service: &str, lines: &str) {
        let file = self.logs.path().join(format!("{service}.0.ndjson"));
        std::fs::write(file, lines).unwrap();
    }

    /// Sets the state of a service of the first instance.
    pub(crate) fn set(&self, service: &str, state: ServiceState) {
        self.change(|all| {
            let services = &mut all[0].services;
            services
                .iter_mut()
                .find(|one| one.name == service)
                .unwrap()
                .state = state;
        });
    }

    /// A connection to the gateway. Reading from it gives up after a while.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends `bytes`, which ask for the connection's end, and reads until it has come.
    pub(crate) fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The gateway may have refused it before it was all sent.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks for `path` of `host` on a connection of its own; further header lines in `more`.
    pub(crate) fn get(&self, host: &str, path: &str, more: &str) -> String {
        self.raw(
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n")
                .as_bytes(),
        )
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        drop(self.stop.take());
        let joined = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            joined.unwrap();
        }
    }
}

/// A machine that notes what it is asked for and does nothing: these tests are about who may ask.
/// What the real one does is tested with the binary.
struct Noted(Arc<Mutex<Vec<String>>>);

impl Noted {
    fn note<T>(&self, what: String) -> Result<T, ErrorInfo> {
        self.0.lock().unwrap().push(what);
        Err(ErrorInfo {
            code: ErrorCode::NotFound,
            message: "noted".into(),
            place: None,
            hints: Vec::new(),
        })
    }
}

impl Operations for Noted {
    fn port_map(&self) -> Result<PortMap, ErrorInfo> {
        self.note("ports".into())
    }

    fn port_report(&self, port: u16) -> Result<PortReport, ErrorInfo> {
        self.note(format!("port {port}"))
    }

    fn free_port(&self, port: u16, dry_run: bool) -> Result<FreeReport, ErrorInfo> {
        self.note(format!("free {port} {dry_run}"))
    }

    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo> {
        self.note(format!("listen {port}"))
    }

    fn save_status(&self, _: &GatewayStatus) -> Result<(), ErrorInfo> {
        self.note("remember".into())
    }

    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo> {
        self.note(format!("up {directory} {services:?}"))
    }
}

/// The instance `jobi`, with ready services; its main one is the first.
pub(crate) fn jobi(services: &[(&str, u16)]) -> InstanceStatus {
    let services: Vec<ServiceStatus> = services
        .iter()
        .map(|(name, port)| {
            let url = format!("http://localhost:{port}");
            ServiceStatus {
                name: (*name).to_owned(),
                state: ServiceState::Ready,
                url: Some(url.clone()),
                named_url: None,
                forwards: Vec::new(),
                lan_urls: Vec::new(),
                max_body: None,
                ports: vec![PortStatus {
                    name: None,
                    port: *port,
                    url,
                    displaced: None,
                    warning: None,
                }],
                pid: None,
                since: None,
                restarts: 0,
                reason: None,
                message: None,
            }
        })
        .collect();
    InstanceStatus {
        id: "jobi".into(),
        name: "jobi".into(),
        project: "jobi".into(),
        directory: "/jobi".into(),
        branch: None,
        state: InstanceState::Ready,
        pid: None,
        since: None,
        main: services.first().map(|one| one.name.clone()),
        routes: Vec::new(),
        lan: false,
        services,
    }
}

/// A path that leads to a service.
pub(crate) fn route(path: &str, service: &str, strip: bool) -> PathRoute {
    PathRoute {
        path: path.to_owned(),
        service: service.to_owned(),
        strip,
    }
}

/// A service that notes what it is sent.
pub(crate) struct Service {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Default)]
struct Connections {
    all: usize,
    open: usize,
}

/// Answers a request on the stream that it came by; false when the connection shall end.
type Answer = dyn Fn(&str, &mut TcpStream) -> bool + Send + Sync;

impl Service {
    /// One whose answers are the request that it got, and close nothing.
    pub(crate) fn echo() -> Self {
        Self::at("127.0.0.1:0", |asked| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{asked}",
                asked.len()
            )
        })
    }

    /// One that answers with a text.
    pub(crate) fn at(
        address: &str,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::by(address, move |asked, stream| {
            stream.write_all(answer(asked).as_bytes()).is_ok()
        })
    }

    /// One that answers by writing.
    pub(crate) fn by(
        address: &str,
        answer: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let answer: Arc<Answer> = Arc::new(answer);
        let (seen, count) = (service.seen.clone(), service.connections.clone());
        // Its threads end with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (seen, answer, count) = (seen.clone(), answer.clone(), count.clone());
                let mut connections = count.lock().unwrap();
                connections.all += 1;
                connections.open += 1;
                drop(connections);
                std::thread::spawn(move || {
                    converse(stream, &seen, &*answer);
                    count.lock().unwrap().open -= 1;
                });
            }
        });
        service
    }

    /// What it was sent, request by request.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().all
    }

    /// Waits until nobody is connected.
    pub(crate) fn until_all_closed(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.connections.lock().unwrap().open > 0 {
            assert!(Instant::now() < deadline, "a connection was left");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads requests with a body of known length, or none, and answers them.
fn converse(mut stream: TcpStream, seen: &Mutex<Vec<String>>, answer: &Answer) {
    let mut buffer: Vec<u8> = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        if let Some(whole) = whole_request(&buffer) {
            let request = String::from_utf8_lossy(&buffer[..whole]).into_owned();
            buffer.drain(..whole);
            seen.lock().unwrap().push(request.clone());
            if !answer(&request, &mut stream) {
                return;
            }
            continue;
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

/// How long the first request in `buffer` is, when all of it is there.
fn whole_request(buffer: &[u8]) -> Option<usize> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        let rest = &buffer[end..];
        let last = rest.windows(5).position(|five| five == b"0\r\n\r\n")?;
        return Some(end + last + 5);
    }
    let length = head.split("content-length: ").nth(1);
    let length: usize = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    Some(end + length).filter(|&whole| buffer.len() >= whole)
}
