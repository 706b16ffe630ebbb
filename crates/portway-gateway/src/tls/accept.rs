//! Performs TLS handshakes.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::{Certificates, is_served};
use super::{Authority, crypto_provider};
use crate::cache::InstanceCache;
use crate::names::DOMAIN;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

/// The response to an HTTP request on a port for HTTPS.
const HTTPS_REQUIRED: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
Connection: close\r\n\r\nthis port requires HTTPS; use a URL that starts with https://\n";

/// Accepts TLS connections for the names that the gateway serves.
#[derive(Clone, Debug)]
pub(crate) struct TlsAcceptor {
    config: Arc<ServerConfig>,
    cache: InstanceCache,
}

impl TlsAcceptor {
    /// Creates an acceptor whose certificates `authority` signs.
    ///
    /// # Errors
    /// If the cryptography provider does not support the default TLS versions.
    pub(crate) fn new(authority: Authority, cache: InstanceCache) -> io::Result<Self> {
        let certificates = Certificates::new(authority, cache.clone());
        let mut config = ServerConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            cache,
        })
    }

    /// Performs the handshake. Refreshes the cache if the name is unknown, because its instance may
    /// just have started.
    ///
    /// # Errors
    /// If the gateway does not serve the requested name, the client does not trust the authority,
    /// or the client does not use TLS.
    pub(crate) async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [HANDSHAKE];
        stream.peek(&mut first).await?;
        if first != [HANDSHAKE] {
            // With unread data the system would reset the connection, and the client could lose the
            // response.
            if stream.read(&mut [0; 4096]).await? > 0 {
                stream.write_all(HTTPS_REQUIRED).await?;
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = hello
            .client_hello()
            .server_name()
            .map(str::to_ascii_lowercase);
        let is_unknown = name.is_some_and(|name| {
            name.ends_with(DOMAIN) && !is_served(&self.cache.snapshot(), &name)
        });
        if is_unknown {
            self.cache.refresh().await;
        }
        hello.into_stream(self.config.clone()).await
    }
}
