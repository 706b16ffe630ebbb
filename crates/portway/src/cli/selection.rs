//! Options that select optional services and required ports.

use clap::Args;
use portway_app::options::Selection;

use super::candidates;
use super::values::service_port;

/// Which optional services are enabled, and on which ports.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Enable an optional service, now and for later runs in this checkout
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', add = candidates::optional_services())]
    pub(crate) with: Vec<String>,
    /// Disable an optional service again
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', add = candidates::optional_services())]
    pub(crate) without: Vec<String>,
    /// Require a port for a service
    #[arg(long = "port", value_name = "SERVICE=PORT", value_parser = service_port, add = candidates::assignments())]
    pub(crate) ports: Vec<(String, u16)>,
}

impl SelectionArgs {
    pub(crate) fn to_selection(&self) -> Selection {
        Selection {
            with: self.with.clone(),
            without: self.without.clone(),
            ports: self.ports.clone(),
        }
    }
}
