//! One process, from its start to its end.

use std::process::{Command, Output, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use crate::Result;

/// What one run took, and what it said.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Milliseconds by the clock.
    pub(crate) wall: f64,
    /// Milliseconds of processor time, of the process and what it waited for.
    pub(crate) cpu: f64,
    pub(crate) output: Output,
}

/// Runs a command and measures it. Nothing else of this program may end meanwhile.
pub(crate) fn sample(command: &mut Command) -> Result<Sample> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let cpu_before = cpu()?;
    let began = Instant::now();
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    Ok(Sample {
        wall: began.elapsed().as_secs_f64() * 1000.0,
        cpu: cpu()? - cpu_before,
        output,
    })
}

/// Milliseconds of processor time of all that has ended below this program.
fn cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let time = [usage.user_time(), usage.system_time()];
    let micro = time.map(|time| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64);
    Ok((micro[0] + micro[1]) / 1000.0)
}
