//! Connections that become something else.

use std::io::{Read, Write};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::handshake;
use hyper::ext::Protocol;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::town::{Service, Town};

/// A service that switches to a protocol in which everything comes back in capitals.
pub(crate) fn capitals() -> Service {
    Service::by("127.0.0.1:0", |asked, stream| {
        let asked = asked.to_ascii_lowercase();
        assert!(asked.starts_with("get "), "{asked}");
        assert!(asked.contains("upgrade: websocket\r\n"), "{asked}");
        assert!(asked.contains("connection: upgrade\r\n"), "{asked}");
        assert!(asked.contains("sec-websocket-key: "), "{asked}");
        let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        let mut chunk = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            stream
                .write_all(&chunk[..read].to_ascii_uppercase())
                .unwrap();
        }
        false
    })
}

#[test]
fn over_http_1() {
    let service = capitals();
    let town = Town::of(&[("frontend", service.port)]);
    let mut client = town.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n")
        .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    for line in [
        "upgrade: websocket",
        "connection: upgrade",
        "sec-websocket-accept: x",
        "sec-websocket-protocol: vite-hmr",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    // A bare line feed is nothing special in there.
    client.write_all(b"hello\n").unwrap();
    let mut answer = [0; 6];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HELLO\n");
    // The end of the one is the end of the other.
    drop(client);
    service.until_all_closed();
}

#[test]
fn over_http_2() {
    let service = capitals();
    let town = Town::of(&[("frontend", service.port)]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(town.address).await.unwrap();
        let (mut sender, connection) =
            handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        // The server's settings, which allow an extended CONNECT, have come with its first answer.
        let request = Request::builder()
            .uri("http://nobody.localhost/")
            .body(Empty::new())
            .unwrap();
        let first = sender.send_request(request).await.unwrap();
        first.into_body().collect().await.unwrap();
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri("http://jobi.localhost/hmr?token=1")
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .body(Empty::new())
            .unwrap();
        request
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
        let mut response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["sec-websocket-protocol"], "vite-hmr");
        assert!(!headers.contains_key("upgrade"), "{headers:?}");
        let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
        let mut stream = TokioIo::new(upgraded);
        stream.write_all(b"hello").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HELLO");
    });
    drop(runtime);
    assert!(service.seen()[0].starts_with("GET /hmr?token=1 HTTP/1.1"));
    service.until_all_closed();
}

#[test]
fn a_service_that_does_not_switch_just_answers() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let answer = town.get(
        "jobi.localhost",
        "/",
        "Connection: Upgrade\r\nUpgrade: h2c\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
