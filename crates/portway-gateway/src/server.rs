//! The listening side: connections in, limits, threads.
//!
//! The caller's runtime accepts and keeps the snapshot. Each thread has a runtime of its own and
//! serves the connections that it is handed from their first byte to their last, with a pool of its
//! own: no request waits for another thread.

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
use crate::proxy::{Client, Peer, Proxy};
use crate::strict::Strict;
use crate::tls::{Authority, Tls};

/// How long a client may take for the head of a request, and keep a connection without one.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// How large the head of a request may be, in bytes: room for many cookies, as `localhost` gathers
/// them from all projects.
const HEAD_SIZE: usize = 64 << 10;

/// How many requests one HTTP/2 connection may have open at once. A browser asks for every module
/// of an unbundled page at the same time.
const STREAMS: u32 = 1000;

/// How many connections there may be at once.
const CONNECTIONS: usize = 4096;

/// How long open requests may take to end when the gateway stops.
const DRAIN: Duration = Duration::from_secs(2);

/// The pause after a connection could not be accepted, as for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where connections are made safe, and who vouches for the names there.
#[derive(Debug)]
pub struct TlsListeners {
    /// Sockets that listen already.
    pub listeners: Vec<std::net::TcpListener>,
    /// The local authority.
    pub authority: Authority,
}

/// Serves on `listeners`, which listen already, and by TLS on those of `secure`, until `stop` is
/// done; `threads` serve, at least one. `snapshot` tells where names lead, `api` answers on the
/// gateway's own.
///
/// # Errors
/// When a socket or a thread cannot be had.
pub async fn serve(
    listeners: Vec<std::net::TcpListener>,
    secure: Option<TlsListeners>,
    cache: InstanceCache,
    api: Api,
    threads: usize,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (stopping, stopped) = watch::channel(());
    let mut workers = Vec::new();
    let mut running = Vec::new();
    for _ in 0..threads.max(1) {
        let (sender, connections) = mpsc::unbounded_channel();
        let proxy = Arc::new(Proxy::new(cache.clone(), &api));
        let stopped = stopped.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let worker = thread::Builder::new().name("gateway".into());
        running.push(worker.spawn(move || {
            runtime.block_on(work(connections, proxy, stopped));
        })?);
        workers.push(sender);
    }
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut accepting = JoinSet::new();
    let plain = listeners.into_iter().map(|one| (one, Door::default()));
    let mut doors: Vec<_> = plain.collect();
    if let Some(secure) = secure {
        let tls = Tls::new(secure.authority, cache)?;
        doors.extend(secure.listeners.into_iter().map(|one| {
            let tls = Some(tls.clone());
            (one, Door { tls, fixed: false })
        }));
    }
    for (listener, door) in doors {
        accepting.spawn(accept(listener, door, workers.clone(), room.clone()));
    }
    let tended = api.clone();
    accepting.spawn(async move {
        tended.tend().await;
        Ok(())
    });
    api.forwards().open({
        let (workers, runtime) = (workers.clone(), Handle::current());
        Arc::new(move |listener| {
            let fixed = Door {
                tls: None,
                fixed: true,
            };
            let accept = accept(listener, fixed, workers.clone(), room.clone());
            runtime.spawn(accept).abort_handle()
        })
    });
    stop.await;
    accepting.shutdown().await;
    api.close();
    drop(workers);
    drop(stopping);
    tokio::task::spawn_blocking(move || {
        for worker in running {
            // A thread that panicked has said so itself.
            let _ = worker.join();
        }
    })
    .await
    .map_err(io::Error::other)
}

/// What a listener is for.
#[derive(Clone, Default)]
struct Door {
    /// What makes connections safe, where that is wanted.
    tls: Option<Tls>,
    /// Whether it leads to one service, whatever name is asked for.
    fixed: bool,
}

/// A connection on its way to a thread.
struct Connection {
    stream: std::net::TcpStream,
    peer: Peer,
    /// What makes it safe, where that is wanted.
    tls: Option<Tls>,
    room: OwnedSemaphorePermit,
}

/// Accepts connections and hands them to the workers in turn.
async fn accept(
    listener: std::net::TcpListener,
    door: Door,
    workers: Vec<mpsc::UnboundedSender<Connection>>,
    room: Arc<Semaphore>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let port = listener.local_addr()?.port();
    for worker in workers.iter().cycle() {
        // Those that do not fit wait in the kernel's queue.
        let room = room
            .clone()
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, address) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        };
        if let Ok(connection) = connection(stream, address, port, door.clone(), room)
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
    door: Door,
    room: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    stream.set_nodelay(true)?;
    let ends = (address, stream.local_addr()?);
    Ok(Connection {
        stream: stream.into_std()?,
        peer: Peer {
            address: address.ip(),
            port,
            fixed: door.fixed,
            tls: door.tls.is_some(),
            ends,
        },
        tls: door.tls,
        room,
    })
}

/// Serves connections until there are no more.
async fn work(
    mut connections: mpsc::UnboundedReceiver<Connection>,
    proxy: Arc<Proxy>,
    stopped: watch::Receiver<()>,
) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            connection = connections.recv() => match connection {
                Some(connection) => {
                    open.spawn(serve_one(connection, proxy.clone(), stopped.clone()));
                }
                None => break,
            },
            Some(_) = open.join_next() => {}
        }
    }
    let drained = async { while open.join_next().await.is_some() {} };
    let _ = timeout(DRAIN, drained).await;
}

/// Serves one connection to its end.
async fn serve_one(connection: Connection, proxy: Arc<Proxy>, stopped: watch::Receiver<()>) {
    let Connection {
        stream,
        peer,
        tls,
        room,
    } = connection;
    let Ok(stream) = TcpStream::from_std(stream) else {
        return;
    };
    match tls {
        None => converse(stream, peer, proxy, stopped).await,
        Some(tls) => {
            // Why a client did not like the handshake it says itself.
            if let Ok(Ok(stream)) = timeout(HEAD_TIME, tls.accept(stream)).await {
                converse(stream, peer, proxy, stopped).await;
            }
        }
    }
    drop(room);
}

/// Serves the requests of one connection.
async fn converse<S>(stream: S, peer: Peer, proxy: Arc<Proxy>, mut stopped: watch::Receiver<()>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let client = Arc::new(Client::new(peer));
    let service = service_fn(move |request: Request<Incoming>| {
        let (proxy, client) = (proxy.clone(), client.clone());
        async move { Ok::<_, Infallible>(proxy.answer(request, &client).await) }
    });
    let builder = protocols();
    let served = builder.serve_connection_with_upgrades(TokioIo::new(Strict::new(stream)), service);
    tokio::pin!(served);
    tokio::select! {
        // How a client ends its connection is its own business.
        _ = served.as_mut() => {}
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            let _ = served.await;
        }
    }
}

/// HTTP/1.1 and HTTP/2 on one port, with their limits.
fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        // The library's own limit of 100 fields is kept: room for more is made anew for each head.
        .max_buf_size(HEAD_SIZE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_SIZE as u32)
        .keep_alive_interval(HEAD_TIME)
        .keep_alive_timeout(HEAD_TIME);
    builder
}
