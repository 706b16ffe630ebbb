//! What was measured, one record for each repository, in `target/corpus/results.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// All records, by the titles of the repositories.
pub(super) type Records = BTreeMap<String, Record>;

/// What was measured of one repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The commit of Portway that made the plan.
    pub(super) portway: String,
    /// The day, in UTC, such as 2026-11-30.
    pub(super) date: String,
    /// How the plan differs from the expectation; empty if it is right.
    pub(super) differences: Vec<String>,
    /// What the machine lacks; the project was not started then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) lacks: Vec<String>,
    /// The run; missing if it was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Run>,
}

/// How the project ran in both checkouts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// The commit of Portway that ran.
    #[serde(default)]
    pub(super) portway: String,
    pub(super) main: Attempt,
    /// The worktree, started while the main checkout ran.
    pub(super) worktree: Attempt,
    /// What was left after both were stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) left: Vec<String>,
}

/// How the project ran in one checkout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attempt {
    /// Whether every service that `up` starts was ready.
    pub(super) up: bool,
    /// Whether a page works only through its name, by which the gateway serves it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) by_name: bool,
    /// How long `up` took, in seconds.
    pub(super) seconds: u64,
    /// Why it was not up or not wired, in the words of Portway or of the check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) problems: Vec<String>,
    /// The last lines of the services that failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) output: Vec<String>,
}

impl Attempt {
    /// Whether every request and connection that was seen stayed within the instance.
    pub(super) fn is_wired(&self) -> bool {
        self.up && self.problems.is_empty()
    }
}

/// Read the records; none if there are none yet.
pub(super) fn read(path: &Path) -> Result<Records, String> {
    if !path.exists() {
        return Ok(Records::new());
    }
    let text = fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("`{}`: {error}", path.display()))
}

/// Add a record to those in the file, so that an interrupted run continues after it. Returns all.
pub(super) fn add(path: &Path, title: String, record: Record) -> Result<Records, String> {
    let mut records = read(path)?;
    records.insert(title, record);
    let text = serde_json::to_string_pretty(&records).map_err(|error| error.to_string())?;
    let temporary = path.with_extension("new");
    fs::write(&temporary, text + "\n")
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
    Ok(records)
}
