//! Accepts connections and serves them.
//!
//! The caller's runtime accepts connections and distributes them to threads. Each thread has its
//! own runtime and its own connection pool, and serves a connection from start to end, so requests
//! never wait for another thread.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::api::Api;
use crate::cache::InstanceCache;
use crate::peer::{ListenerKind, Peer};
use crate::proxy::{ClientConnection, Proxy};
use crate::strict::StrictStream;
use crate::tls::{Authority, TlsAcceptor};

/// How long a client may take to send the head of a request, and how long it may keep an idle
/// connection open.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum size of a request's head in bytes. It is large because `localhost` collects the
/// cookies of all projects.
const MAX_HEAD_SIZE: usize = 64 << 10;

/// The maximum number of concurrent requests per HTTP/2 connection. A browser requests all modules
/// of an unbundled page at the same time.
const MAX_CONCURRENT_STREAMS: u32 = 1000;

/// The maximum number of open connections.
const MAX_CONNECTIONS: usize = 4096;

/// How long open requests may take to complete when the gateway stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait after accepting a connection failed, for example without free file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

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
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    let mut all: Vec<_> = listeners
        .into_iter()
        .map(|listener| (listener, Protocol::Http))
        .collect();
    if let Some(tls) = tls {
        let acceptor = TlsAcceptor::new(tls.authority, cache)?;
        let listeners = tls.listeners.into_iter();
        all.extend(listeners.map(|listener| (listener, Protocol::Https(acceptor.clone()))));
    }
    for (listener, protocol) in all {
        tracing::info!(address = ?listener.local_addr().ok(), "listening");
        let accepting = accept(listener, protocol, senders.clone(), permits.clone());
        tasks.spawn(accepting);
    }
    let maintained = api.clone();
    tasks.spawn(async move {
        maintained.maintain().await;
        Ok(())
    });
    api.forwards().start({
        let (senders, runtime) = (senders.clone(), Handle::current());
        Arc::new(move |listener| {
            let protocol = Protocol::FixedPort;
            let accepting = accept(listener, protocol, senders.clone(), permits.clone());
            runtime.spawn(accepting).abort_handle()
        })
    });
    stop.await;
    tasks.shutdown().await;
    api.close();
    drop(senders);
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
    permit: OwnedSemaphorePermit,
}

/// Accepts connections and distributes them to the workers in turn.
async fn accept(
    listener: std::net::TcpListener,
    protocol: Protocol,
    workers: Vec<mpsc::UnboundedSender<Connection>>,
    permits: Arc<Semaphore>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let port = listener.local_addr()?.port();
    for worker in workers.iter().cycle() {
        // Connections without a permit wait in the kernel's backlog.
        let permit = permits
            .clone()
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, address) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_DELAY).await,
            }
        };
        // A failure here affects this connection only.
        if let Ok(connection) = connection(stream, address, port, protocol.clone(), permit)
            && worker.send(connection).is_err()
        {
            break;
        }
    }
    Ok(())
}

fn connection(
    stream: TcpStream,
    address: SocketAddr,
    port: u16,
    protocol: Protocol,
    permit: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let sockets = (address, stream.local_addr()?);
    Ok(Connection {
        stream: stream.into_std()?,
        peer: Peer {
            address: address.ip(),
            port,
            listener: protocol.kind(),
            sockets,
        },
        protocol,
        permit,
    })
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
        permit,
    } = connection;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    match protocol {
        Protocol::Http | Protocol::FixedPort => serve_http(stream, peer, proxy, stopped).await,
        Protocol::Https(acceptor) => {
            // A client that rejects the handshake reports the reason itself.
            if let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, acceptor.accept(stream)).await {
                serve_http(stream, peer, proxy, stopped).await;
            }
        }
    }
    drop(permit);
}

/// Serves the requests of one connection.
async fn serve_http<S>(stream: S, peer: Peer, proxy: Arc<Proxy>, mut stopped: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let client = Arc::new(ClientConnection::new(peer));
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, client) = (proxy.clone(), client.clone());
        async move { Ok::<_, Infallible>(proxy.respond(request, &client).await) }
    });
    let builder = http_builder();
    let stream = TokioIo::new(StrictStream::new(stream));
    let served = builder.serve_connection_with_upgrades(stream, service);
    tokio::pin!(served);
    tokio::select! {
        // An error means that the client broke the protocol or closed the connection.
        _ = served.as_mut() => {}
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
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
