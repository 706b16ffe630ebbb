//! What Portway wrote into a `.ports.json`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The values that Portway wrote into an instance's `.ports.json`, by key and in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WrittenValues(pub IndexMap<String, WrittenValue>);

/// A value in a `.ports.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WrittenValue {
    /// A port.
    Port(u16),
    /// A URL.
    Url(String),
}

impl WrittenValues {
    /// Returns the port under `key`.
    pub fn port(&self, key: &str) -> Option<u16> {
        match self.0.get(key)? {
            WrittenValue::Port(port) => Some(*port),
            WrittenValue::Url(_) => None,
        }
    }

    /// Returns all ports, by key and in their order.
    pub fn ports(&self) -> IndexMap<String, u16> {
        let port = |(key, value): (&String, &WrittenValue)| match value {
            WrittenValue::Port(port) => Some((key.clone(), *port)),
            WrittenValue::Url(_) => None,
        };
        self.0.iter().filter_map(port).collect()
    }
}
