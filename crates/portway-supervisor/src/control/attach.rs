//! Connects terminals to services: `POST /v1/attach` with the protocol `portway-attach`.
//!
//! After the switch of protocols, the server sends the output of the service as it is, and closes the
//! connection when the process has exited. The client sends messages: a byte with the kind, the length of the
//! content as 32-bit number, most significant byte first, and the content.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use portway_api::{ErrorBody, ServiceSelection};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::broadcast::error::RecvError;

use super::refusal::{gone, unknown_service};
use crate::supervisor::{Attachment, Handle};

/// The name of the protocol.
pub(super) const PROTOCOL: &str = "portway-attach";

/// The header that says whether the service has a terminal: `true` or `false`.
pub(super) const TERMINAL: &str = "portway-terminal";

/// Maximum size of the content of a message, in bytes.
const MAX_CONTENT: usize = 64 * 1024;

/// A message of a client.
#[derive(Debug, PartialEq, Eq)]
enum Message {
    /// Bytes for the standard input.
    Input(Vec<u8>),
    /// The size of the terminal: rows and columns.
    Resize(u16, u16),
}

impl Message {
    async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let kind = stream.read_u8().await?;
        let length = stream.read_u32().await? as usize;
        if length > MAX_CONTENT {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut content = vec![0; length];
        stream.read_exact(&mut content).await?;
        match (kind, &content[..]) {
            (b'i', _) => Ok(Self::Input(content)),
            (b'r', &[a, b, c, d]) => Ok(Self::Resize(
                u16::from_be_bytes([a, b]),
                u16::from_be_bytes([c, d]),
            )),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let (kind, content) = match self {
            Self::Input(bytes) => (b'i', bytes.clone()),
            Self::Resize(rows, columns) => {
                (b'r', [rows.to_be_bytes(), columns.to_be_bytes()].concat())
            }
        };
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let mut message = vec![kind];
        message.extend(length.to_be_bytes());
        message.extend(content);
        stream.write_all(&message).await?;
        stream.flush().await
    }
}

/// The client's connection to a service.
pub struct Attached {
    /// Whether the service has a terminal.
    pub is_terminal: bool,
    /// The output of the service.
    pub output: AttachedOutput,
    /// The standard input of the service.
    pub input: AttachedInput,
}

/// The output of a service.
pub struct AttachedOutput(ReadHalf<TokioIo<Upgraded>>);

/// The standard input of a service.
pub struct AttachedInput(WriteHalf<TokioIo<Upgraded>>);

impl Attached {
    pub(super) fn new(upgraded: Upgraded, is_terminal: bool) -> Self {
        let (output, input) = tokio::io::split(TokioIo::new(upgraded));
        Self {
            is_terminal,
            output: AttachedOutput(output),
            input: AttachedInput(input),
        }
    }
}

impl AttachedOutput {
    /// Reads output into `buffer`. Returns 0 when the process of the service has exited.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).await
    }
}

impl AttachedInput {
    /// Writes to the standard input of the service.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(MAX_CONTENT) {
            Message::Input(part.to_vec()).write(&mut self.0).await?;
        }
        Ok(())
    }

    /// Sets the size of the service's terminal, in characters.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn resize(&mut self, rows: u16, columns: u16) -> io::Result<()> {
        Message::Resize(rows, columns).write(&mut self.0).await
    }
}

/// Switches the connection to the protocol, if the service has a process.
pub(super) async fn attach(State(handle): State<Handle>, mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    let services = match Json::<ServiceSelection>::from_request(request, &()).await {
        Ok(Json(services)) => services.services,
        Err(rejection) => return rejection.into_response(),
    };
    let name = services.first().map(String::as_str).unwrap_or_default();
    if !handle.has_service(name) {
        return unknown_service(name).into_response();
    }
    let attachment = match handle.attach(name).await {
        Some(Ok(attachment)) => attachment,
        Some(Err(error)) => {
            return (StatusCode::CONFLICT, Json(ErrorBody { error })).into_response();
        }
        None => return gone().into_response(),
    };
    let input = attachment.input.as_ref();
    let is_terminal = input.is_some_and(|input| input.is_terminal());
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            // The client sees the end of the connection.
            let _ = serve(TokioIo::new(upgraded), attachment).await;
        }
    });
    let response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, PROTOCOL)
        .header(TERMINAL, is_terminal.to_string())
        .body(Body::empty());
    response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Serves one terminal until it leaves or the process has exited.
async fn serve(stream: TokioIo<Upgraded>, attachment: Attachment) -> io::Result<()> {
    let Attachment {
        input,
        recent,
        mut output,
    } = attachment;
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let send = async {
        to_client.write_all(&recent).await?;
        loop {
            match output.recv().await {
                Ok(bytes) => to_client.write_all(&bytes).await?,
                // The terminal is slower than the service and misses some.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return to_client.shutdown().await,
            }
            to_client.flush().await?;
        }
    };
    let receive = async {
        loop {
            match (Message::read(&mut from_client).await?, &input) {
                (Message::Input(bytes), Some(input)) => input.write(&bytes).await?,
                (Message::Resize(rows, columns), Some(input)) => input.resize(rows, columns),
                (_, None) => {}
            }
        }
    };
    tokio::pin!(send, receive);
    let received: io::Result<()> = tokio::select! {
        result = &mut send => return result,
        result = &mut receive => result,
    };
    match received {
        // The process has closed its standard input; its output continues.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => send.await,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reads_what_it_writes() {
        for message in [
            Message::Input(b"2\n\x03\0".to_vec()),
            Message::Input(Vec::new()),
            Message::Resize(24, 132),
        ] {
            let mut bytes = Vec::new();
            message.write(&mut bytes).await.unwrap();
            assert_eq!(Message::read(&mut &bytes[..]).await.unwrap(), message);
        }
    }

    #[tokio::test]
    async fn rejects_invalid_messages() {
        for bytes in [
            &b"i\xff\xff\xff\xff"[..],
            b"r\0\0\0\x01x",
            b"x\0\0\0\0",
            b"i\0\0",
        ] {
            assert!(Message::read(&mut &*bytes).await.is_err(), "{bytes:?}");
        }
    }
}
