//! What other machines of the local network serve.

use std::net::Ipv4Addr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service that Portway serves on another machine. All of it is what that machine says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Discovered {
    /// The service's name.
    pub service: String,
    /// Its instance's name.
    pub instance: String,
    /// Its project's name.
    pub project: String,
    /// The host, such as `jobi-laptop.local`.
    pub host: String,
    /// Where to reach it, by its first address.
    pub url: String,
    /// Its addresses, lowest first.
    pub addresses: Vec<Ipv4Addr>,
    /// Its port.
    pub port: u16,
    /// The version of the Portway that announces it.
    pub version: String,
}
