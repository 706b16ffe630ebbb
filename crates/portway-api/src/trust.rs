//! The local CA, and who trusts it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The certificate that programs are told to trust, as stores know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustedRoot {
    /// Its name, which no other has.
    pub name: String,
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// The SHA-256 digest of the certificate, in hexadecimal digits.
    pub fingerprint: String,
}

/// What was done, or would be, to have the local CA trusted, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustReport {
    /// The directory of the CA's files.
    pub directory: String,
    /// The CA's root. Before there is a CA, a report of what would be done has `ID` in the place of
    /// the digits of its name, and nothing for serial number and fingerprint.
    pub root: TrustedRoot,
    /// Store by store.
    pub steps: Vec<TrustStep>,
}

/// One store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustStep {
    /// The store, as people call it.
    pub store: String,
    /// The name of the CA that it is about, where that is another than the report's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
    /// What is done, as commands of a shell.
    pub commands: Vec<String>,
    /// What became of it.
    pub state: TrustState,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustState {
    /// It will be done.
    Planned,
    /// It is done.
    Done,
    /// It was so before.
    Already,
    /// This user may not; somebody with root rights can run the commands.
    NeedsRoot,
    /// It cannot be done here.
    Lacking,
    /// It was tried in vain.
    Failed,
}
