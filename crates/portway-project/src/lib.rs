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
pub mod env_file;
pub mod env_format;
pub mod health;
pub mod kind;
pub mod manifest;
pub mod names;
pub mod nearest;
pub mod plan;
pub mod ports_file;
pub mod preferences;
pub mod prepare;
pub mod template;
pub mod wiring;

pub use checkout::Checkout;
pub use health::HealthCheck;
pub use manifest::{Invalid, Manifest};
pub use plan::{Plan, PlannedPort, PlannedService};
pub use ports_file::{PortsFile, PortsFileError};
pub use preferences::Preferences;
pub use wiring::{AssignedPorts, Launch, Step, Wiring};
