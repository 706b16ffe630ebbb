//! Accepts connections and serves them.
//!
//! The caller's runtime accepts connections and distributes them to threads. Each thread has its
//! own runtime and its own connection pool, and serves a connection from start to end, so requests
//! never wait for another thread.

mod accept;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::Api;
use crate::cache::InstanceCache;
use crate::connections::{Connections, Limits, OpenConnection};
use crate::peer::{ListenerKind, Peer};
use crate::platform;
use crate::proxy::{ClientConnection, Proxy};
use crate::response::ActiveBody;
use crate::strict::{StrictStream, UpgradeGate};
use crate::tls::{Authority, TlsAcceptor};
use accept::Acceptor;

/// How long a client may take to send the head of a request, and how long it may keep an idle
/// connection open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum size of a request's head in bytes. It is large because `localhost` collects the
/// cookies of all projects.
const MAX_HEAD_SIZE: usize = 64 << 10;

/// The maximum number of concurrent requests per HTTP/2 connection. A browser requests all modules
/// of an unbundled page at the same time.
const MAX_CONCURRENT_STREAMS: u32 = 1000;

/// How long open requests may take to complete when the gateway stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection may take to close when others need its place.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The listeners for HTTPS and the authority that signs their certificates.
#[derive(Debug)]
pub struct TlsListeners {
    /// Sockets that are already listening.
    pub listeners: Vec<std::net::TcpListener>,
    /// The local certificate authority.
    pub authority: Authority,
}

/// Serves HTTP on `listeners` and HTTPS on `tls` until `stop` completes.
///
/// The listeners must already be listening. At least one of `threads` threads serves. `cache`
/// resolves names, and `api` responds on the gateway's own name.
///
/// # Errors
/// If a socket, a runtime or a thread cannot be created, or TLS cannot be configured.
pub async fn serve(
    listeners: Vec<std::net::TcpListener>,
    tls: Option<TlsListeners>,
    cache: InstanceCache,
    api: Api,
    threads: usize,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(());
    let mut senders = Vec::new();
    let mut workers = Vec::new();
    for _ in 0..threads.max(1) {
        let (sender, connections) = mpsc::unbounded_channel();
        let proxy = Arc::new(Proxy::new(cache.clone(), &api));
        let stopped = stopped.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let worker = thread::Builder::new().name("gateway".into());
        workers.push(worker.spawn(move || {
            runtime.block_on(run_worker(connections, proxy, stopped));
        })?);
        senders.push(sender);
    }
    let limits = Limits::for_descriptors(platform::max_descriptors());
    let acceptor = Acceptor::new(senders, Connections::new(limits))?;
    let mut tasks = JoinSet::new();
    let mut all: Vec<_> = listeners
        .into_iter()
        .map(|listener| (listener, Protocol::Http))
        .collect();
    if let Some(tls) = tls {
        let tls_acceptor = TlsAcceptor::new(tls.authority, cache)?;
        let listeners = tls.listeners.into_iter();
        all.extend(listeners.map(|listener| (listener, Protocol::Https(tls_acceptor.clone()))));
    }
    for (listener, protocol) in all {
        tracing::info!(address = ?listener.local_addr().ok(), "listening");
        tasks.spawn(acceptor.clone().run(listener, protocol));
    }
    let maintained = api.clone();
    tasks.spawn(async move {
        maintained.maintain().await;
        Ok(())
    });
    api.forwards().start({
        let runtime = Handle::current();
        Arc::new(move |listener| {
            let accepting = acceptor.clone().run(listener, Protocol::FixedPort);
            runtime.spawn(accepting).abort_handle()
        })
    });
    stop.await;
    tasks.shutdown().await;
    // This drops the acceptor of the fixed ports, the last that sends connections to the workers.
    api.close();
    drop(stopping);
    tokio::task::spawn_blocking(move || {
        for worker in workers {
            // The panic hook has already reported a worker that panicked.
            let _ = worker.join();
        }
    })
    .await
    .map_err(io::Error::other)
}

/// What a listener serves, with what it needs for that.
#[derive(Clone)]
enum Protocol {
    Http,
    Https(TlsAcceptor),
    FixedPort,
}

impl Protocol {
    fn kind(&self) -> ListenerKind {
        match self {
            Self::Http => ListenerKind::Http,
            Self::Https(_) => ListenerKind::Https,
            Self::FixedPort => ListenerKind::FixedPort,
        }
    }
}

/// An accepted connection on its way to a worker.
struct Connection {
    stream: std::net::TcpStream,
    peer: Peer,
    protocol: Protocol,
    open: OpenConnection,
}

/// Serves connections until the channel is closed.
async fn run_worker(
    mut connections: mpsc::UnboundedReceiver<Connection>,
    proxy: Arc<Proxy>,
    stopped: watch::Receiver<()>,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv() => match connection {
                Some(connection) => {
                    open.spawn(serve_connection(connection, proxy.clone(), stopped.clone()));
                }
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    let drained = async { while open.join_next().await.is_some() {} };
    // Connections that are still open after the timeout are dropped.
    let _ = timeout(DRAIN_TIMEOUT, drained).await;
}

/// Serves one connection until it is closed.
async fn serve_connection(connection: Connection, proxy: Arc<Proxy>, stopped: watch::Receiver<()>) {
    let Connection {
        stream,
        peer,
        protocol,
        open,
    } = connection;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    let client = Arc::new(ClientConnection::new(peer, Arc::new(open)));
    match protocol {
        Protocol::Http | Protocol::FixedPort => serve_http(stream, client, proxy, stopped).await,
        Protocol::Https(acceptor) => {
            let handshake = tokio::select! {
                handshake = timeout(HEAD_TIMEOUT, acceptor.accept(stream)) => handshake,
                () = client.open.must_close() => return,
            };
            // A client that rejects the handshake reports the reason itself.
            if let Ok(Ok(stream)) = handshake {
                serve_http(stream, client, proxy, stopped).await;
            }
        }
    }
}

/// Serves the requests of one connection.
async fn serve_http<S>(
    stream: S,
    client: Arc<ClientConnection>,
    proxy: Arc<Proxy>,
    mut stopped: watch::Receiver<()>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let open = client.open.clone();
    let gate = Arc::new(UpgradeGate::default());
    let upgrade_gate = gate.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, client, gate) = (proxy.clone(), client.clone(), upgrade_gate.clone());
        async move {
            let active = client.open.start_request();
            let asks_upgrade = request.headers().contains_key(header::UPGRADE);
            let response = proxy.respond(request, &client).await;
            if asks_upgrade {
                gate.decide(response.status() == StatusCode::SWITCHING_PROTOCOLS);
            }
            Ok::<_, Infallible>(response.map(|body| ActiveBody::new(body, active)))
        }
    });
    let builder = http_builder();
    let stream = TokioIo::new(StrictStream::new(stream, HEAD_TIMEOUT, gate));
    let served = builder.serve_connection_with_upgrades(stream, service);
    tokio::pin!(served);
    tokio::select! {
        // An error means that the client broke the protocol or closed the connection.
        _ = served.as_mut() => {}
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
        () = open.must_close() => {
            served.as_mut().graceful_shutdown();
            let closed = timeout(CLOSE_TIMEOUT, served.as_mut()).await;
            // A request may have arrived just before.
            if closed.is_err() && !open.is_idle() {
                let _ = served.await;
            }
        }
    }
}

/// Configures HTTP/1.1 and HTTP/2 with their limits.
fn http_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // hyper allocates memory for each head if the limit is above its default of 100 headers.
        .max_buf_size(MAX_HEAD_SIZE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .max_header_list_size(MAX_HEAD_SIZE as u32)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT);
    builder
}
