//! `cargo xtask fuzz`: run the fuzz targets with cargo-fuzz for a limited time.
//!
//! The targets are in a separate workspace, `fuzz/`, because they need a nightly toolchain. Inputs
//! that a run finds interesting stay in `fuzz/corpus`, and the next run starts with them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{root, run};
use crate::system::is_installed;
use crate::tools::Tool;

/// Default run time of each target, in seconds.
const DEFAULT_SECONDS: u64 = 20;

/// Longest run time of each target, in seconds: one day.
const MAX_SECONDS: u64 = 86_400;

const CARGO_FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
    options: &[],
};

/// Limits for one input. libFuzzer reports an input that takes longer (s), uses more memory (MiB),
/// or allocates more at once (MiB). The last limit is the length of generated inputs (bytes).
const LIMITS: [&str; 4] = [
    "-timeout=5",
    "-rss_limit_mb=512",
    "-malloc_limit_mb=256",
    "-max_len=8192",
];

/// Directory of the logs, each overwritten by the next run.
const LOGS: &str = "target/fuzz-logs";

/// Run the named targets, or all: `[TARGET…] [--seconds N]`.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<(), String> {
    let (targets, seconds) = parse_arguments(arguments, &targets()?)?;
    ensure_tools()?;
    println!(
        "== {} for {seconds} s each: {}",
        match targets.len() {
            1 => "1 target".to_owned(),
            count => format!("{count} targets"),
        },
        targets.join(", ")
    );
    println!("== building");
    run(&mut cargo_fuzz(&["build"]))?;
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(message) = run_target(target, seconds) {
            eprintln!("{message}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        println!("== no failures");
        return Ok(());
    }
    Err(format!("failed: {}", failed.join(", ")))
}

/// Returns the targets and the seconds for each.
fn parse_arguments(arguments: &[&str], known: &[String]) -> Result<(Vec<String>, u64), String> {
    let mut targets: Vec<String> = Vec::new();
    let mut seconds = DEFAULT_SECONDS;
    let mut rest = arguments.iter();
    while let Some(&argument) = rest.next() {
        if argument == "--seconds" {
            seconds = rest
                .next()
                .and_then(|number| number.parse().ok())
                .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
                .ok_or(format!(
                    "`--seconds` needs a number from 1 to {MAX_SECONDS}"
                ))?;
        } else if known.iter().any(|target| target == argument) {
            targets.push(argument.to_owned());
        } else {
            let known = known.join(", ");
            return Err(format!(
                "unknown target `{argument}`\nhelp: the targets are {known}"
            ));
        }
    }
    if targets.is_empty() {
        targets = known.to_vec();
    }
    Ok((targets, seconds))
}

/// The names of all targets. Each has a directory of seeds.
fn targets() -> Result<Vec<String>, String> {
    let seeds = root().join("fuzz/seeds");
    let entries = fs::read_dir(&seeds)
        .map_err(|error| format!("cannot read `{}`: {error}", seeds.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Run one target. The error message names the failing input and the command that repeats it.
fn run_target(target: &str, seconds: u64) -> Result<(), String> {
    let fuzz = root().join("fuzz");
    let corpus = format!("fuzz/corpus/{target}");
    // For files that the target writes. A crash skips its own cleanup.
    let temporary = root().join("target/fuzz-tmp").join(target);
    for dir in [root().join(&corpus), root().join(LOGS), temporary.clone()] {
        fs::create_dir_all(&dir)
            .map_err(|error| format!("cannot create `{}`: {error}", dir.display()))?;
    }
    let seeds = format!("fuzz/seeds/{target}");
    let time = format!("-max_total_time={seconds}");
    let mut arguments = vec!["run", target, &corpus, &seeds, "--", &time];
    arguments.extend(LIMITS);
    let dict = fuzz.join(format!("dict/{target}.dict"));
    let dict = format!("-dict={}", dict.display());
    arguments.extend([dict.as_str(), "-print_final_stats=1", "-verbosity=1"]);
    println!("== {target}: {seconds} s");
    let log = log_path(target);
    let file = fs::File::create(&log)
        .map_err(|error| format!("cannot create `{}`: {error}", log.display()))?;
    let started = Instant::now();
    let result = run(cargo_fuzz(&arguments)
        .env("TMPDIR", &temporary)
        .stderr(file)
        .stdin(std::process::Stdio::null()));
    // What remains is in `target` and is removed by the next run or `cargo clean`.
    let _ = fs::remove_dir_all(&temporary);
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match result {
        Ok(()) => {
            println!("== {target}: {}", summary(&text, started.elapsed()));
            Ok(())
        }
        Err(message) => Err(failure(target, &text, &message)),
    }
}

/// Format the number of inputs in libFuzzer's statistics.
fn summary(log: &str, duration: Duration) -> String {
    let count = log.lines().find_map(|line| {
        let count = line.strip_prefix("stat::number_of_executed_units:")?;
        count.trim().parse::<u64>().ok()
    });
    let seconds = duration.as_secs_f64();
    match count {
        Some(count) => format!("{count} inputs in {seconds:.0} s, no failures"),
        None => format!("no failures in {seconds:.0} s"),
    }
}

/// Format the cause of a failure, the input, and the command that repeats it.
fn failure(target: &str, log: &str, message: &str) -> String {
    let marks = ["panicked at", "ERROR: libFuzzer", "SUMMARY:"];
    let lines: Vec<&str> = log.lines().collect();
    let first = lines
        .iter()
        .position(|line| marks.iter().any(|mark| line.contains(mark)));
    let cause: Vec<&str> = match first {
        Some(first) => {
            let following = lines[first..].iter().take(4);
            following
                .copied()
                .take_while(|line| !line.starts_with("stack backtrace"))
                .collect()
        }
        None => lines[lines.len().saturating_sub(4)..].to_vec(),
    };
    let cause = cause.join("\n");
    let log = log_path(target);
    let log = log.display();
    let mut written = lines
        .iter()
        .filter_map(|line| line.split_once("Test unit written to "));
    let Some((_, input)) = written.next() else {
        return format!("== {target}: {message}\n{cause}\nlog:    {log}");
    };
    let input = input.trim();
    let tools = CARGO_FUZZ.path();
    let tools = tools.parent().unwrap_or(&tools).display();
    format!(
        "== {target}: failed\n{cause}\ninput:  {input}\n\
         repeat: PATH=\"{tools}:$PATH\" cargo +nightly fuzz run {SANITIZER} {target} {input}\n\
         log:    {log}"
    )
}

/// The file with libFuzzer's output.
fn log_path(target: &str) -> PathBuf {
    root().join(LOGS).join(format!("{target}.log"))
}

/// No sanitizer: the tested code has no `unsafe`, and runs much faster without one.
const SANITIZER: &str = "--sanitizer=none";

/// `cargo fuzz` with the nightly toolchain. `arguments` starts with the subcommand.
fn cargo_fuzz(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly"])
        .arg(CARGO_FUZZ.path())
        .args(["fuzz", arguments[0], SANITIZER])
        .args(&arguments[1..]);
    // They select the toolchain and the target directory of this task.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command
}

/// Check that the C++ compiler and the nightly toolchain are installed; install cargo-fuzz.
fn ensure_tools() -> Result<(), String> {
    let has_compiler =
        std::env::var_os("CXX").is_some() || is_installed("c++") || is_installed("g++");
    if !has_compiler {
        return Err("libFuzzer needs a C++ compiler\nhelp: install `g++`".into());
    }
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .output();
    if !nightly.is_ok_and(|output| output.status.success()) {
        return Err("the fuzz targets need a nightly toolchain\n\
                    help: run `rustup toolchain install nightly --profile minimal`"
            .into());
    }
    CARGO_FUZZ.ensure().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_targets_and_seconds() {
        let known = ["a".to_owned(), "b".to_owned()];
        let parse = |arguments: &[&str]| parse_arguments(arguments, &known);
        assert_eq!(parse(&[]).unwrap(), (known.to_vec(), DEFAULT_SECONDS));
        let expected = (vec!["b".to_owned()], 5);
        assert_eq!(parse(&["--seconds", "5", "b"]).unwrap(), expected);
        for wrong in [
            &["c"][..],
            &["--seconds"],
            &["--seconds", "0"],
            &["--seconds", "x"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn names_the_failing_input_and_the_command_that_repeats_it() {
        let log = "INFO: x\nthread 'a' panicked at b.rs:1:\ncause\nstack backtrace:\n\
                   artifact_prefix='d/'; Test unit written to /d/crash-1\n";
        let text = failure("a", log, "exit 1");
        assert!(
            text.contains("b.rs:1:\ncause\ninput:  /d/crash-1\n"),
            "{text}"
        );
        assert!(
            text.contains("fuzz run --sanitizer=none a /d/crash-1\n"),
            "{text}"
        );
        assert!(failure("a", "last line", "exit 1").contains("exit 1\nlast line"));
    }

    #[test]
    fn every_target_has_seeds_and_a_binary() {
        let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        let targets = targets().unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), targets.len());
        for target in targets {
            assert!(
                manifest.contains(&format!("path = \"targets/{target}.rs\"")),
                "{target}"
            );
        }
    }
}
