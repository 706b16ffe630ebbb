//! A full disk: state and checkout on a small tmpfs in a mount namespace, filled while instances
//! run, and emptied again.

#![allow(clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::checkout::Checkout;
use crate::env::{ChaosEnv, CommandResult};
use crate::invariants::{cleanup, ports_file};
use crate::plan::{Length, PORTS};
use crate::violations::Violations;
use crate::{Result, Tools};

/// The first argument with which the harness runs itself on the small disk.
pub const DISK_FULL: &str = "disk-full";

/// The size of the disk, in MiB.
const SIZE: u32 = 4;

/// The commands to run while the disk is full.
const COMMANDS: [&str; 8] = [
    "detect",
    "up --detach",
    "env",
    "leases",
    "restart api",
    "down",
    "doctor",
    "prune --yes",
];

/// Run this program again, in a namespace with the small disk. Returns a summary.
pub(crate) fn run(seed: u64, length: Length, tools: &Tools, root: &Path) -> Result<String> {
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    let in_namespace = |script: &str, arguments: &[&std::ffi::OsStr]| {
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ]);
        command.args(arguments).output()
    };
    let mount = format!("mount -t tmpfs -o size={SIZE}m none \"$1\"");
    let attempt = in_namespace(&mount, &[root.as_os_str()]);
    if !attempt.is_ok_and(|output| output.status.success()) {
        return Ok("without a full disk: user namespaces are not available".to_owned());
    }
    let count = match length {
        Length::Short => 1,
        Length::Long => 20,
    };
    let (seed, count) = (seed.to_string(), count.to_string());
    let script = format!("{mount} && shift && exec \"$@\"");
    let arguments = [
        root.as_os_str(),
        tools.harness.as_os_str(),
        DISK_FULL.as_ref(),
        root.as_os_str(),
        seed.as_ref(),
        count.as_ref(),
    ];
    let output = in_namespace(&script, &arguments).map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let messages = [output.stdout, output.stderr].concat();
        Err(format!("disk full: {}", String::from_utf8_lossy(&messages)))
    }
}

/// Run commands on the small disk. The arguments are `ROOT SEED COUNT`.
///
/// # Errors
/// The violated invariants.
pub fn run_on_full_disk(arguments: &[&str]) -> Result<()> {
    let [root, seed, count] = arguments else {
        return Err("expected ROOT SEED COUNT".to_owned());
    };
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (seed, count) = (number(seed)?, number(count)?);
    let harness = std::env::current_exe().map_err(|error| error.to_string())?;
    let tools = Tools::find(&harness)?;
    let env = ChaosEnv::new(&tools, Path::new(root), 1)?;
    let violations = Violations::new(&tools.interrupted);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut checkout = Checkout::new(&env, &violations, 0);
    let mut failures = 0;
    for _ in 0..count {
        if violations.must_stop() {
            break;
        }
        failures += fill_and_run(&env, &violations, &mut rng)?;
        checkout.recover()?;
    }
    checkout.run("down")?;
    for violation in cleanup::leftovers(&env, &[env.checkout(0)]) {
        violations.record("nothing is left behind", Some(violation));
    }
    let messages = violations.take();
    if messages.is_empty() {
        print!("a disk filled {count} times, {failures} commands failed on it");
        return Ok(());
    }
    for process in env.processes() {
        // An error means that it has exited.
        let _ = portway_supervisor::process::kill(process.id);
    }
    Err(messages.join("\n"))
}

/// Fill the disk except for some bytes, run commands, and empty it again. Returns how many
/// commands failed.
fn fill_and_run(env: &ChaosEnv, violations: &Violations, rng: &mut fastrand::Rng) -> Result<usize> {
    // With some bytes left, a command fails later in its work.
    let spare = [0, 1, 4, 16, 64, 256][rng.usize(..6)] << 10;
    let ballast = env.path("ballast");
    fill(&ballast, spare);
    let ports = env.ports.port(0)..=env.ports.port(PORTS - 1);
    let dir = env.checkout(0);
    let mut failures = 0;
    for _ in 0..6 {
        let result = env.run(&dir, rng.choice(COMMANDS).unwrap_or("detect"))?;
        failures += usize::from(result.code != 0);
        violations.record("commands exit as documented", evaluate(&result));
        if let Ok(bytes) = fs::read(dir.join(".ports.json")) {
            let violation = ports_file::evaluate(&bytes, &ports);
            violations.record(".ports.json is complete", violation);
        }
    }
    fs::remove_file(&ballast).map_err(|error| error.to_string())?;
    Ok(failures)
}

fn fill(ballast: &Path, spare: u64) {
    let Ok(mut file) = File::create(ballast) else {
        return;
    };
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    // After an error the disk is full without spare bytes.
    let _ = file.set_len(length.saturating_sub(spare));
}

/// On a full disk a command may fail with a message. It must not report invalid input, because
/// the files stay valid.
fn evaluate(result: &CommandResult) -> Option<String> {
    let failed = result.code != 0;
    let is_crash = result.code >= 101 || result.stderr.contains("panicked at");
    let is_allowed = !result.timed_out && !is_crash && result.code != 2;
    (!is_allowed || failed && result.stderr.is_empty())
        .then(|| format!("on a full disk: {result:?}"))
}
