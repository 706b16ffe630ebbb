//! Probes: one question to a port of this machine, and what it answers. Readiness, liveness, `health`
//! and `doctor` all ask here.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest that one readiness question may take; a server that hangs is asked again.
pub const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeRequest {
    /// What does this path answer?
    Http {
        /// The port.
        port: u16,
        /// The path, from `/` on.
        path: String,
    },
    /// Does the port accept a connection?
    Tcp {
        /// The port.
        port: u16,
    },
    /// May a page of `origin` call this path with `method`? The question that a browser asks
    /// before it does (CORS preflight).
    Preflight {
        /// The port.
        port: u16,
        /// The path, from `/` on.
        path: String,
        /// The page's origin, such as `http://localhost:5173`.
        origin: String,
        /// The method, such as `GET`.
        method: String,
    },
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResponse {
    /// The HTTP status, 100 to 999; `None` where only a connection was asked for.
    pub status: Option<u16>,
    /// From before the connection until the answer's head was there.
    pub latency: Duration,
    headers: HeaderMap,
}

impl ProbeResponse {
    /// Whether it is a yes: a connection, or a status below 400.
    pub fn is_success(&self) -> bool {
        self.status.is_none_or(|status| status < 400)
    }

    /// The value of a header, several of one name joined by commas; `None` where there is none.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.headers.get_all(name).iter();
        let values: Vec<String> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Asks once.
///
/// # Errors
/// When nothing comes back within `limit`, or something that is no answer: why, in words.
pub async fn send(question: &ProbeRequest, limit: Duration) -> Result<ProbeResponse, String> {
    let started = Instant::now();
    let answer = async {
        let (status, headers) = match question {
            ProbeRequest::Tcp { port } => (connect(*port).await.map(|_| None)?, HeaderMap::new()),
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
    tokio::time::timeout(limit, answer)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

/// A connection over the family in which the server listens.
async fn connect(port: u16) -> Result<TcpStream, String> {
    let mut last = String::new();
    for address in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        match TcpStream::connect(SocketAddr::new(address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                last = format!("nobody listens on port {port}");
            }
            // No IPv6 here says nothing about who was asked over IPv4.
            Err(error) if last.is_empty() => last = error.to_string(),
            Err(_) => {}
        }
    }
    Err(last)
}

async fn send_http(
    port: u16,
    request: hyper::http::request::Builder,
) -> Result<(Option<u16>, HeaderMap), String> {
    let words = |error: hyper::Error| format!("no HTTP answer: {error}");
    let stream = TokioIo::new(connect(port).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(words)?;
    let request = request
        .header("host", format!("localhost:{port}"))
        .header("user-agent", "portway")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(words);
    connection.abort();
    let (head, _) = response?.into_parts();
    Ok((Some(head.status.as_u16()), head.headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A server that gives one answer and hangs up.
    async fn server(answer: &'static str) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        port
    }

    async fn get(answer: &'static str) -> Result<ProbeResponse, String> {
        let port = server(answer).await;
        let path = "/health".to_owned();
        send(&ProbeRequest::Http { port, path }, PROBE_TIMEOUT).await
    }

    #[tokio::test]
    async fn a_status_below_400_is_success() {
        for (answer, status, yes) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, true),
            ("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", 302, true),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 503, false),
        ] {
            let answer = get(answer).await.unwrap();
            assert_eq!((answer.status, answer.is_success()), (Some(status), yes));
        }
        assert!(get("nonsense\r\n\r\n").await.is_err());
        assert!(get("").await.is_err());
    }

    #[tokio::test]
    async fn a_preflight_is_asked_as_a_browser_does() {
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
        let question = ProbeRequest::Preflight {
            port,
            path: "/api".into(),
            origin: "http://localhost:5173".into(),
            method: "GET".into(),
        };
        let answer = send(&question, PROBE_TIMEOUT).await.unwrap();
        assert_eq!(answer.header("allow").as_deref(), Some("A, B"));
        assert_eq!(answer.header("vary"), None);
        let asked = server.await.unwrap();
        assert!(asked.starts_with("options /api http/1.1\r\n"), "{asked}");
        assert!(
            asked.contains("\r\norigin: http://localhost:5173\r\n"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_no() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = "/".to_owned();
        let question = ProbeRequest::Http { port, path };
        let error = send(&question, Duration::from_millis(50))
            .await
            .unwrap_err();
        assert!(error.contains("no answer within"), "{error}");
        assert!(
            send(&ProbeRequest::Tcp { port }, PROBE_TIMEOUT)
                .await
                .is_ok()
        );
        drop(listener);
        let error = send(&ProbeRequest::Tcp { port }, PROBE_TIMEOUT).await;
        assert_eq!(error, Err(format!("nobody listens on port {port}")));
    }
}
