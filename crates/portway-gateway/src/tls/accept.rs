//! The handshake.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::{Certificates, leads};
use super::{Authority, provider};
use crate::names::DOMAIN;
use crate::roster::Reader;

/// Makes connections safe, for the names that lead somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ServerConfig>,
    roster: Reader,
}

impl Tls {
    /// # Errors
    /// When the cryptography does not offer what TLS needs.
    pub(crate) fn new(authority: Authority, roster: Reader) -> io::Result<Self> {
        let certificates = Certificates::new(authority, roster.clone());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            roster,
        })
    }

    /// Shakes hands. A look is taken for a name that is not known, for its instance may just have
    /// come.
    ///
    /// # Errors
    /// When the client asks for a name that leads nowhere, does not trust the authority, or speaks
    /// something else.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let name = hello
            .client_hello()
            .server_name()
            .map(str::to_ascii_lowercase);
        let is_new =
            name.is_some_and(|name| name.ends_with(DOMAIN) && !leads(&self.roster.now(), &name));
        if is_new {
            self.roster.fresh().await;
        }
        hello.into_stream(self.config.clone()).await
    }
}
