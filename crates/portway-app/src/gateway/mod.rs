//! The gateway of this user. `state`, `client`, `background` and `forward` serve commands that talk
//! to a gateway; `host` is the gateway process itself and its registration with the session.

pub(crate) mod background;
pub(crate) mod client;
pub mod forward;
pub mod host;
pub(crate) mod state;

pub use client::{dashboard_url, start, status, stop};
