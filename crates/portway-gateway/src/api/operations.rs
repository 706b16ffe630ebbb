//! The operations that the gateway delegates to the application that hosts it.

use std::net::TcpListener;

use portway_api::{ErrorInfo, FreeReport, GatewayStatus, PortMap, PortReport};

/// Operations on ports and instances that this crate must not perform itself. Every method may
/// block.
pub trait Operations: Send + Sync + 'static {
    /// Returns the port ranges and the use of every port.
    ///
    /// # Errors
    /// If the system or the registry cannot be read.
    fn port_map(&self) -> Result<PortMap, ErrorInfo>;

    /// Returns which process is using a port.
    ///
    /// # Errors
    /// If the system cannot be read.
    fn port_report(&self, port: u16) -> Result<PortReport, ErrorInfo>;

    /// Stops the processes or the service that use a port. With `dry_run`, only returns what would
    /// be stopped.
    ///
    /// # Errors
    /// If nothing uses the port, or its process must not be stopped or does not exit.
    fn free_port(&self, port: u16, dry_run: bool) -> Result<FreeReport, ErrorInfo>;

    /// Listens on exactly this port on the loopback addresses.
    ///
    /// # Errors
    /// If the port is in use or leased, or this user may not listen on it.
    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo>;

    /// Saves the status of the gateway, for commands and for the next gateway.
    ///
    /// # Errors
    /// If the file cannot be written.
    fn save_status(&self, gateway: &GatewayStatus) -> Result<(), ErrorInfo>;

    /// Starts services of the checkout in `directory`, or all of them if `services` is empty.
    /// Returns when they are ready.
    ///
    /// # Errors
    /// If a service cannot be started.
    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo>;
}
