//! The health of services.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The result of one health check of a checkout's services.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReport {
    /// The time of the check, in milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// Whether all checked services are healthy.
    pub healthy: bool,
    /// The results, in the order of the manifest.
    pub services: Vec<ServiceHealth>,
}

/// The health of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceHealth {
    /// The service.
    pub service: String,
    /// The kind of check.
    pub check: HealthCheckKind,
    /// The URL that was checked.
    pub url: String,
    /// The port that was checked.
    pub port: u16,
    /// Its number inside the network of the instance; missing without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<u16>,
    /// Whether the service is healthy. Over HTTP, the status must be below 400, or below 500 when
    /// no health path is configured. Over TCP, the service must accept the connection.
    pub healthy: bool,
    /// The HTTP status, 100 to 999; missing without a response and over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The time from the start of the connection to the response, in milliseconds; missing without
    /// a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why the service is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a service's health is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckKind {
    /// An HTTP request.
    Http,
    /// A TCP connection, for services that do not speak HTTP.
    Tcp,
}
