//! Services on other machines of the local network.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service that Portway announces on another machine of the local network.
///
/// Every value comes from that machine and is not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscoveredService {
    /// The service's name.
    pub service: String,
    /// The name of its instance.
    pub instance: String,
    /// The name of its project.
    pub project: String,
    /// The host name, such as `jobi-laptop.local`.
    pub host: String,
    /// The service's URL, with the first of its addresses.
    pub url: String,
    /// The host's addresses, in ascending order.
    pub addresses: Vec<Ipv4Addr>,
    /// The service's port.
    pub port: u16,
    /// The version of Portway that announces the service.
    pub version: String,
}
