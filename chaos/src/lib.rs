//! Fault injection for Portway: plans made from a seed, carried out against many instances on one
//! machine, with invariants that are checked all the time. See `README.md`.

#![cfg(target_os = "linux")]

mod checkout;
mod clock;
mod competitor;
mod disk_full;
mod env;
mod gateway;
mod invariants;
mod monitor;
mod plan;
mod probe;
mod scenario;
mod tools;
mod violations;

pub use disk_full::{DISK_FULL, run_on_full_disk};
pub use plan::{Length, Plan};
pub use tools::Tools;

/// The error is a message for the person who reads the report. It stops the run.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Carry out the plan of a seed, then fill a disk. Returns a summary.
///
/// # Errors
/// The violated invariants, with the seed and the plan. The files of such a run are kept.
pub fn run(seed: u64, length: Length, tools: &Tools) -> std::result::Result<String, String> {
    let plan = Plan::new(seed, length);
    let temp = tempfile::Builder::new()
        .prefix("chaos-")
        .tempdir_in(&tools.scratch)
        .map_err(|error| format!("cannot write to `{}`: {error}", tools.scratch.display()))?;
    let root = temp
        .path()
        .canonicalize()
        .map_err(|error| error.to_string())?;
    let result = scenario::run(&plan, tools, &root.join("scenario"));
    let result = result.and_then(|summary| {
        let disk = disk_full::run(seed, length, tools, &root.join("full"))?;
        Ok(format!("{summary}; {disk}"))
    });
    result.map_err(|message| {
        let files = temp.keep();
        let files = files.display();
        let option = match length {
            Length::Short => "",
            Length::Long => " --minutes 1",
        };
        format!(
            "{plan}\nseed {seed} failed:\n{message}\n\
             help: run `cargo xtask chaos --seed {seed}{option}` to try it again\n\
             help: the files of the run are in {files}"
        )
    })
}
