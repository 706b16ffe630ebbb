//! The local CA and the trust stores.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The root certificate of the local CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustedRoot {
    /// The certificate's name, which is unique.
    pub name: String,
    /// The serial number, in hexadecimal digits.
    pub serial: String,
    /// The SHA-256 fingerprint of the certificate, in hexadecimal digits.
    pub fingerprint: String,
}

/// The result of adding the local CA to the trust stores, or of removing it; also the preview of
/// both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustReport {
    /// The directory with the CA's files.
    pub directory: String,
    /// The CA's root certificate. In a preview without an existing CA, the name contains `ID`
    /// instead of digits, and the serial number and fingerprint are empty.
    pub root: TrustedRoot,
    /// The steps, one for each trust store.
    pub steps: Vec<TrustStep>,
}

/// The change to one trust store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustStep {
    /// The trust store's name.
    pub store: String,
    /// The name of an earlier CA, when the step is about that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// The step as shell commands.
    pub commands: Vec<String>,
    /// The step's result.
    pub state: TrustState,
    /// Why the step was not carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustState {
    /// The step has not been carried out yet.
    Planned,
    /// The step is done.
    Done,
    /// No change was necessary.
    #[serde(rename = "already")]
    AlreadyDone,
    /// The step requires root privileges.
    NeedsRoot,
    /// The step is not possible on this machine.
    #[serde(rename = "lacking")]
    Unavailable,
    /// The step failed.
    Failed,
}
