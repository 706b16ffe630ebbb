//! Portway beaten up: seeded runs of many instances on one machine, with invariants that are looked
//! at all the time. See `README.md`.

#![cfg(target_os = "linux")]

mod act;
mod beating;
mod clock;
mod disk_full;
mod grabber;
mod invariants;
mod look;
mod plan;
mod verdict;
mod watch;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use disk_full::{INSIDE, inside};
pub use plan::{Length, Plan};

/// What goes wrong is told in words and ends the run.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// The programs of a run.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The binary that is beaten.
    pub portway: PathBuf,
    /// The service that misbehaves.
    pub service: PathBuf,
    /// This harness's own binary.
    pub harness: PathBuf,
    /// A directory for the files of runs.
    pub scratch: PathBuf,
    /// Set by Ctrl-C: what a run has started is ended before it ends itself.
    pub interrupted: Arc<AtomicBool>,
}

impl Tools {
    /// The programs that lie beside `harness`, as cargo builds them.
    ///
    /// # Errors
    /// When Portway has not been built there.
    pub fn beside(harness: &Path) -> std::result::Result<Self, String> {
        let dir = harness.parent().unwrap_or(harness);
        let scratch = dir.parent().unwrap_or(dir).join("tmp");
        fs::create_dir_all(&scratch).map_err(|error| format!("{}: {error}", scratch.display()))?;
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
            let place = tools.portway.display();
            Err(format!(
                "no `{place}`; build it first: `cargo build -p portway`"
            ))
        }
    }
}

/// Carries out one plan, and then fills a disk. Says what was done.
///
/// # Errors
/// What was found to be wrong, with the seed and the plan. The files of such a run stay.
pub fn run(seed: u64, length: Length, tools: &Tools) -> std::result::Result<String, String> {
    let plan = Plan::new(seed, length);
    let temp = tempfile::Builder::new()
        .prefix("chaos-")
        .tempdir_in(&tools.scratch)
        .map_err(|error| format!("{}: {error}", tools.scratch.display()))?;
    let root = temp
        .path()
        .canonicalize()
        .map_err(|error| error.to_string())?;
    let done = beating::run(&plan, tools, &root.join("beating"));
    let done = done.and_then(|done| {
        let full = disk_full::run(seed, length, tools, &root.join("full"))?;
        Ok(format!("{done}; {full}"))
    });
    done.map_err(|why| {
        let kept = temp.keep();
        let again = match length {
            Length::Short => "",
            Length::Long => " --minutes 1",
        };
        let kept = kept.display();
        format!(
            "{plan}\nseed {seed} has found this; `cargo xtask chaos --seed {seed}{again}` tries it \
             again, and {kept} has all files:\n{why}"
        )
    })
}
