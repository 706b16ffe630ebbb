//! Tests HTTP/2 between client and gateway.

use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::limits::with_limit;
use crate::support::{TestGateway, TestService, runtime};

/// Opens an HTTP/2 connection to the gateway.
pub(crate) async fn connect<B>(gateway: &TestGateway) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    let stream = tokio::net::TcpStream::connect(gateway.address)
        .await
        .unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

#[test]
fn serves_concurrent_requests_of_one_connection() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let sender = connect::<Empty<Bytes>>(&gateway).await;
        let send = |number: usize| {
            let mut sender = sender.clone();
            async move {
                let uri = format!("http://jobi.localhost/{number}");
                let request = Request::builder()
                    .uri(uri)
                    .version(Version::HTTP_2)
                    .header("cookie", "a=1")
                    .header("cookie", "b=2")
                    .body(Empty::new())
                    .unwrap();
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                let body = response.into_body().collect().await.unwrap().to_bytes();
                let request = String::from_utf8_lossy(&body).to_ascii_lowercase();
                assert!(
                    request.starts_with(&format!("get /{number} http/1.1\r\n")),
                    "{request}"
                );
                assert!(request.contains("host: jobi.localhost\r\n"), "{request}");
                assert!(request.contains("cookie: a=1; b=2\r\n"), "{request}");
            }
        };
        let all: Vec<_> = (0..100).map(|number| tokio::spawn(send(number))).collect();
        for one in all {
            one.await.unwrap();
        }
    });
    assert_eq!(service.requests().len(), 100);
}

#[test]
fn forwards_bodies_and_trailers() {
    let service = TestService::responding("127.0.0.1:0", |request| {
        let length = request.split("\r\n\r\n").nth(1).unwrap().len();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: {length}\r\n\r\n"
        )
    });
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let mut sender = connect::<Full<Bytes>>(&gateway).await;
        let request = Request::builder()
            .method("POST")
            .uri("http://jobi.localhost/")
            .header("te", "trailers")
            .body(Full::from("hello"))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap();
        assert_eq!(trailers["x-sum"], "5");
        assert_eq!(body.to_bytes(), "abc");
    });
}

#[test]
fn an_early_response_does_not_reset_the_stream() {
    let service = TestService::echo();
    let gateway = with_limit(&service);
    runtime().block_on(async {
        let (finished, all_sent) = tokio::sync::oneshot::channel();
        let mut finished = Some(finished);
        let frames = (1..=64).map(move |frame| {
            if frame == 64 {
                finished.take().unwrap().send(()).unwrap();
            }
            Ok(Frame::data(Bytes::from(vec![0; 64 << 10])))
        });
        let body = StreamBody::new(tokio_stream::iter(frames));
        let mut sender = connect(&gateway).await;
        let request = Request::post("http://jobi.localhost/").body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 413);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("at most 1000 bytes"));
        all_sent.await.expect("the stream was reset");
    });
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn rejects_extended_connect_for_other_protocols() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let mut sender = connect::<Empty<Bytes>>(&gateway).await;
        // The first response ensures that the server's settings have arrived.
        let first = Request::get("http://unknown.localhost/");
        let first = sender.send_request(first.body(Empty::new()).unwrap()).await;
        first.unwrap().into_body().collect().await.unwrap();
        for protocol in ["connect-udp", "WebSocket", "h2c"] {
            let mut request = Request::connect("http://jobi.localhost/x")
                .version(Version::HTTP_2)
                .body(Empty::new())
                .unwrap();
            let value = hyper::ext::Protocol::from_static(protocol);
            request.extensions_mut().insert(value);
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 501, "{protocol}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let body = String::from_utf8_lossy(&body);
            assert!(body.contains("`websocket` is the only protocol"), "{body}");
        }
    });
    assert!(service.requests().is_empty());
}

#[test]
fn rejects_an_authority_with_an_invalid_port() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("frontend", service.port)]);
    runtime().block_on(async {
        let mut sender = connect::<Empty<Bytes>>(&gateway).await;
        let request = Request::get("http://jobi.localhost:abc/");
        let response = sender.send_request(request.body(Empty::new()).unwrap());
        assert_eq!(response.await.unwrap().status(), 400);
    });
    assert!(service.requests().is_empty());
}
