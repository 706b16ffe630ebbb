//! Readiness and liveness probes: one question each, answered by yes or by why not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The longest that one readiness question may take; a server that hangs is asked again.
pub(crate) const ONE_QUESTION: Duration = Duration::from_secs(5);

/// What to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Does this path answer with a status below 400?
    Http { port: u16, path: String },
    /// Does the port accept a connection?
    Tcp { port: u16 },
}

/// Asks once.
pub(crate) async fn ask(question: &Question, limit: Duration) -> Result<(), String> {
    let answer = async {
        match question {
            Question::Tcp { port } => connect(*port).await.map(drop),
            Question::Http { port, path } => http(*port, path).await,
        }
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
            Err(error) => last = error.to_string(),
        }
    }
    Err(last)
}

async fn http(port: u16, path: &str) -> Result<(), String> {
    let words = |error: hyper::Error| error.to_string();
    let stream = TokioIo::new(connect(port).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream)
        .await
        .map_err(words)?;
    let request = Request::get(path)
        .header("host", format!("localhost:{port}"))
        .header("user-agent", "portway")
        .header("connection", "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(words);
    connection.abort();
    let response = response?;
    let status = response.status();
    if status.as_u16() < 400 {
        Ok(())
    } else {
        Err(format!("`{path}` answers {status}"))
    }
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

    async fn get(answer: &'static str) -> Result<(), String> {
        let port = server(answer).await;
        let path = "/health".to_owned();
        ask(&Question::Http { port, path }, ONE_QUESTION).await
    }

    #[tokio::test]
    async fn a_status_below_400_is_yes() {
        assert!(
            get("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                .await
                .is_ok()
        );
        assert!(
            get("HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n")
                .await
                .is_ok()
        );
        let error = get("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap_err();
        assert!(error.contains("503"), "{error}");
        assert!(get("nonsense\r\n\r\n").await.is_err());
        assert!(get("").await.is_err());
    }

    #[tokio::test]
    async fn a_server_that_hangs_is_no() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = "/".to_owned();
        let question = Question::Http { port, path };
        let error = ask(&question, Duration::from_millis(50)).await.unwrap_err();
        assert!(error.contains("no answer within"), "{error}");
        assert!(ask(&Question::Tcp { port }, ONE_QUESTION).await.is_ok());
        drop(listener);
        assert!(ask(&Question::Tcp { port }, ONE_QUESTION).await.is_err());
    }
}
