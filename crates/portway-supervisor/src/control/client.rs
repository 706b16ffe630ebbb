//! The asking side.

use std::io;
use std::path::Path;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use portway_api::{ErrorBody, ErrorInfo, Event, InstanceStatus, ServiceSelection};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

use crate::platform;

/// Speaks with a running instance.
#[derive(Debug, Clone)]
pub struct Client {
    socket: std::path::PathBuf,
}

impl Client {
    /// A client of the instance whose control socket lies at `socket`.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Its status.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn status(&self) -> io::Result<InstanceStatus> {
        self.get("/v1/status").await
    }

    /// What is answered at `path`.
    ///
    /// # Errors
    /// When nobody answers, or something else.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> io::Result<T> {
        let (response, connection) = self.send(Method::GET, path, Bytes::new()).await?;
        let body = response.into_body().collect().await.map_err(other)?;
        connection.abort();
        serde_json::from_slice(&body.to_bytes()).map_err(other)
    }

    /// Its events, the status first.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn events(&self) -> io::Result<Events> {
        self.follow("/v1/events").await
    }

    /// Its statuses alone: the one that it has, then each new one.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn changes(&self) -> io::Result<Events> {
        self.follow("/v1/changes").await
    }

    async fn follow(&self, path: &str) -> io::Result<Events> {
        let (response, connection) = self.send(Method::GET, path, Bytes::new()).await?;
        Ok(Events {
            body: response.into_body(),
            connection,
            buffer: Vec::new(),
        })
    }

    /// Asks for `start`, `restart`, `stop`, `release` or `kill`.
    ///
    /// # Errors
    /// When nobody answers; the inner error is the instance's own.
    pub async fn request(
        &self,
        command: &str,
        services: &[String],
    ) -> io::Result<Result<(), ErrorInfo>> {
        let services = ServiceSelection {
            services: services.to_vec(),
        };
        let answer = self.post(&format!("/v1/{command}"), &services).await?;
        Ok(answer.map(drop))
    }

    /// Sends `question` to a path; what comes back is JSON.
    ///
    /// # Errors
    /// When nobody answers; the inner error is that of who was asked.
    pub async fn post(
        &self,
        path: &str,
        question: &impl Serialize,
    ) -> io::Result<Result<Bytes, ErrorInfo>> {
        let body = serde_json::to_vec(question)?;
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
        let body: ErrorBody = serde_json::from_slice(&body)
            .map_err(|_| io::Error::other(format!("the instance answers {status}")))?;
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

/// The events of an instance, until it ends.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    connection: JoinHandle<()>,
    buffer: Vec<u8>,
}

impl Events {
    /// The next event, or `None` when the instance has ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            // An event ends with an empty line; ours have one `data:` line each.
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
