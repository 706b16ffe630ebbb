//! A disk that is full: state and checkout on a small tmpfs of a mount namespace, filled up under
//! running instances and emptied again.

#![allow(clippy::print_stdout)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::act::Lane;
use crate::invariants::{end, ports_file};
use crate::plan::{Length, PORTS};
use crate::verdict::Verdict;
use crate::world::{Ran, World};
use crate::{Result, Tools};

/// The first argument of the harness when it is run on the small disk.
pub const INSIDE: &str = "disk-full";

/// The disk's size, in mebibytes.
const SIZE: u32 = 4;

/// What is tried while the disk is full.
const VERBS: [&str; 8] = [
    "detect",
    "up --detach",
    "env",
    "leases",
    "restart api",
    "down",
    "doctor",
    "prune --yes",
];

/// Runs this program again on a disk of its own.
pub(crate) fn run(seed: u64, length: Length, tools: &Tools, root: &Path) -> Result<String> {
    fs::create_dir_all(root).map_err(|error| error.to_string())?;
    let namespace = |script: &str, arguments: &[&std::ffi::OsStr]| {
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
    let possible = namespace(&mount, &[root.as_os_str()]);
    if !possible.is_ok_and(|output| output.status.success()) {
        return Ok("no full disk, for this machine refuses namespaces".to_owned());
    }
    let times = match length {
        Length::Short => 1,
        Length::Long => 20,
    };
    let (seed, times) = (seed.to_string(), times.to_string());
    let script = format!("{mount} && shift && exec \"$@\"");
    let words = [
        root.as_os_str(),
        tools.harness.as_os_str(),
        INSIDE.as_ref(),
        root.as_os_str(),
        seed.as_ref(),
        times.as_ref(),
    ];
    let output = namespace(&script, &words).map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let (out, err) = (output.stdout, output.stderr);
        let said = [out, err].concat();
        Err(format!("disk full: {}", String::from_utf8_lossy(&said)))
    }
}

/// What is run on the small disk: `ROOT SEED TIMES`.
///
/// # Errors
/// What was found to be wrong.
pub fn inside(arguments: &[&str]) -> Result<()> {
    let [root, seed, times] = arguments else {
        return Err("ROOT SEED TIMES".to_owned());
    };
    let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
    let (seed, times) = (number(seed)?, number(times)?);
    let harness = std::env::current_exe().map_err(|error| error.to_string())?;
    let tools = Tools::beside(&harness)?;
    let world = World::new(&tools, Path::new(root), 1)?;
    let verdict = Verdict::new(&tools.interrupted);
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut lane = Lane::new(&world, &verdict, 0);
    let mut refused = 0;
    for _ in 0..times {
        if verdict.is_wrong() {
            break;
        }
        refused += fill_and_try(&world, &verdict, &mut dice)?;
        lane.rest()?;
    }
    lane.run("down")?;
    for what in end::left(&world, &[world.lane(0)]) {
        verdict.note("nothing is left", Some(what));
    }
    let wrong = verdict.take();
    if wrong.is_empty() {
        print!("a disk filled {times} times, {refused} commands refused");
        return Ok(());
    }
    for process in world.processes() {
        let _ = portway_supervisor::process::kill(process.id);
    }
    Err(wrong.join("\n"))
}

/// Fills the disk but for a few bytes, tries commands, and empties it again. Answers how many of
/// them could not do their work.
fn fill_and_try(world: &World, verdict: &Verdict, dice: &mut fastrand::Rng) -> Result<usize> {
    // Some commands find the disk full in the middle of their work.
    let spare = [0, 1, 4, 16, 64, 256][dice.usize(..6)] << 10;
    let ballast = world.path("ballast");
    fill(&ballast, spare);
    let ports = world.ports.port(0)..=world.ports.port(PORTS - 1);
    let dir = world.lane(0);
    let mut refused = 0;
    for _ in 0..6 {
        let words: Vec<String> = dice
            .choice(VERBS)
            .unwrap_or("detect")
            .split(' ')
            .map(str::to_owned)
            .collect();
        let ran = world.start(&dir, &words)?.end()?;
        refused += usize::from(ran.code != 0);
        verdict.note("commands end as they should", judge(&ran));
        if let Ok(bytes) = fs::read(dir.join(".ports.json")) {
            verdict.note(".ports.json is whole", ports_file::judge(&bytes, &ports));
        }
    }
    fs::remove_file(&ballast).map_err(|error| error.to_string())?;
    Ok(refused)
}

fn fill(ballast: &Path, spare: u64) {
    let Ok(mut file) = File::create(ballast) else {
        return;
    };
    while file.write_all(&[0; 4096]).is_ok() {}
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let _ = file.set_len(length.saturating_sub(spare));
}

/// On a full disk a command may fail, in words; not because of what it reads, for that is never
/// invalid.
fn judge(ran: &Ran) -> Option<String> {
    let failed = ran.code != 0;
    let fine = !ran.hung && ran.code < 101 && ran.code != 2 && !ran.err.contains("panicked at");
    (!fine || failed && ran.err.is_empty()).then(|| format!("on a full disk: {ran:?}"))
}
