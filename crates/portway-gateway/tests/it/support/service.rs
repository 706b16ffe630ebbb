//! A service that records requests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A service that records the requests it receives.
pub(crate) struct TestService {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<ConnectionCount>>,
}

#[derive(Default)]
struct ConnectionCount {
    total: usize,
    open: usize,
}

/// Responds to a request on its stream. Returns false to close the connection.
type Handler = dyn Fn(&str, &mut TcpStream) -> bool + Send + Sync;

impl TestService {
    /// Starts a service that responds with the request it received.
    pub(crate) fn echo() -> Self {
        Self::responding("127.0.0.1:0", |request| {
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{request}",
                request.len()
            )
        })
    }

    /// Starts a service that sends the text that `respond` returns.
    pub(crate) fn responding(
        address: &str,
        respond: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        Self::handling(address, move |request, stream| {
            stream.write_all(respond(request).as_bytes()).is_ok()
        })
    }

    /// Starts a service that passes each request to `handler`.
    pub(crate) fn handling(
        address: &str,
        handler: impl Fn(&str, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let service = Self {
            port: listener.local_addr().unwrap().port(),
            requests: Arc::default(),
            connections: Arc::default(),
        };
        let handler: Arc<Handler> = Arc::new(handler);
        let (requests, count) = (service.requests.clone(), service.connections.clone());
        // The threads end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (requests, handler, count) = (requests.clone(), handler.clone(), count.clone());
                let mut connections = count.lock().unwrap();
                connections.total += 1;
                connections.open += 1;
                drop(connections);
                std::thread::spawn(move || {
                    serve_connection(stream, &requests, &*handler);
                    count.lock().unwrap().open -= 1;
                });
            }
        });
        service
    }

    /// Returns all requests that the service received.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns the number of connections that the service has accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().total
    }

    /// Waits until all connections are closed.
    pub(crate) fn wait_until_closed(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.connections.lock().unwrap().open > 0 {
            assert!(Instant::now() < deadline, "a connection is still open");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Reads requests and passes them to the handler.
fn serve_connection(mut stream: TcpStream, requests: &Mutex<Vec<String>>, handler: &Handler) {
    let mut buffer: Vec<u8> = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    loop {
        if let Some(length) = request_length(&buffer) {
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            buffer.drain(..length);
            requests.lock().unwrap().push(request.clone());
            if !handler(&request, &mut stream) {
                return;
            }
            continue;
        }
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => return,
            Ok(read) => buffer.extend_from_slice(&chunk[..read]),
        }
    }
}

/// Returns the length of the first request in `buffer`, or `None` if it is incomplete.
fn request_length(buffer: &[u8]) -> Option<usize> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    if head.contains("transfer-encoding: chunked") {
        let is_last = |line: &[u8]| line == b"\r\n0\r\n";
        // The line end before the chunks is that of the head.
        let last = end - 2 + buffer[end - 2..].windows(5).position(is_last)? + 3;
        let trailers = buffer[last..]
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        return Some(last + trailers + 4);
    }
    let length = head.split("content-length: ").nth(1);
    let length: usize = length.map_or(0, |rest| rest.lines().next().unwrap().parse().unwrap());
    Some(end + length).filter(|&whole| buffer.len() >= whole)
}
