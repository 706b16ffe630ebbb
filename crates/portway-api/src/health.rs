//! Whether services are well.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One round of questions to the services of a checkout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReport {
    /// When it was asked, in milliseconds since 1970-01-01 UTC.
    pub at: u64,
    /// Whether all that were asked are well.
    pub healthy: bool,
    /// The answers, in the order of the manifest.
    pub services: Vec<ServiceHealth>,
}

/// What one service answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceHealth {
    /// The service.
    pub service: String,
    /// How it was asked.
    pub check: HealthCheckKind,
    /// The URL that was asked.
    pub url: String,
    /// The port that was asked.
    pub port: u16,
    /// Whether it answered with a status below 400 (500 where nobody named a path) or, over TCP,
    /// accepted the connection.
    pub healthy: bool,
    /// The HTTP status, 100 to 999; `None` when there was no answer, and over TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the answer took from before the connection, in milliseconds; `None` when there was
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it is not well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// How a service is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthCheckKind {
    /// Its path has to answer.
    Http,
    /// Its port accepts a connection: it speaks no HTTP.
    Tcp,
}
