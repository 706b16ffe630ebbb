//! The tests as Windows programs, run by Wine.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::cross::{Toolchain, cache, target};
use crate::steps::{root, run};
use crate::wine::{Machine, OUT_OF_TIME, Place};

/// The hidden chore by which cargo runs a test program.
pub(crate) const RUNNER: &str = "__windows-run";

/// What is built and run: the unit tests of everything that is shipped, the tests of holds, and the
/// binary in its sandbox.
const TESTS: &str = "--workspace --exclude xtask --exclude portway-testing --exclude portway-bench \
                     --exclude portway-chaos --lib --bins --test hold --test it";

/// How long one test of the binary may take; each waits a minute at most for one thing.
const ONE_TEST: Duration = Duration::from_secs(180);

/// How long all unit tests of a crate may take.
const UNIT_TESTS: Duration = Duration::from_secs(180);

/// Runs every test that can run under Wine, or those whose names contain a word of `filter`.
pub(crate) fn test(filter: &[&str]) -> Result<(), String> {
    let began = Instant::now();
    let toolchain = Toolchain::of("x86_64-pc-windows-gnu")?;
    // What the tests of the binary run beside it.
    run(toolchain
        .cargo("build")
        .args(["--package", "portway", "--bins", "--examples"]))?;
    let target = target();
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    let machine = Machine::start(&cache()?, &[&root(), &target])?;
    let runner = env::current_exe().map_err(|error| error.to_string())?;
    let runner = format!("{} {RUNNER}", runner.display());
    let mut cargo = toolchain.cargo("test");
    machine.place.tell(&mut cargo);
    let result = run(cargo
        .args(TESTS.split(' ').filter(|word| !word.is_empty()))
        .args(["--no-fail-fast", "--"])
        .args(filter)
        .env(toolchain.variable("RUNNER"), runner));
    drop(machine);
    println!("== under Wine: {:.0} s", began.elapsed().as_secs_f64());
    result
}

/// Runs one test program. The tests of the binary are run each for itself, so that none can hold
/// up another, some at a time.
pub(crate) fn run_program(program: &str, filter: &[&str]) -> Result<(), String> {
    let place = Place::told().ok_or("this is for `cargo xtask windows` alone")?;
    let program = Path::new(program);
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    if name != "it" {
        let mut command = place.command(program, UNIT_TESTS);
        command.args(filter);
        let log = log_of(name)?;
        let ended = end(command, &log)?;
        let text = fs::read_to_string(&log).unwrap_or_default();
        let last = text.lines().find(|line| line.starts_with("test result"));
        println!("{name}: {}", last.unwrap_or("no result"));
        if ended.success() {
            return Ok(());
        }
        println!("{text}");
        return Err(format!("{name}: {}", words(ended)));
    }
    let list = log_of("it-list")?;
    let mut command = place.command(program, ONE_TEST);
    command.args(["--list", "--format", "terse"]).args(filter);
    end(command, &list)?;
    let list = fs::read_to_string(&list).map_err(|error| error.to_string())?;
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let tests = Mutex::new(tests);
    let failed = Mutex::new(Vec::new());
    let count = Mutex::new(0);
    let next = || {
        let next = tests.lock().ok()?.next();
        next.inspect(|_| *count.lock().expect("not poisoned") += 1)
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(test) = next() {
                    if let Err(why) = one(&place, program, test) {
                        println!("{why}");
                        failed.lock().expect("not poisoned").push(test);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    let count = count.into_inner().unwrap_or_default();
    println!("it: {count} tests, {} failed: {failed:?}", failed.len());
    if failed.is_empty() {
        Ok(())
    } else {
        Err("tests of the binary failed".into())
    }
}

fn one(place: &Place, program: &Path, test: &str) -> Result<(), String> {
    let began = Instant::now();
    let mut command = place.command(program, ONE_TEST);
    command.args(["--exact", test, "--nocapture"]);
    let log = log_of(&test.replace("::", "-"))?;
    let ended = end(command, &log)?;
    let took = began.elapsed().as_secs_f64();
    if ended.success() {
        println!("ok     {took:5.1} s  {test}");
        return Ok(());
    }
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Err(format!(
        "FAILED {took:5.1} s  {test} ({})\n{text}",
        words(ended)
    ))
}

fn words(ended: ExitStatus) -> String {
    match ended.code() {
        Some(OUT_OF_TIME) => "out of time".into(),
        _ => ended.to_string(),
    }
}

/// Where a program's output goes: a file, for a pipe would wait for what outlives the program.
fn log_of(name: &str) -> Result<PathBuf, String> {
    let dir = target().join("wine-logs");
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    Ok(dir.join(name).with_extension("log"))
}

/// Runs a command to its end. What a program that is out of time leaves in the machine ends with the
/// machine.
fn end(mut command: Command, log: &Path) -> Result<ExitStatus, String> {
    let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let error = file.try_clone().map_err(|error| error.to_string())?;
    let status = command.stdout(file).stderr(error).status();
    status.map_err(|error| format!("cannot run {command:?}: {error}"))
}
