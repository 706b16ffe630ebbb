//! A gateway for each test, on a free port, with services behind it.

mod service;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use portway_api::{
    ErrorCode, ErrorInfo, Forward, FreeReport, GatewayStatus, InstanceState, InstanceStatus,
    PathRoute, PortMap, PortReport, PortStatus, ServiceState, ServiceStatus,
};
use portway_gateway::tls::{Authority, GeneratedAuthority, ROOT_FILE};
use portway_gateway::{Api, InstanceCache, InstanceRecord, Operations, TlsListeners};
use tokio::sync::oneshot;

pub(crate) use service::TestService;

const READ_TIMEOUT: Duration = Duration::from_secs(20);

/// A running gateway and its instances.
pub(crate) struct TestGateway {
    /// The address for HTTP.
    pub(crate) address: SocketAddr,
    /// The address for HTTPS.
    pub(crate) tls_address: SocketAddr,
    /// The fixed port of the first service, if it has one.
    pub(crate) fixed_port: u16,
    instances: Arc<Mutex<Vec<InstanceStatus>>>,
    cache: InstanceCache,
    /// Contains the logs of all instances, and the certificate authority.
    dir: tempfile::TempDir,
    operations: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestGateway {
    /// Starts a gateway with the instance `jobi`, whose services are ready.
    pub(crate) fn with_services(services: &[(&str, u16)]) -> Self {
        Self::with_instance(jobi(services))
    }

    /// Starts a gateway with one instance.
    pub(crate) fn with_instance(instance: InstanceStatus) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let instances = Arc::new(Mutex::new(vec![instance]));
        let (stop, stopped) = oneshot::channel();
        let (cache_sender, cache) = std::sync::mpsc::channel();
        let source = instances.clone();
        let dir = tempfile::tempdir().unwrap();
        let log_dir = dir.path().to_owned();
        let ca = dir.path().join("ca");
        GeneratedAuthority::new().unwrap().write(&ca).unwrap();
        let tls = TlsListeners {
            listeners: vec![TcpListener::bind("127.0.0.1:0").unwrap()],
            authority: Authority::read(&ca).unwrap().unwrap(),
        };
        let tls_address = tls.listeners[0].local_addr().unwrap();
        let fixed = TcpListener::bind("127.0.0.1:0").unwrap();
        let fixed_port = fixed.local_addr().unwrap().port();
        let forwards = fixed_port_of(&instances.lock().unwrap()[0], fixed_port);
        let operations = Arc::new(Mutex::new(Vec::new()));
        let recorder = Arc::new(RecordedOperations {
            operations: operations.clone(),
            fixed: Mutex::new(Some(fixed)),
        });
        let status = GatewayStatus {
            port: address.port(),
            tls_port: Some(tls_address.port()),
            forwards,
            pid: std::process::id(),
            since: 1,
            version: "0".into(),
        };
        let thread = std::thread::spawn(move || {
            runtime().block_on(async {
                let cache = InstanceCache::start(Arc::new(move || {
                    let all = source.lock().unwrap();
                    let record = |status: &InstanceStatus| InstanceRecord {
                        status: status.clone(),
                        socket: None,
                        log_dir: log_dir.clone(),
                    };
                    Ok(all.iter().map(record).collect())
                }));
                cache.refresh().await;
                cache_sender.send(cache.clone()).unwrap();
                let stop = async { drop(stopped.await) };
                let api = Api::new(status, cache.clone(), recorder).unwrap();
                portway_gateway::serve(vec![listener], Some(tls), cache, api, 2, stop)
                    .await
                    .unwrap();
            });
        });
        Self {
            address,
            tls_address,
            fixed_port,
            instances,
            dir,
            operations,
            cache: cache.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Changes the instances and waits until the gateway has read the change.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Vec<InstanceStatus>)) {
        self.change_unnoticed(change);
        let expected = self.instances.lock().unwrap().clone();
        runtime().block_on(async {
            loop {
                let snapshot = self.cache.refresh().await;
                let current: Vec<_> = snapshot
                    .all()
                    .iter()
                    .map(|one| (*one.status).clone())
                    .collect();
                if current.len() == expected.len()
                    && expected.iter().all(|one| current.contains(one))
                {
                    break;
                }
            }
        });
    }

    /// Changes the instances without waiting for the gateway.
    pub(crate) fn change_unnoticed(&self, change: impl FnOnce(&mut Vec<InstanceStatus>)) {
        change(&mut self.instances.lock().unwrap());
    }

    /// Returns the root certificate of the gateway's authority as PEM.
    pub(crate) fn root(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("ca").join(ROOT_FILE)).unwrap()
    }

    /// Returns the operations that the gateway requested.
    pub(crate) fn operations(&self) -> Vec<String> {
        self.operations.lock().unwrap().clone()
    }

    /// Writes the log of a service.
    pub(crate) fn write_log(&self, service: &str, lines: &str) {
        let file = self.dir.path().join(format!("{service}.0.ndjson"));
        std::fs::write(file, lines).unwrap();
    }

    /// Sets the state of a service of the first instance.
    pub(crate) fn set_state(&self, service: &str, state: ServiceState) {
        self.change(|all| {
            let mut services = all[0].services.iter_mut();
            services.find(|one| one.name == service).unwrap().state = state;
        });
    }

    /// Opens a connection to the gateway. Reads time out after [`READ_TIMEOUT`].
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
        stream
    }

    /// Sends `bytes` and reads until the gateway closes the connection.
    pub(crate) fn send(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect();
        // The gateway may reject the request before all of it was sent.
        let _ = stream.write_all(bytes);
        let mut response = Vec::new();
        let _ = stream.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    }

    /// Requests `path` of `host` on a new connection, with additional header lines.
    pub(crate) fn get(&self, host: &str, path: &str, headers: &str) -> String {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        self.send(request.as_bytes())
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        let joined = self.thread.take().unwrap().join();
        if !std::thread::panicking() {
            joined.unwrap();
        }
    }
}

/// Creates a runtime for a single thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Returns the body of a response, or "" if it has none.
pub(crate) fn body_of(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// Records operations without performing them. The tests of the binary cover the real ones.
struct RecordedOperations {
    operations: Arc<Mutex<Vec<String>>>,
    /// The listener of the fixed port.
    fixed: Mutex<Option<TcpListener>>,
}

impl RecordedOperations {
    fn record<T>(&self, operation: String) -> Result<T, ErrorInfo> {
        self.operations.lock().unwrap().push(operation);
        Err(ErrorInfo {
            code: ErrorCode::NotFound,
            message: "recorded".into(),
            place: None,
            hints: Vec::new(),
        })
    }
}

impl Operations for RecordedOperations {
    fn port_map(&self) -> Result<PortMap, ErrorInfo> {
        self.record("port_map".into())
    }

    fn port_report(&self, port: u16) -> Result<PortReport, ErrorInfo> {
        self.record(format!("port_report {port}"))
    }

    fn free_port(&self, port: u16, dry_run: bool) -> Result<FreeReport, ErrorInfo> {
        self.record(format!("free_port {port} {dry_run}"))
    }

    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo> {
        let is_fixed =
            |listener: &mut TcpListener| listener.local_addr().is_ok_and(|one| one.port() == port);
        match self.fixed.lock().unwrap().take_if(is_fixed) {
            Some(listener) => Ok(vec![listener]),
            None => self.record(format!("listen {port}")),
        }
    }

    fn save_status(&self, _: &GatewayStatus) -> Result<(), ErrorInfo> {
        self.record("save_status".into())
    }

    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo> {
        self.record(format!("start_services {directory} {services:?}"))
    }
}

/// Returns the fixed port of an instance's first service.
fn fixed_port_of(instance: &InstanceStatus, port: u16) -> Vec<Forward> {
    let service = instance.services.first();
    let forward = service.map(|service| Forward {
        port,
        id: instance.id.clone(),
        instance: instance.name.clone(),
        service: service.name.clone(),
        trouble: None,
    });
    Vec::from_iter(forward)
}

/// Returns the instance `jobi` with ready services. The first one is the main service.
pub(crate) fn jobi(services: &[(&str, u16)]) -> InstanceStatus {
    let services: Vec<ServiceStatus> = services
        .iter()
        .map(|(name, port)| {
            let url = format!("http://localhost:{port}");
            ServiceStatus::without_process(
                *name,
                ServiceState::Ready,
                vec![PortStatus {
                    name: None,
                    port: *port,
                    inner: None,
                    observed: false,
                    url,
                    displaced: None,
                    warning: None,
                }],
            )
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
        usual_ports: Vec::new(),
        lan: false,
        network: None,
        changed_files: Vec::new(),
        services,
    }
}

/// Returns a path route.
pub(crate) fn route(path: &str, service: &str, strip: bool) -> PathRoute {
    PathRoute {
        path: path.to_owned(),
        service: service.to_owned(),
        strip,
    }
}
