//! The handshake.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::{Certificates, leads};
use super::{Authority, provider};
use crate::cache::InstanceCache;
use crate::names::DOMAIN;

/// The first byte of a handshake.
const HANDSHAKE: u8 = 0x16;

/// The answer to a browser that was told `http` where it should have been `https`.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
Connection: close\r\n\r\nthis port speaks HTTPS: the URL begins with https://\n";

/// Makes connections safe, for the names that lead somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    cache: InstanceCache,
}

impl Tls {
    /// # Errors
    /// When the cryptography does not offer what TLS needs.
    pub(crate) fn new(authority: Authority, cache: InstanceCache) -> io::Result<Self> {
        let certificates = Certificates::new(authority, cache.clone());
        let mut config = ServerConfig::builder_with_provider(provider())
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

    /// Shakes hands. A look is taken for a name that is not known, for its instance may just have
    /// come.
    ///
    /// # Errors
    /// When the client asks for a name that leads nowhere, does not trust the authority, or speaks
    /// something else.
    pub(crate) async fn accept(&self, mut stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [HANDSHAKE];
        stream.peek(&mut first).await?;
        if first != [HANDSHAKE] {
            // Unread, the request would have the system end the connection before the answer is read.
            if stream.read(&mut [0; 4096]).await? > 0 {
                stream.write_all(PLAIN).await?;
            }
            return Err(io::ErrorKind::InvalidData.into());
        }
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = hello
            .client_hello()
            .server_name()
            .map(str::to_ascii_lowercase);
        let is_new = name
            .is_some_and(|name| name.ends_with(DOMAIN) && !leads(&self.cache.snapshot(), &name));
        if is_new {
            self.cache.refresh().await;
        }
        hello.into_stream(self.config.clone()).await
    }
}
