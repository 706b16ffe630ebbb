//! The gateway of this user. Commands use `state`, `client`, `background` and `forward` to
//! communicate with the gateway. `host` is the gateway process and its registration with the
//! session manager.

pub(crate) mod background;
pub(crate) mod client;
pub mod forward;
pub mod host;
pub(crate) mod state;

pub use client::{dashboard_url, start, status, stop};
