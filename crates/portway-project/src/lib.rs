//! What a project is, as functions from values to values.
//!
//! ```text
//! portway.toml ──► Manifest ──► Plan ──(ports)──► Wiring ──► .ports.json, environments, commands
//! ```
//!
//! No sockets, processes, clock or environment here: what is needed of them is passed in. Files
//! are read and written only where they are the subject: `portway.toml`, `.ports.json`, `.git`,
//! `.env`.

pub mod checkout;
pub mod diagnostic;
pub mod env_file;
pub mod env_format;
pub mod health;
pub mod hostnames;
pub mod kind;
pub mod manifest;
pub mod plan;
pub mod policy;
pub mod port_spec;
pub mod ports_file;
pub mod preferences;
pub mod prepare;
pub mod suggest;
pub mod template;
pub mod units;
pub mod wiring;

pub use checkout::Checkout;
pub use diagnostic::Diagnostic;
pub use health::{HealthCheck, HealthTarget};
pub use manifest::Manifest;
pub use plan::{Plan, PlannedPort, PlannedService};
pub use ports_file::{PortsFile, PortsFileError};
pub use preferences::Preferences;
pub use wiring::{AssignedPorts, Launch, PrepareStep, Wiring};
