//! The description of a project, as functions from values to values.
//!
//! ```text
//! portway.toml ──► Manifest ──► Plan ──(ports)──► Wiring ──► .ports.json, environments, commands
//! ```
//!
//! This crate uses no sockets, processes, clock or environment. It reads and writes only files that
//! are its subject, such as `portway.toml`, `config.toml`, `.ports.json` and the files of git.

pub mod atomic_file;
pub mod change;
pub mod checkout;
pub mod credentials;
pub mod database;
pub mod diagnostic;
pub mod dotenv;
pub mod export;
pub mod health;
pub mod hostnames;
pub mod kind;
pub mod manifest;
pub mod mapping;
pub mod plan;
pub mod policy;
pub mod port_spec;
pub mod ports_file;
pub mod preferences;
pub mod prepare;
pub mod shell;
pub mod suggest;
pub mod template;
pub mod units;
pub mod user_file;
pub mod wiring;

pub use checkout::Checkout;
pub use diagnostic::Diagnostic;
pub use health::{HealthCheck, HealthTarget};
pub use manifest::Manifest;
pub use plan::{Plan, PlannedPort, PlannedService};
pub use ports_file::{PortsFile, PortsFileError, PortsFileProblem};
pub use preferences::Preferences;
pub use wiring::{AssignedPorts, Launch, PrepareStep, Wiring, WiringInput};
