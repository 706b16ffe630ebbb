//! What the gateway has others do.

use std::net::TcpListener;

use portway_api::{ErrorInfo, FreeReport, GatewayStatus, PortMap, PortReport};

/// Knows and does what lies above the gateway: who has a port, how an instance is started. Every
/// method may block.
pub trait Operations: Send + Sync + 'static {
    /// The port ranges, and everyone who has a port.
    ///
    /// # Errors
    /// When the system or the registry does not tell.
    fn port_map(&self) -> Result<PortMap, ErrorInfo>;

    /// Who has a port.
    ///
    /// # Errors
    /// When the system does not tell.
    fn port_report(&self, port: u16) -> Result<PortReport, ErrorInfo>;

    /// Ends who has a port, or only tells what would be ended.
    ///
    /// # Errors
    /// When nobody has it, or it may not be ended, or does not end.
    fn free_port(&self, port: u16, dry_run: bool) -> Result<FreeReport, ErrorInfo>;

    /// Listens on loopback on this very port.
    ///
    /// # Errors
    /// When somebody else has it, or this user may not.
    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo>;

    /// Remembers what the gateway is, for commands and for the next one.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save_status(&self, gateway: &GatewayStatus) -> Result<(), ErrorInfo>;

    /// Starts services of the checkout in `directory`, all where none is named, and returns when
    /// they are ready.
    ///
    /// # Errors
    /// When they cannot be started.
    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo>;
}
