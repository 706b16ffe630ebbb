//! Options that select optional services and required ports.

use clap::Args;
use portway_app::options::Selection;

use super::values::forced_port;

/// Which optional services are enabled, and on which ports.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SelectionArgs {
    /// Let an optional service take part; remembered for this checkout
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) with: Vec<String>,
    /// Let an optional service no longer take part
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    pub(crate) without: Vec<String>,
    /// Insist on a port
    #[arg(long = "port", value_name = "SERVICE=PORT", value_parser = forced_port)]
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
