//! `cargo xtask windows`: build the tests as Windows programs and run them under Wine.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::command::{root, run};
use crate::cross::{Toolchain, cache, target_directory};
use crate::wine::{Container, ContainerId, TIMEOUT_CODE};

/// The hidden task with which cargo runs a test program.
pub(crate) const RUNNER: &str = "__windows-run";

/// The tests: the unit tests of all shipped crates, the tests of holds, the integration tests of
/// the gateway, and those of the binary.
const TESTS: &str = "--workspace --exclude xtask --exclude portway-testing --exclude portway-bench \
                     --exclude portway-chaos --lib --bins --test hold --test it";

/// Time limit of one integration test of the binary. Each wait in a test takes at most a minute.
const INTEGRATION_TEST_TIMEOUT: Duration = Duration::from_secs(180);

/// Time limit of all unit tests of a crate together.
const UNIT_TESTS_TIMEOUT: Duration = Duration::from_secs(180);

/// Run all tests, or those whose names contain one of the words in `filter`.
pub(crate) fn test(filter: &[&str]) -> Result<(), String> {
    let started = Instant::now();
    let toolchain = Toolchain::find("x86_64-pc-windows-gnu")?;
    // The integration tests start these programs.
    run(toolchain
        .cargo("build")
        .args(["--package", "portway", "--bins", "--examples"]))?;
    let target = target_directory();
    fs::create_dir_all(&target).map_err(|error| error.to_string())?;
    let container = Container::start(&cache()?, &[&root(), &target])?;
    let runner = env::current_exe().map_err(|error| error.to_string())?;
    let runner = format!("{} {RUNNER}", runner.display());
    let mut cargo = toolchain.cargo("test");
    container.id.set_environment(&mut cargo);
    let result = run(cargo
        .args(TESTS.split(' ').filter(|argument| !argument.is_empty()))
        .args(["--no-fail-fast", "--"])
        .args(filter)
        .env(toolchain.variable("RUNNER"), runner));
    drop(container);
    println!("== under Wine: {:.0} s", started.elapsed().as_secs_f64());
    result
}

/// Run one test program. Integration tests run in one process each, several at a time, so that one
/// that hangs does not block the others.
pub(crate) fn run_program(program: &str, filter: &[&str]) -> Result<(), String> {
    let container = ContainerId::from_environment()
        .ok_or("this task is internal\nhelp: run `cargo xtask windows`")?;
    let program = Path::new(program);
    let name = program.file_stem().unwrap_or_default().to_string_lossy();
    let name = name.rsplit_once('-').map_or(&*name, |(name, _)| name);
    if name == "it" {
        run_integration_tests(&container, program, filter)
    } else {
        run_unit_tests(&container, program, name, filter)
    }
}

fn run_unit_tests(
    container: &ContainerId,
    program: &Path,
    name: &str,
    filter: &[&str],
) -> Result<(), String> {
    let mut command = container.command(program, UNIT_TESTS_TIMEOUT);
    command.args(filter);
    let log = log_path(name)?;
    let status = wait(command, &log)?;
    let text = fs::read_to_string(&log).unwrap_or_default();
    let result = text.lines().find(|line| line.starts_with("test result"));
    println!("{name}: {}", result.unwrap_or("no result"));
    if status.success() {
        return Ok(());
    }
    println!("{text}");
    Err(format!("{name}: {}", format_status(status)))
}

fn run_integration_tests(
    container: &ContainerId,
    program: &Path,
    filter: &[&str],
) -> Result<(), String> {
    let list = log_path("it-list")?;
    let mut command = container.command(program, INTEGRATION_TEST_TIMEOUT);
    command.args(["--list", "--format", "terse"]).args(filter);
    wait(command, &list)?;
    let list = fs::read_to_string(&list).map_err(|error| error.to_string())?;
    let tests: Vec<&str> = list
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .collect();
    let remaining = Mutex::new(tests.iter());
    let failed = Mutex::new(Vec::new());
    let next = || remaining.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(test) = next() {
                    if let Err(message) = run_integration_test(container, program, test) {
                        println!("{message}");
                        failed.lock().expect("not poisoned").push(test);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    println!(
        "it: {} tests, {} failed: {failed:?}",
        tests.len(),
        failed.len()
    );
    if failed.is_empty() {
        Ok(())
    } else {
        Err("integration tests failed".into())
    }
}

fn run_integration_test(container: &ContainerId, program: &Path, test: &str) -> Result<(), String> {
    let started = Instant::now();
    let mut command = container.command(program, INTEGRATION_TEST_TIMEOUT);
    command.args(["--exact", test, "--nocapture"]);
    let log = log_path(&test.replace("::", "-"))?;
    let status = wait(command, &log)?;
    let seconds = started.elapsed().as_secs_f64();
    if status.success() {
        println!("ok     {seconds:5.1} s  {test}");
        return Ok(());
    }
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Err(format!(
        "FAILED {seconds:5.1} s  {test} ({})\n{text}",
        format_status(status)
    ))
}

fn format_status(status: ExitStatus) -> String {
    match status.code() {
        Some(TIMEOUT_CODE) => "timeout".into(),
        _ => status.to_string(),
    }
}

/// The file for a program's output. A pipe would stay open until every process that inherited it
/// has exited.
fn log_path(name: &str) -> Result<PathBuf, String> {
    let dir = target_directory().join("wine-logs");
    fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    Ok(dir.join(name).with_extension("log"))
}

/// Run a command with its output in `log`. Processes that it leaves behind stop with the
/// container.
fn wait(mut command: Command, log: &Path) -> Result<ExitStatus, String> {
    let file =
        File::create(log).map_err(|error| format!("cannot create `{}`: {error}", log.display()))?;
    let error = file.try_clone().map_err(|error| error.to_string())?;
    let status = command.stdout(file).stderr(error).status();
    status.map_err(|error| format!("cannot run {command:?}: {error}"))
}
