//! The programs and directories of a run.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The programs and directories of a run.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The Portway binary under test.
    pub portway: PathBuf,
    /// The service with configurable misbehavior.
    pub service: PathBuf,
    /// The binary of this harness.
    pub harness: PathBuf,
    /// The directory for the files of runs.
    pub scratch: PathBuf,
    /// Set by Ctrl-C. The run then stops what it has started before it exits.
    pub interrupted: Arc<AtomicBool>,
}

impl Tools {
    /// Find the programs in the directory of `harness`, where cargo builds them.
    ///
    /// # Errors
    /// If Portway has not been built there.
    pub fn find(harness: &Path) -> Result<Self, String> {
        let dir = harness.parent().unwrap_or(harness);
        let scratch = dir.parent().unwrap_or(dir).join("tmp");
        fs::create_dir_all(&scratch)
            .map_err(|error| format!("cannot create `{}`: {error}", scratch.display()))?;
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(|error| error.to_string())?;
        }
        let tools = Self {
            interrupted,
            portway: dir.join("portway"),
            service: dir.join("portway-chaos-service"),
            harness: harness.to_owned(),
            scratch,
        };
        if tools.portway.is_file() {
            Ok(tools)
        } else {
            let portway = tools.portway.display();
            Err(format!(
                "`{portway}` does not exist\nhelp: run `cargo build -p portway`"
            ))
        }
    }
}
