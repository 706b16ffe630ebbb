//! The client of a control socket.

use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use portway_api::{ErrorBody, ErrorInfo, Event, InstanceStatus, ServiceSelection};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use super::attach::{self, Attached};
use crate::platform;

/// A client of a running instance or gateway.
#[derive(Debug, Clone)]
pub struct Client {
    socket: std::path::PathBuf,
}

impl Client {
    /// Creates a client for the control socket at `socket`. It connects with each request.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Returns the instance's status.
    ///
    /// # Errors
    /// When the instance does not respond.
    pub async fn status(&self) -> io::Result<InstanceStatus> {
        self.get("/v1/status").await
    }

    /// Sends a GET request and parses the response.
    ///
    /// # Errors
    /// When the server does not respond, or the response is not a `T`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> io::Result<T> {
        let (response, connection) = self.send(Method::GET, path, Bytes::new()).await?;
        let body = response.into_body().collect().await.map_err(other)?;
        connection.abort();
        serde_json::from_slice(&body.to_bytes()).map_err(other)
    }

    /// Subscribes to the instance's events. The first one is the status.
    ///
    /// # Errors
    /// When the instance does not respond.
    pub async fn events(&self) -> io::Result<Events> {
        self.subscribe("/v1/events").await
    }

    /// Subscribes to the instance's status: the current one, then each new one.
    ///
    /// # Errors
    /// When the instance does not respond.
    pub async fn changes(&self) -> io::Result<Events> {
        self.subscribe("/v1/changes").await
    }

    async fn subscribe(&self, path: &str) -> io::Result<Events> {
        let (response, connection) = self.send(Method::GET, path, Bytes::new()).await?;
        Ok(Events {
            body: response.into_body(),
            connection,
            buffer: Vec::new(),
        })
    }

    /// Requests a command: `start`, `restart`, `stop`, `release` or `kill`. An empty list of
    /// services means all.
    ///
    /// # Errors
    /// When the instance does not respond. The inner error is the instance's response.
    pub async fn request(
        &self,
        command: &str,
        services: &[String],
    ) -> io::Result<Result<(), ErrorInfo>> {
        let services = ServiceSelection {
            services: services.to_vec(),
        };
        let response = self.post(&format!("/v1/{command}"), &services).await?;
        Ok(response.map(drop))
    }

    /// Sends a POST request with a JSON body and returns the body of the response, which is JSON.
    ///
    /// # Errors
    /// When the server does not respond; the kind is `InvalidData` if its response is not understood. The
    /// inner error is the server's response.
    pub async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> io::Result<Result<Bytes, ErrorInfo>> {
        let body = serde_json::to_vec(body)?;
        let (response, connection) = self.send(Method::POST, path, body.into()).await?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(other)?
            .to_bytes();
        connection.abort();
        if status.is_success() {
            return Ok(Ok(body));
        }
        let body: ErrorBody = serde_json::from_slice(&body).map_err(|_| {
            let message = format!("unexpected response with status {status}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Err(body.error))
    }

    /// Connects a terminal to a service.
    ///
    /// # Errors
    /// When the instance does not respond. The inner error is the instance's response.
    pub async fn attach(&self, service: &str) -> io::Result<Result<Attached, ErrorInfo>> {
        let services = ServiceSelection {
            services: vec![service.to_owned()],
        };
        let stream = platform::connect(&self.socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(other)?;
        tokio::spawn(async move {
            // The request reports the error of a connection that breaks.
            let _ = connection.with_upgrades().await;
        });
        let request = Request::builder()
            .method(Method::POST)
            .uri("/v1/attach")
            .header("host", "portway")
            .header("connection", "upgrade")
            .header("upgrade", attach::PROTOCOL)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(serde_json::to_vec(&services)?)))
            .map_err(other)?;
        let response = sender.send_request(request).await.map_err(other)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let is_terminal = response.headers().get(attach::TERMINAL);
            let is_terminal = is_terminal.is_some_and(|value| value == "true");
            let upgraded = hyper::upgrade::on(response).await.map_err(other)?;
            return Ok(Ok(Attached::new(upgraded, is_terminal)));
        }
        let status = response.status();
        let body = response.into_body().collect().await.map_err(other)?;
        let body: ErrorBody = serde_json::from_slice(&body.to_bytes()).map_err(|_| {
            let message = format!("unexpected response with status {status}");
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?;
        Ok(Err(body.error))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> io::Result<(Response<Incoming>, JoinHandle<()>)> {
        let stream = platform::connect(&self.socket).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(other)?;
        let connection = tokio::spawn(async move {
            // The request reports the error of a connection that breaks.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "portway")
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(other)?;
        let response = sender.send_request(request).await.map_err(other)?;
        Ok((response, connection))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

/// A subscription to the events of an instance.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    connection: JoinHandle<()>,
    buffer: Vec<u8>,
}

impl Events {
    /// Waits for the next event. `None` if the instance has stopped.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // An event ends with an empty line. The server writes one `data:` line for each.
            if let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let data = event.strip_prefix(b"data: ");
                if let Some(event) = data.and_then(|data| serde_json::from_slice(data).ok()) {
                    return Some(event);
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Some(data) = frame.data_ref() {
                self.buffer.extend_from_slice(data);
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
