//! The same by TLS: a client that trusts the local CA and nothing else.

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

use crate::town::{Service, Town, jobi};
use crate::websocket::capitals;

/// Shakes hands with the gateway, as with `name`, offering `protocol`.
async fn connect(town: &Town, name: &str, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&town.root()).unwrap())
        .unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let stream = TcpStream::connect(town.tls_address).await.unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await?;
    let chosen = stream.get_ref().1.alpn_protocol().unwrap_or_default();
    assert_eq!(chosen, protocol.as_bytes());
    Ok(stream)
}

/// Sends `bytes` by HTTP/1.1 and reads to the end.
async fn raw(town: &Town, name: &str, bytes: &str) -> String {
    let mut stream = connect(town, name, "http/1.1").await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // The connection may end with an alert.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn a_service_is_reached_by_http_1_and_told_that_it_was_by_tls() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let port = town.tls_address.port();
    run(async {
        for name in ["jobi.localhost", "frontend.jobi.localhost"] {
            let asked = format!(
                "GET /x HTTP/1.1\r\nHost: {name}:{port}\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n"
            );
            let answer = raw(&town, name, &asked).await;
            let answer = answer.to_ascii_lowercase();
            assert!(answer.starts_with("http/1.1 200"), "{answer}");
            for line in [
                "get /x http/1.1\r\n".to_owned(),
                format!("host: {name}:{port}\r\n"),
                "x-forwarded-proto: https\r\n".to_owned(),
                format!("x-forwarded-port: {port}\r\n"),
                format!("forwarded: for=127.0.0.1;host=\"{name}:{port}\";proto=https\r\n"),
            ] {
                assert!(answer.contains(&line), "{line}: {answer}");
            }
            assert!(!answer.contains("x-forwarded-proto: http\r\n"), "{answer}");
        }
    });
}

#[test]
fn a_service_is_reached_by_http_2() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        let stream = connect(&town, "jobi.localhost", "h2").await.unwrap();
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
        let asked = String::from_utf8_lossy(&body).to_ascii_lowercase();
        assert!(asked.starts_with("get /x http/1.1\r\n"), "{asked}");
        assert!(asked.contains("x-forwarded-proto: https\r\n"), "{asked}");
    });
}

#[test]
fn a_websocket_within_http_2() {
    let service = capitals();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        let stream = connect(&town, "jobi.localhost", "h2").await.unwrap();
        let (mut sender, connection) =
            handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        // The server's settings, which allow an extended CONNECT, have come with its first answer.
        let request = Request::builder()
            .uri("https://nobody.localhost/")
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
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HELLO");
    });
    service.until_all_closed();
}

#[test]
fn a_name_that_leads_nowhere_is_refused() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        for name in [
            "other.localhost",
            "x.frontend.jobi.localhost",
            "localhost",
            "bank.example.net",
            // No name is sent for an address.
            "127.0.0.1",
        ] {
            let error = connect(&town, name, "h2").await.unwrap_err();
            let error = error.to_string();
            assert!(error.contains("AccessDenied"), "{name}: {error}");
        }
        // The gateway's own pages have a name.
        connect(&town, "portway.localhost", "h2").await.unwrap();
        connect(&town, "JOBI.localhost", "h2").await.unwrap();
    });
    assert!(service.seen().is_empty());
}

#[test]
fn an_instance_that_comes_later_is_found_at_once_and_one_that_has_gone_is_refused() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        connect(&town, "late.localhost", "h2").await.unwrap_err();
    });
    town.quietly(|all| {
        let mut late = jobi(&[("web", service.port)]);
        (late.id, late.name) = ("late".into(), "late".into());
        all.push(late);
    });
    run(async {
        connect(&town, "late.localhost", "h2").await.unwrap();
    });
    town.change(|all| drop(all.pop()));
    run(async {
        connect(&town, "late.localhost", "h2").await.unwrap_err();
    });
}

#[test]
fn what_could_be_two_requests_is_refused_here_as_well() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        for bytes in [
            "GET / HTTP/1.1\nHost: jobi.localhost\n\n",
            "POST / HTTP/1.1\r\nHost: jobi.localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ] {
            let answer = raw(&town, "jobi.localhost", bytes).await;
            assert!(answer.starts_with("HTTP/1.1 400"), "{bytes:?}: {answer}");
        }
    });
    assert!(service.seen().is_empty());
}

#[test]
fn who_does_not_trust_the_ca_ends_the_handshake() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    let other = Town::of(&[("frontend", service.port)]);
    run(async {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(&other.root()).unwrap();
        roots.add(root).unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(town.tls_address).await.unwrap();
        let name = ServerName::try_from("jobi.localhost").unwrap();
        let connected = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let error = connected.await.unwrap_err().to_string();
        assert!(error.contains("invalid peer certificate"), "{error}");
        // What speaks something else does not disturb the others.
        let mut plain = TcpStream::connect(town.tls_address).await.unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = plain.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains("https://"), "{answer}");
        connect(&town, "jobi.localhost", "h2").await.unwrap();
    });
}
