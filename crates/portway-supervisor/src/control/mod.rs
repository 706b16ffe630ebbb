//! The API of a running instance: HTTP and JSON on a local socket.
//!
//! | request | response |
//! | --- | --- |
//! | `GET /v1/status` | the status |
//! | `GET /v1/events` | server-sent events: the status, then every event |
//! | `GET /v1/changes` | server-sent events: the status, then each change of it |
//! | `POST /v1/start`, `/v1/restart`, `/v1/stop`, `/v1/release` | 202; the body is `{"services": […]}`, empty for all |
//! | `POST /v1/apply` | the changes of the project that it applies; the body is an `ApplyRequest` |
//! | `GET /v1/environment` | the variables of the services |
//! | `GET /v1/manifest` | the text of the manifest that is in effect, as a string |
//! | `POST /v1/attach` | switches to the protocol of `attach.rs`; the body names one service |
//! | `POST /v1/kill` | 202; kills all processes without a grace period |
//!
//! Try it with `curl --unix-socket control.sock http://portway/v1/status`. The socket has mode 0600
//! in a directory with mode 0700, and the server rejects connections of other users.

mod attach;
mod client;
mod refusal;
mod server;

use std::path::Path;

use crate::platform;

pub use attach::{Attached, AttachedInput, AttachedOutput};
pub use client::{Client, Events};
pub(crate) use server::serve;
pub use server::{ControlServer, serve_router};

/// The socket's file name in an instance's directory.
pub const SOCKET: &str = "control.sock";

/// Returns the pid of the process that serves the control socket at `socket`. `None` if there is
/// none, and always on macOS and Windows.
pub fn supervisor_pid(socket: &Path) -> Option<u32> {
    platform::server_pid(socket)
}

/// Returns whether a process serves the control socket at `socket`, even if the socket was deleted.
/// On macOS, a deleted socket is served again after a second.
pub fn is_served(socket: &Path) -> bool {
    platform::is_served(socket)
}
