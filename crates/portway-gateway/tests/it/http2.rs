//! HTTP/2 in front, HTTP/1.1 behind.

use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::limits::with_limit;
use crate::town::{Service, Town};

/// An HTTP/2 connection to the gateway.
async fn connect<B>(town: &Town) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    let stream = tokio::net::TcpStream::connect(town.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}

#[test]
fn many_requests_of_one_connection_are_served_at_once() {
    let service = Service::echo();
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        let sender = connect::<Empty<Bytes>>(&town).await;
        let ask = |number: usize| {
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
                let asked = String::from_utf8_lossy(&body).to_ascii_lowercase();
                assert!(
                    asked.starts_with(&format!("get /{number} http/1.1\r\n")),
                    "{asked}"
                );
                assert!(asked.contains("host: jobi.localhost\r\n"), "{asked}");
                assert!(asked.contains("cookie: a=1; b=2\r\n"), "{asked}");
            }
        };
        let all: Vec<_> = (0..100).map(|number| tokio::spawn(ask(number))).collect();
        for one in all {
            one.await.unwrap();
        }
    });
    assert_eq!(service.seen().len(), 100);
}

#[test]
fn bodies_and_trailers_pass() {
    let service = Service::at("127.0.0.1:0", |asked| {
        let length = asked.split("\r\n\r\n").nth(1).unwrap().len();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: {length}\r\n\r\n"
        )
    });
    let town = Town::of(&[("frontend", service.port)]);
    run(async {
        let mut sender = connect::<Full<Bytes>>(&town).await;
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
fn an_answer_before_the_end_of_a_body_does_not_break_it_off() {
    let service = Service::echo();
    let town = with_limit(&service);
    run(async {
        let (sent, all_sent) = tokio::sync::oneshot::channel();
        let mut sent = Some(sent);
        let pieces = (1..=64).map(move |piece| {
            if piece == 64 {
                let _ = sent.take().unwrap().send(());
            }
            Ok(Frame::data(Bytes::from(vec![0; 64 << 10])))
        });
        let body = StreamBody::new(tokio_stream::iter(pieces));
        let mut sender = connect(&town).await;
        let request = Request::post("http://jobi.localhost/").body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 413);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("at most 1000 bytes"));
        all_sent.await.expect("the stream was reset");
    });
    assert_eq!(service.seen().len(), 0);
}
