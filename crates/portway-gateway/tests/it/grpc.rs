//! Tests gRPC requests, which require HTTP/2 on both sides of the gateway.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{HeaderMap, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use portway_api::ServiceState;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

use crate::http2::connect;
use crate::support::{TestGateway, TestService, runtime};

type Frames = StreamBody<UnboundedReceiverStream<Result<Frame<Bytes>, Infallible>>>;

/// A gRPC service that supports only HTTP/2. It returns each message immediately, and the status in
/// trailers that it does not declare.
struct GrpcService {
    port: u16,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    /// The number of requests whose body has not ended.
    active: Arc<AtomicUsize>,
}

impl GrpcService {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            active: Arc::default(),
        };
        let (requests, active) = (service.requests.clone(), service.active.clone());
        // The thread ends with the test process.
        std::thread::spawn(move || runtime().block_on(serve(listener, requests, active)));
        service
    }
}

async fn serve(
    listener: TcpListener,
    requests: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    active: Arc<AtomicUsize>,
) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (requests, active) = (requests.clone(), active.clone());
        let respond = service_fn(move |request: Request<Incoming>| {
            let recorded = (request.uri().to_string(), request.headers().clone());
            requests.lock().unwrap().push(recorded);
            let active = active.clone();
            async move { Ok::<_, Infallible>(echo(request, active)) }
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(server.serve_connection(TokioIo::new(stream), respond));
    }
}

fn echo(request: Request<Incoming>, active: Arc<AtomicUsize>) -> Response<Frames> {
    active.fetch_add(1, Relaxed);
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut body = request.into_body();
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data() {
                // The client may have left.
                let _ = sender.send(Ok(Frame::data(data)));
            }
        }
        active.fetch_sub(1, Relaxed);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("7"));
        trailers.insert("grpc-message", HeaderValue::from_static("not allowed"));
        let _ = sender.send(Ok(Frame::trailers(trailers)));
    });
    let body = StreamBody::new(UnboundedReceiverStream::new(receiver));
    let response = Response::builder().header("content-type", "application/grpc+proto");
    response.body(body).unwrap()
}

fn request<B>(body: B) -> Request<B> {
    Request::post("http://api.jobi.localhost/pkg.Greeter/Greet")
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("x-forwarded-for", "8.8.8.8")
        .body(body)
        .unwrap()
}

/// Sends a unary request and returns the head, the message and the trailers.
async fn call(gateway: &TestGateway) -> (HeaderMap, Bytes, HeaderMap) {
    call_host(gateway, "api.jobi.localhost").await
}

async fn call_host(gateway: &TestGateway, host: &str) -> (HeaderMap, Bytes, HeaderMap) {
    let mut client = connect::<Full<Bytes>>(gateway).await;
    let mut request = request(Full::from("\0\0\0\0\x02hi"));
    *request.uri_mut() = format!("http://{host}/pkg.Greeter/Greet").parse().unwrap();
    let response = client.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = response.headers().clone();
    let body = response.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    (headers, body.to_bytes(), trailers)
}

#[test]
fn forwards_unary_requests_with_their_trailers() {
    let service = GrpcService::start();
    let gateway = TestGateway::with_services(&[("web", 1), ("api", service.port)]);
    runtime().block_on(async {
        for _ in 0..3 {
            let (headers, message, trailers) = call(&gateway).await;
            assert_eq!(headers["content-type"], "application/grpc+proto");
            assert_eq!(message, "\0\0\0\0\x02hi");
            assert_eq!(trailers["grpc-status"], "7");
            assert_eq!(trailers["grpc-message"], "not allowed");
        }
    });
    let requests = service.requests.lock().unwrap();
    assert_eq!(requests.len(), 3);
    let (uri, headers) = &requests[0];
    assert_eq!(uri, "http://api.jobi.localhost/pkg.Greeter/Greet");
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
    assert_eq!(headers["x-forwarded-host"], "api.jobi.localhost");
    assert!(!headers.contains_key("host"), "{headers:?}");
}

#[test]
fn streams_in_both_directions() {
    let service = GrpcService::start();
    let gateway = TestGateway::with_services(&[("web", 1), ("api", service.port)]);
    runtime().block_on(async {
        let (sender, receiver) = mpsc::unbounded_channel();
        let send = |text: &'static str| sender.send(Ok(Frame::data(text.into()))).unwrap();
        let body: Frames = StreamBody::new(UnboundedReceiverStream::new(receiver));
        let mut client = connect(&gateway).await;
        send("one");
        let response = client.send_request(request(body)).await.unwrap();
        let mut body = response.into_body();
        // Each message is sent after the response to the previous one.
        for (message, next) in [
            ("one", Some("two")),
            ("two", Some("three")),
            ("three", None),
        ] {
            let frame = body.frame().await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), message);
            if let Some(next) = next {
                send(next);
            }
        }
        drop(sender);
        let trailers = body.frame().await.unwrap().unwrap();
        assert_eq!(trailers.into_trailers().unwrap()["grpc-status"], "7");
        assert!(body.frame().await.is_none());
    });
}

#[test]
fn a_client_that_leaves_ends_the_request_to_the_service() {
    let service = GrpcService::start();
    let gateway = TestGateway::with_services(&[("web", 1), ("api", service.port)]);
    let client_runtime = runtime();
    let (sender, receiver) = mpsc::unbounded_channel();
    client_runtime.block_on(async {
        sender.send(Ok(Frame::data("one".into()))).unwrap();
        let body: Frames = StreamBody::new(UnboundedReceiverStream::new(receiver));
        let mut client = connect(&gateway).await;
        client.send_request(request(body)).await.unwrap();
    });
    assert_eq!(service.active.load(Relaxed), 1);
    // This closes the connection.
    drop(client_runtime);
    let deadline = Instant::now() + Duration::from_secs(20);
    while service.active.load(Relaxed) > 0 {
        assert!(Instant::now() < deadline, "the request has not ended");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn says_why_a_service_cannot_serve_grpc() {
    // Only HTTP/1.1: one service says so, and one closes the connection.
    let explaining = TestService::responding("127.0.0.1:0", |_| {
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".into()
    });
    let closing = TestService::handling("127.0.0.1:0", |_, _| false);
    for service in [explaining, closing] {
        let gateway = TestGateway::with_services(&[("web", 1), ("api", service.port)]);
        let (headers, message, _) = runtime().block_on(call(&gateway));
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], "14");
        let text = headers["grpc-message"].to_str().unwrap();
        assert!(text.contains("does not support HTTP/2"), "{text}");
        assert!(message.is_empty());
        gateway.set_state("api", ServiceState::Stopped);
        let (headers, ..) = runtime().block_on(call(&gateway));
        assert_eq!(headers["grpc-status"], "14");
        let text = headers["grpc-message"].to_str().unwrap();
        assert!(text.contains("`api` of jobi is stopped"), "{text}");
    }
}

#[test]
fn responds_with_a_grpc_status_to_an_unknown_host() {
    let gateway = TestGateway::with_services(&[("web", 1)]);
    let (headers, message, _) =
        runtime().block_on(call_host(&gateway, "nothing.nowhere.localhost"));
    assert_eq!(headers["content-type"], "application/grpc");
    assert_eq!(headers["grpc-status"], "12");
    let text = headers["grpc-message"].to_str().unwrap();
    assert!(text.contains("no service is available"), "{text}");
    assert!(message.is_empty());
}

#[test]
fn other_requests_use_http_1() {
    let service = TestService::echo();
    let gateway = TestGateway::with_services(&[("web", 1), ("api", service.port)]);
    runtime().block_on(async {
        let mut client = connect::<Full<Bytes>>(&gateway).await;
        let mut request = request(Full::from("hi"));
        let value = HeaderValue::from_static("application/grpc-web");
        request.headers_mut().insert("content-type", value);
        let response = client.send_request(request).await.unwrap();
        assert!(!response.body().is_end_stream());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(body.starts_with(b"POST /pkg.Greeter/Greet HTTP/1.1"));
    });
}
