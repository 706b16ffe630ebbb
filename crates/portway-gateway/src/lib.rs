//! Names instead of numbers: one reverse proxy for every instance of the machine.
//!
//! ```text
//! registry ─► snapshot ─► names ─┐
//!   (who is there)             ▼
//! client ─► server ─► host ─► proxy ─► service
//!                       │
//!                       └ its own name ─► site ─► dashboard, api ─► machine
//! ```
//!
//! The gateway starts no service and chooses no port. It reads what instances say of themselves,
//! and can die without a service noticing.

mod api;
mod cache;
mod control;
mod dashboard;
mod forwards;
mod host;
mod names;
mod pages;
mod proxy;
mod server;
mod site;
mod strict;
#[cfg(test)]
mod testing;
pub mod tls;

pub use api::{Api, Operations, openapi};
pub use cache::{CachedInstance, InstanceCache, InstanceRecord, InstanceSnapshot, InstanceSource};
pub use control::control_router;
pub use names::{DOMAIN, GATEWAY_LABEL, Names, Target, fill_gateway_fields};
pub use server::{TlsListeners, serve};
