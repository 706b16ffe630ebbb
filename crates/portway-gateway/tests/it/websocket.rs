//! Tests protocol upgrades.

use std::io::{Read, Write};

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::handshake;
use hyper::ext::Protocol;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{TestGateway, TestService, runtime};

/// Starts a service that accepts WebSocket upgrades and returns all data in upper case.
pub(crate) fn upgrade_service() -> TestService {
    TestService::handling("127.0.0.1:0", |request, stream| {
        let request = request.to_ascii_lowercase();
        assert!(request.starts_with("get "), "{request}");
        assert!(request.contains("upgrade: websocket\r\n"), "{request}");
        assert!(request.contains("connection: upgrade\r\n"), "{request}");
        assert!(request.contains("sec-websocket-key: "), "{request}");
        let response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\n";
        stream.write_all(response.as_bytes()).unwrap();
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
fn upgrades_over_http_1() {
    let service = upgrade_service();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let mut client = gateway.connect();
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
    // The rules for HTTP lines do not apply after the upgrade.
    client.write_all(b"hello\n").unwrap();
    let mut response = [0; 6];
    client.read_exact(&mut response).unwrap();
    assert_eq!(&response, b"HELLO\n");
    // Closing one connection closes the other.
    drop(client);
    service.wait_until_closed();
}

#[test]
fn upgrades_over_http_2() {
    let service = upgrade_service();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let runtime = runtime();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(gateway.address)
            .await
            .unwrap();
        let (mut sender, connection) =
            handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        // The first response ensures that the server's settings, which allow extended CONNECT, have
        // arrived.
        let request = Request::builder()
            .uri("http://unknown.localhost/")
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
        let mut response = [0; 5];
        stream.read_exact(&mut response).await.unwrap();
        assert_eq!(&response, b"HELLO");
    });
    drop(runtime);
    assert!(service.requests()[0].starts_with("GET /hmr?token=1 HTTP/1.1"));
    service.wait_until_closed();
}

#[test]
fn forwards_a_response_without_upgrade() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let response = gateway.get(
        "jobi.localhost",
        "/",
        "Connection: Upgrade\r\nUpgrade: websocket\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

/// Starts a service that switches to `protocol`, whatever the client offers.
fn switching_service(protocol: &str) -> TestService {
    let head = format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n{protocol}\r\n");
    TestService::handling("127.0.0.1:0", move |_, stream| {
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"tunneled").unwrap();
        false
    })
}

#[test]
fn does_not_offer_http_2_to_services() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let response = gateway.get(
        "jobi.localhost",
        "/",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
    );
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    let request = service.requests().concat().to_ascii_lowercase();
    for field in ["upgrade", "http2-settings", "h2c"] {
        assert!(!request.contains(field), "{field}: {request}");
    }
}

#[test]
fn switches_only_to_a_protocol_that_the_client_offered() {
    const OFFER: &str = "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n";
    for (protocol, headers) in [
        ("Upgrade: h2c\r\n", OFFER),
        ("Upgrade: other\r\n", OFFER),
        ("", OFFER),
        ("Upgrade: websocket\r\n", ""),
        (
            "Upgrade: h2c\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
        ),
    ] {
        let service = switching_service(protocol);
        let gateway = TestGateway::with_services(&[("frontend", service.port)]);
        let response = gateway.get("jobi.localhost", "/", headers);
        assert!(
            response.starts_with("HTTP/1.1 502"),
            "{protocol}{headers}: {response}"
        );
        assert!(response.contains("did not request"), "{response}");
        assert!(!response.contains("tunneled"), "{response}");
    }
}

#[test]
fn forwards_data_that_follows_the_request_immediately() {
    let service = upgrade_service();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let mut client = gateway.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: jobi.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: abc\r\n\r\nearly\ndata\n")
        .unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"EARLY\nDATA\n") {
        let mut chunk = [0; 1024];
        let read = client.read(&mut chunk).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&response));
        response.extend_from_slice(&chunk[..read]);
    }
}
