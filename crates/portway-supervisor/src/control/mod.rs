//! The surface of a running instance: HTTP and JSON on a local socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/status` | the status |
//! | `GET /v1/events` | server-sent events: the status, then whatever happens |
//! | `GET /v1/changes` | the same without logs and notices |
//! | `POST /v1/start`, `/v1/restart`, `/v1/stop` | `{"services": […]}`, empty for all; 202 |
//! | `POST /v1/kill` | ends the instance without grace; 202 |
//!
//! `curl --unix-socket control.sock http://portway/v1/status` works as well as the CLI does. The
//! socket lies in a directory of mode 0700, is of mode 0600 itself, and serves its own user alone.

mod client;
mod server;

use std::path::Path;

use crate::platform;

pub use client::{Client, Events};
pub(crate) use server::serve;
pub use server::{ControlServer, serve_router};

/// The socket's name in an instance's directory.
pub const SOCKET: &str = "control.sock";

/// The process that serves the control socket at `socket`; `None` where nobody does or the system
/// does not tell.
pub fn supervisor_pid(socket: &Path) -> Option<u32> {
    platform::serves(socket)
}
