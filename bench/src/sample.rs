//! Measures one process from start to exit.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

use crate::Result;
use crate::env::BenchEnv;

/// The time and the output of one run.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Elapsed time, in milliseconds.
    pub(crate) wall: f64,
    /// Processor time of the process and of the children it waited for, in milliseconds.
    pub(crate) cpu: f64,
    pub(crate) output: Output,
}

/// Run a command and measure it. No other child of this program may exit meanwhile.
pub(crate) fn measure(command: &mut Command) -> Result<Sample> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let cpu_before = cpu()?;
    let started = Instant::now();
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    Ok(Sample {
        wall: started.elapsed().as_secs_f64() * 1000.0,
        cpu: cpu()? - cpu_before,
        output,
    })
}

/// Run and measure Portway with this home directory, in `dir`. Returns an error if it fails.
pub(crate) fn measure_portway(
    env: &BenchEnv,
    home: &str,
    dir: &Path,
    arguments: &[&str],
) -> Result<Sample> {
    let mut command = env.command(&env.portway, home);
    let sample = measure(command.arg("-C").arg(dir).args(arguments))?;
    match sample.output.status.success() {
        true => Ok(sample),
        false => Err(format!(
            "portway {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&sample.output.stderr)
        )),
    }
}

/// Processor time of all children that have exited, in milliseconds.
fn cpu() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|error| error.to_string())?;
    let time = [usage.user_time(), usage.system_time()];
    let micro = time.map(|time| time.tv_sec() as f64 * 1e6 + time.tv_usec() as f64);
    Ok((micro[0] + micro[1]) / 1000.0)
}
