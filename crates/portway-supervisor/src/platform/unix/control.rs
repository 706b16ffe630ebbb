//! The control socket of a supervisor or gateway.
//!
//! On Linux it has a second, abstract address, which exists as long as its process: a running instance
//! can be reached although its directory was deleted.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;

use crate::platform::{alias_listener, connect_alias, socket_path};

/// How often a listener checks that its socket still exists.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// The same if clients also find it by its abstract address: then no client waits for the socket.
const CHECK_INTERVAL_WITH_ALIAS: Duration = Duration::from_secs(5);

/// A connection to a control socket.
pub(crate) type ControlStream = UnixStream;

/// Connects to the control socket at `path`.
pub(crate) async fn connect(path: &Path) -> io::Result<ControlStream> {
    let missing = match connect_path(path).await {
        Err(error) if is_missing(&error) => error,
        other => return other,
    };
    match connect_alias(path) {
        Ok(stream) => UnixStream::from_std(stream),
        Err(_) => Err(missing),
    }
}

async fn connect_path(path: &Path) -> io::Result<UnixStream> {
    let (short, _dir) = socket_path(path)?;
    UnixStream::connect(short).await
}

/// Returns whether nothing listens at a path.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused)
}

/// A control socket that accepts connections of this user and of root only.
pub(crate) struct ControlListener {
    path: PathBuf,
    listener: UnixListener,
    /// The abstract address.
    alias: Option<UnixListener>,
}

impl ControlListener {
    /// Creates the socket. The caller holds the lock of the path's server, so an existing socket is
    /// stale and is removed.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        // If removing fails, binding reports the reason.
        let _ = fs::remove_file(path);
        // The path is enough. Another program may use the address.
        let alias = alias_listener(path)
            .and_then(|listener| listener.map(UnixListener::from_std).transpose());
        Ok(Self {
            path: path.to_owned(),
            listener: listen(path)?,
            alias: alias
                .inspect_err(|error| tracing::debug!(%error, "no abstract control socket"))
                .ok()
                .flatten(),
        })
    }

    /// Creates the socket again if it was deleted and its directory exists.
    fn restore(&mut self) {
        let is_deleted = self
            .path
            .symlink_metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        if is_deleted && self.path.parent().is_some_and(Path::exists) {
            match listen(&self.path) {
                Ok(listener) => self.listener = listener,
                // The next check tries again.
                Err(error) => tracing::debug!(%error, "cannot restore the control socket"),
            }
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = {
        let (short, _dir) = socket_path(path)?;
        UnixListener::bind(short)?
    };
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl axum::serve::Listener for ControlListener {
    type Io = UnixStream;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (UnixStream, Self::Addr) {
        let interval = match self.alias {
            Some(_) => CHECK_INTERVAL_WITH_ALIAS,
            None => CHECK_INTERVAL,
        };
        loop {
            let alias = async {
                match &mut self.alias {
                    Some(alias) => axum::serve::Listener::accept(alias).await,
                    None => std::future::pending().await,
                }
            };
            let (stream, address) = tokio::select! {
                accepted = axum::serve::Listener::accept(&mut self.listener) => accepted,
                accepted = alias => accepted,
                () = sleep(interval) => {
                    self.restore();
                    continue;
                }
            };
            let own = rustix::process::geteuid().as_raw();
            if stream
                .peer_cred()
                .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deleted_socket_is_reached_and_restored() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("control.sock");
        let mut listener = ControlListener::bind(&path).unwrap();
        tokio::spawn(async move {
            loop {
                axum::serve::Listener::accept(&mut listener).await;
            }
        });
        connect(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        connect(&path).await.unwrap();
        assert!(crate::platform::is_served(&path));
        while connect_path(&path).await.is_err() {
            sleep(Duration::from_millis(5)).await;
        }
        let other = temp.path().join("other.sock");
        assert!(connect(&other).await.is_err() && !crate::platform::is_served(&other));
    }
}
