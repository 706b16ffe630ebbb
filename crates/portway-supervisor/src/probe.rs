//! Probes: single requests to a port of this machine. Readiness, liveness, `health` and `doctor` use
//! them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::platform;

/// How long one readiness probe may take. A server that hangs is probed again.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// A request to a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeRequest {
    /// An HTTP GET request.
    Http {
        /// The port.
        port: u16,
        /// The path, starting with `/`.
        path: String,
    },
    /// A TCP connection.
    Tcp {
        /// The port.
        port: u16,
    },
    /// A connection to a Unix socket. It fails on Windows.
    Unix {
        /// The path.
        path: PathBuf,
    },
    /// A CORS preflight request, as a browser sends it before a page of `origin` requests `path`
    /// with `method`.
    Preflight {
        /// The port.
        port: u16,
        /// The path, starting with `/`.
        path: String,
        /// The page's origin, such as `http://localhost:5173`.
        origin: String,
        /// The method, such as `GET`.
        method: String,
    },
}

/// The response to a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResponse {
    /// The HTTP status, 100 to 999; `None` for a TCP connection.
    pub status: Option<u16>,
    /// The time from the start of the connection to the response's head.
    pub latency: Duration,
    headers: HeaderMap,
}

impl ProbeResponse {
    /// Returns whether the probe succeeded: a TCP connection, or an HTTP status below 400.
    pub fn is_success(&self) -> bool {
        self.status.is_none_or(|status| status < 400)
    }

    /// Returns the value of a header, with repeated headers joined by commas. `None` if it is
    /// missing.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(name).iter();
        let values: Vec<String> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Why a probe got no response.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No process listens on the port.
    #[error("no process listens on port {0}")]
    NotListening(u16),
    /// The connection failed.
    #[error("cannot connect to port {port}: {source}")]
    Connect {
        /// The port.
        port: u16,
        /// The system's error.
        source: io::Error,
    },
    /// The connection to a Unix socket failed.
    #[error("cannot connect to the Unix socket: {0}")]
    Unix(io::Error),
    /// The server did not send a valid HTTP response.
    #[error("no HTTP response: {0}")]
    Http(#[from] hyper::Error),
    /// The request is not valid HTTP, for example because of its path.
    #[error("invalid request: {0}")]
    InvalidRequest(#[from] hyper::http::Error),
    /// The server did not respond in time.
    #[error("no response within {} s", .0.as_secs_f64())]
    Timeout(Duration),
}

/// Sends one request and waits for the response.
///
/// # Errors
/// When no valid response arrives within `timeout`.
pub async fn send(request: &ProbeRequest, timeout: Duration) -> Result<ProbeResponse, ProbeError> {
    let started = Instant::now();
    let response = async {
        let (status, headers) = match request {
            ProbeRequest::Tcp { port } => {
                connect(*port).await?;
                (None, HeaderMap::new())
            }
            ProbeRequest::Unix { path } => {
                let connected = platform::connect_unix(path).await;
                connected.map_err(ProbeError::Unix)?;
                (None, HeaderMap::new())
            }
            ProbeRequest::Http { port, path } => send_http(*port, Request::get(path)).await?,
            ProbeRequest::Preflight {
                port,
                path,
                origin,
                method,
            } => {
                let request = Request::builder()
                    .method(Method::OPTIONS)
                    .uri(path)
                    .header("origin", origin)
                    .header("access-control-request-method", method);
                send_http(*port, request).await?
            }
        };
        Ok(ProbeResponse {
            status,
            latency: started.elapsed(),
            headers,
        })
    };
    tokio::time::timeout(timeout, response)
        .await
        .unwrap_or(Err(ProbeError::Timeout(timeout)))
}

/// Connects over IPv4, or over IPv6 if that fails.
async fn connect(port: u16) -> Result<TcpStream, ProbeError> {
    let mut failure = None;
    for address in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                failure = Some(ProbeError::NotListening(port));
            }
            // On a machine without IPv6, the error of IPv4 is the relevant one.
            Err(source) => {
                failure.get_or_insert(ProbeError::Connect { port, source });
            }
        }
    }
    Err(failure.unwrap_or(ProbeError::NotListening(port)))
}

async fn send_http(
    port: u16,
    request: hyper::http::request::Builder,
) -> Result<(Option<u16>, HeaderMap), ProbeError> {
    let stream = TokioIo::new(connect(port).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let request = request
        .header("host", format!("localhost:{port}"))
        .header("user-agent", "portway")
        // Some development servers have no page for a client that accepts nothing.
        .header("accept", "*/*")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await;
    connection.abort();
    let (head, _) = response?.into_parts();
    Ok((Some(head.status.as_u16()), head.headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// Starts a server that sends one response and closes the connection.
    async fn server(response: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(response.as_bytes()).await;
        });
        port
    }

    async fn get(response: &'static str) -> Result<ProbeResponse, ProbeError> {
        let port = server(response).await;
        let path = "/health".to_owned();
        send(&ProbeRequest::Http { port, path }, PROBE_TIMEOUT).await
    }

    #[tokio::test]
    async fn a_status_below_400_is_success() {
        for (response, status, is_success) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, true),
            ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", 302, true),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 503, false),
        ] {
            let response = get(response).await.unwrap();
            let result = (response.status, response.is_success());
            assert_eq!(result, (Some(status), is_success));
        }
        assert!(get("nonsense\r\n\r\n").await.is_err());
        assert!(get("").await.is_err());
    }

    #[tokio::test]
    async fn sends_a_preflight_as_browsers_do() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 1024];
            let count = stream.read(&mut bytes).await.unwrap();
            let answer = "HTTP/1.1 204 X\r\nAllow: A\r\nallow: B\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&bytes[..count]).to_lowercase()
        });
        let request = ProbeRequest::Preflight {
            port,
            path: "/api".into(),
            origin: "http://localhost:5173".into(),
            method: "GET".into(),
        };
        let answer = send(&request, PROBE_TIMEOUT).await.unwrap();
        assert_eq!(answer.header("allow").as_deref(), Some("A, B"));
        assert_eq!(answer.header("vary"), None);
        let received = server.await.unwrap();
        assert!(received.contains("\r\naccept: */*\r\n"), "{received}");
        assert!(
            received.starts_with("options /api http/1.1\r\n"),
            "{received}"
        );
        assert!(
            received.contains("\r\norigin: http://localhost:5173\r\n"),
            "{received}"
        );
    }

    #[tokio::test]
    async fn fails_when_the_server_hangs_or_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = "/".to_owned();
        let request = ProbeRequest::Http { port, path };
        let error = send(&request, Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.to_string(), "no response within 0.05 s");
        assert!(
            send(&ProbeRequest::Tcp { port }, PROBE_TIMEOUT)
                .await
                .is_ok()
        );
        drop(listener);
        let error = send(&ProbeRequest::Tcp { port }, PROBE_TIMEOUT).await;
        assert!(matches!(error, Err(ProbeError::NotListening(p)) if p == port));
    }
}
