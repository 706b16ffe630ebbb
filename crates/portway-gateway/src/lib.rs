//! The gateway: one reverse proxy that gives the services of all instances host names.
//!
//! ```text
//! client ─► server ─► host ─► names (from the cache) ─► proxy ─► service
//!                       └ own name ─► site ─► dashboard, API ─► operations
//! ```
//! The gateway reads the status of instances. It starts no service and chooses no port itself, and
//! services keep running without it.

mod api;
mod cache;
mod connections;
mod control;
mod dashboard;
mod error_pages;
mod fields;
mod forwards;
mod host;
mod names;
mod peer;
mod platform;
mod proxy;
mod refusal;
mod response;
mod rewrite;
mod server;
mod site;
mod strict;
#[cfg(test)]
mod testing;
pub mod tls;
mod upstream;

pub use api::{Api, Operations, openapi};
pub use cache::{CachedInstance, InstanceCache, InstanceRecord, InstanceSnapshot, InstanceSource};
pub use control::control_router;
pub use names::{DOMAIN, GATEWAY_LABEL, Names, Target, fill_gateway_fields};
pub use server::{TlsListeners, serve};
