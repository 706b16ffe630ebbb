//! Tests HTTPS with a client that trusts only the local CA.

use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::handshake;
use hyper::ext::Protocol;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{TestGateway, TestService, jobi, runtime};
use crate::websocket::upgrade_service;

/// Connects to the gateway by TLS, with this server name and application protocol.
async fn connect(
    gateway: &TestGateway,
    name: &str,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&gateway.root()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(gateway.tls_address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let negotiated = stream.get_ref().1.alpn_protocol().unwrap_or_default();
    assert_eq!(negotiated, protocol.as_bytes());
    Ok(stream)
}

/// Sends `bytes` by HTTP/1.1 and reads until the gateway closes the connection.
async fn send(gateway: &TestGateway, name: &str, bytes: &str) -> String {
    let mut stream = connect(gateway, name, "http/1.1").await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    // The gateway may close the connection with an alert.
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

/// Requests `path` of `host` by HTTPS, without a port in the `Host` header.
pub(crate) fn get(gateway: &TestGateway, host: &str, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    runtime().block_on(send(gateway, host, &request))
}

#[test]
fn forwards_http_1_and_reports_https_to_the_service() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let port = gateway.tls_address.port();
    runtime().block_on(async {
        for name in ["jobi.localhost", "frontend.jobi.localhost"] {
            let request = format!(
                "GET /x HTTP/1.1\r\nHost: {name}:{port}\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
            );
            let response = send(&gateway, name, &request).await;
            let response = response.to_ascii_lowercase();
            assert!(response.starts_with("http/1.1 200"), "{response}");
            for line in [
                "get /x http/1.1\r\n".to_owned(),
                format!("host: {name}:{port}\r\n"),
                "x-forwarded-proto: https\r\n".to_owned(),
                format!("x-forwarded-port: {port}\r\n"),
                format!("forwarded: for=127.0.0.1;host=\"{name}:{port}\";proto=https\r\n"),
            ] {
                assert!(response.contains(&line), "{line}: {response}");
            }
            assert!(!response.contains("x-forwarded-proto: http\r\n"), "{response}");
        }
    });
}

#[test]
fn forwards_http_2() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let stream = connect(&gateway, "jobi.localhost", "h2").await.unwrap();
        let (mut sender, connection) =
            handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = Request::builder()
            .uri("https://jobi.localhost/x")
            .body(Empty::new())
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let request = String::from_utf8_lossy(&body).to_ascii_lowercase();
        assert!(request.starts_with("get /x http/1.1\r\n"), "{request}");
        assert!(
            request.contains("x-forwarded-proto: https\r\n"),
            "{request}"
        );
    });
}

#[test]
fn upgrades_over_http_2() {
    let service = upgrade_service();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let stream = connect(&gateway, "jobi.localhost", "h2").await.unwrap();
        let (mut sender, connection) =
            handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        // The first response ensures that the server's settings, which allow extended CONNECT, have
        // arrived.
        let request = Request::builder()
            .uri("https://portway.localhost/")
            .body(Empty::new())
            .unwrap();
        let first = sender.send_request(request).await.unwrap();
        first.into_body().collect().await.unwrap();
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri("https://jobi.localhost/hmr")
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .body(Empty::new())
            .unwrap();
        let websocket = Protocol::from_static("websocket");
        request.extensions_mut().insert(websocket);
        let mut response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let upgraded = hyper::upgrade::on(&mut response).await.unwrap();
        let mut stream = TokioIo::new(upgraded);
        stream.write_all(b"hello").await.unwrap();
        let mut response = [0; 5];
        stream.read_exact(&mut response).await.unwrap();
        assert_eq!(&response, b"HELLO");
    });
    service.wait_until_closed();
}

#[test]
fn rejects_unknown_server_names() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        for name in [
            "other.localhost",
            "x.frontend.jobi.localhost",
            "localhost",
            "bank.example.net",
            // Clients send no server name for an address.
            "127.0.0.1",
        ] {
            let error = connect(&gateway, name, "h2").await.unwrap_err();
            let error = error.to_string();
            assert!(error.contains("AccessDenied"), "{name}: {error}");
        }
        connect(&gateway, "portway.localhost", "h2").await.unwrap();
        connect(&gateway, "JOBI.localhost", "h2").await.unwrap();
    });
    assert!(service.requests().is_empty());
}

#[test]
fn accepts_new_instances_and_rejects_removed_ones() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        connect(&gateway, "late.localhost", "h2").await.unwrap_err();
    });
    gateway.change_unnoticed(|all| {
        let mut late = jobi(&[("web", service.port)]);
        (late.id, late.name) = ("late".into(), "late".into());
        all.push(late);
    });
    runtime().block_on(async {
        connect(&gateway, "late.localhost", "h2").await.unwrap();
    });
    gateway.change(|all| drop(all.pop()));
    runtime().block_on(async {
        connect(&gateway, "late.localhost", "h2").await.unwrap_err();
    });
}

#[test]
fn rejects_ambiguous_requests() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        for bytes in [
            "GET / HTTP/1.1\nHost: jobi.localhost\n\n",
            "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            let response = send(&gateway, "jobi.localhost", bytes).await;
            assert!(response.starts_with("HTTP/1.1 400"), "{bytes:?}: {response}");
        }
    });
    assert!(service.requests().is_empty());
}

#[test]
fn survives_clients_that_reject_the_certificate_or_send_http() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    let other = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(&other.root()).unwrap();
        roots.add(root).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(gateway.tls_address).await.unwrap();
        let name = ServerName::try_from("jobi.localhost").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let error = connected.await.unwrap_err().to_string();
        assert!(error.contains("invalid peer certificate"), "{error}");
        let mut plain = TcpStream::connect(gateway.tls_address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut response = Vec::new();
        let _ = plain.read_to_end(&mut response).await;
        let response = String::from_utf8_lossy(&response);
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
        assert!(response.contains("https://"), "{response}");
        connect(&gateway, "jobi.localhost", "h2").await.unwrap();
    });
}
