//! Names instead of numbers: one reverse proxy for every instance of the machine.
//!
//! ```text
//! registry ─► roster ─► names ─┐
//!   (who is there)             ▼
//! client ─► server ─► host ─► proxy ─► service
//!                       │
//!                       └ its own name ─► site ─► dashboard, api ─► machine
//! ```
//!
//! The gateway starts no service and chooses no port. It reads what instances say of themselves,
//! and can die without a service noticing.

mod api;
mod control;
mod dashboard;
mod forwards;
mod host;
mod names;
mod pages;
mod proxy;
mod roster;
mod server;
mod site;
mod strict;
#[cfg(test)]
mod testing;
pub mod tls;

pub use api::{Api, Machine, openapi};
pub use control::control;
pub use names::{DOMAIN, GATEWAY_LABEL, Names, Target, tell};
pub use roster::{Known, Member, Reader, Roster, Source, follow};
pub use server::{Secure, serve};
