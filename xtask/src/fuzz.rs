//! Fuzz targets, run for a bounded time with cargo-fuzz.
//!
//! They live in a workspace of their own, `fuzz/`, for they need a nightly toolchain and nothing
//! else does. What a run has learned stays in `fuzz/corpus`, so that the next one begins there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::setup::is_there;
use crate::steps::{root, run};

/// How long each target runs when nobody says, in seconds.
const SECONDS: u64 = 20;

/// Nobody waits longer for one target, in seconds: a day.
const MOST_SECONDS: u64 = 86_400;

/// The version that the targets were tried with.
const CARGO_FUZZ: &str = "0.13.2";

/// The bounds for a single input: libFuzzer reports what takes longer (s), needs more memory (MiB)
/// or allocates more at once (MiB); longer inputs (bytes) are not made.
const BOUNDS: [&str; 4] = [
    "-timeout=5",
    "-rss_limit_mb=512",
    "-malloc_limit_mb=256",
    "-max_len=8192",
];

/// Where the logs of the last runs are.
const LOGS: &str = "target/fuzz-logs";

/// Runs the targets that are named, or all: `[TARGET…] [--seconds N]`.
pub(crate) fn fuzz(arguments: &[&str]) -> Result<(), String> {
    let (targets, seconds) = read(arguments, &targets()?)?;
    tools()?;
    println!(
        "== {} for {seconds} s each: {}",
        match targets.len() {
            1 => "1 target".to_owned(),
            count => format!("{count} targets"),
        },
        targets.join(", ")
    );
    println!("== building them");
    run(&mut cargo_fuzz(&["build"]))?;
    let mut failed = Vec::new();
    for target in &targets {
        if let Err(why) = one(target, seconds) {
            eprintln!("{why}");
            failed.push(target.as_str());
        }
    }
    if failed.is_empty() {
        println!("== nothing found");
        return Ok(());
    }
    Err(format!("found something: {}", failed.join(", ")))
}

/// What the arguments ask for: targets and seconds.
fn read(arguments: &[&str], known: &[String]) -> Result<(Vec<String>, u64), String> {
    let mut targets: Vec<String> = Vec::new();
    let mut seconds = SECONDS;
    let mut words = arguments.iter();
    while let Some(&word) = words.next() {
        if word == "--seconds" {
            seconds = words
                .next()
                .and_then(|number| number.parse().ok())
                .filter(|seconds| (1..=MOST_SECONDS).contains(seconds))
                .ok_or(format!(
                    "`--seconds` needs a number from 1 to {MOST_SECONDS}"
                ))?;
        } else if known.iter().any(|target| target == word) {
            targets.push(word.to_owned());
        } else {
            let known = known.join(", ");
            return Err(format!("there is no target `{word}`; there are: {known}"));
        }
    }
    if targets.is_empty() {
        targets = known.to_vec();
    }
    Ok((targets, seconds))
}

/// The names of all targets: each has a directory of seeds.
fn targets() -> Result<Vec<String>, String> {
    let seeds = root().join("fuzz/seeds");
    let entries = fs::read_dir(&seeds).map_err(|error| format!("{}: {error}", seeds.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Runs one target. A failure says which input it was and how to see it again.
fn one(target: &str, seconds: u64) -> Result<(), String> {
    let fuzz = root().join("fuzz");
    let corpus = format!("fuzz/corpus/{target}");
    // What a target writes to disk lies here, and goes when it has ended, however it ended.
    let temporary = root().join("target/fuzz-tmp").join(target);
    for dir in [root().join(&corpus), root().join(LOGS), temporary.clone()] {
        fs::create_dir_all(&dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    }
    let seeds = format!("fuzz/seeds/{target}");
    let time = format!("-max_total_time={seconds}");
    let mut words = vec!["run", target, &corpus, &seeds, "--", &time];
    words.extend(BOUNDS);
    let dict = fuzz.join(format!("dict/{target}.dict"));
    let dict = format!("-dict={}", dict.display());
    words.extend([dict.as_str(), "-print_final_stats=1", "-verbosity=1"]);
    println!("== {target}: {seconds} s");
    let log = log_of(target);
    let file = fs::File::create(&log).map_err(|error| format!("{}: {error}", log.display()))?;
    let began = Instant::now();
    let ended = run(cargo_fuzz(&words)
        .env("TMPDIR", &temporary)
        .stderr(file)
        .stdin(std::process::Stdio::null()));
    let _ = fs::remove_dir_all(&temporary);
    let text = fs::read(&log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    match ended {
        Ok(()) => {
            println!("== {target}: {}", summary(&text, began.elapsed()));
            Ok(())
        }
        Err(why) => Err(failure(target, &text, &why)),
    }
}

/// How many inputs were tried, as libFuzzer counts them.
fn summary(log: &str, took: Duration) -> String {
    let count = log.lines().find_map(|line| {
        let count = line.strip_prefix("stat::number_of_executed_units:")?;
        count.trim().parse::<u64>().ok()
    });
    let took = took.as_secs_f64();
    match count {
        Some(count) => format!("{count} inputs in {took:.0} s, none of them bad"),
        None => format!("nothing bad in {took:.0} s"),
    }
}

/// What went wrong, the input that did it, and how to run it again.
fn failure(target: &str, log: &str, why: &str) -> String {
    let marks = ["panicked at", "ERROR: libFuzzer", "SUMMARY:"];
    let lines: Vec<&str> = log.lines().collect();
    let first = lines
        .iter()
        .position(|line| marks.iter().any(|mark| line.contains(mark)));
    let told: Vec<&str> = match first {
        Some(first) => {
            let behind = lines[first..].iter().take(4);
            behind
                .copied()
                .take_while(|line| !line.starts_with("stack backtrace"))
                .collect()
        }
        None => lines[lines.len().saturating_sub(4)..].to_vec(),
    };
    let told = told.join("\n");
    let log = log_of(target);
    let log = log.display();
    let mut marked = lines
        .iter()
        .filter_map(|line| line.split_once("Test unit written to "));
    let Some((_, input)) = marked.next() else {
        return format!("== {target}: {why}\n{told}\nthe log:   {log}");
    };
    let input = input.trim();
    let tools = root().join("target/tools/bin");
    format!(
        "== {target}: found something\n{told}\nthe input: {input}\n\
         again:     PATH=\"{}:$PATH\" cargo +nightly fuzz run {SANITIZER} {target} {input}\n\
         the log:   {log}",
        tools.display()
    )
}

/// What libFuzzer prints, which is much.
fn log_of(target: &str) -> PathBuf {
    root().join(LOGS).join(format!("{target}.log"))
}

/// The code has no `unsafe` that a sanitizer could watch, and runs far faster without one.
const SANITIZER: &str = "--sanitizer=none";

/// `cargo fuzz` with the nightly toolchain, with these words.
fn cargo_fuzz(words: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly"])
        .arg(tool())
        .args(["fuzz", words[0], SANITIZER])
        .args(&words[1..]);
    // Those of the toolchain that runs this chore.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(name);
    }
    command
}

/// cargo-fuzz, the project's own copy.
fn tool() -> PathBuf {
    root().join("target/tools/bin/cargo-fuzz")
}

/// Finds what fuzzing needs; cargo-fuzz itself is installed where it is missing.
fn tools() -> Result<(), String> {
    let has_compiler = std::env::var_os("CXX").is_some() || is_there("c++") || is_there("g++");
    if !has_compiler {
        return Err("libFuzzer needs a C++ compiler: install `g++`".into());
    }
    let nightly = Command::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .output();
    if !nightly.is_ok_and(|ran| ran.status.success()) {
        return Err(
            "fuzzing needs a nightly toolchain: `rustup toolchain install nightly --profile minimal`"
                .into(),
        );
    }
    let version = Command::new(tool()).arg("--version").output();
    let version = version.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
    if version.is_ok_and(|version| version.contains(CARGO_FUZZ)) {
        return Ok(());
    }
    println!("== missing, and installed now into target/tools: cargo-fuzz {CARGO_FUZZ}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run(Command::new(cargo)
        .args([
            "install",
            "--quiet",
            "cargo-fuzz",
            "--locked",
            "--version",
            CARGO_FUZZ,
        ])
        .args(["--root", "target/tools"])
        .env_remove("CARGO_TARGET_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_name_targets_and_seconds() {
        let known = ["a".to_owned(), "b".to_owned()];
        let ask = |words: &[&str]| read(words, &known);
        assert_eq!(ask(&[]).unwrap(), (known.to_vec(), SECONDS));
        let one = (vec!["b".to_owned()], 5);
        assert_eq!(ask(&["--seconds", "5", "b"]).unwrap(), one);
        for wrong in [
            &["c"][..],
            &["--seconds"],
            &["--seconds", "0"],
            &["--seconds", "x"],
        ] {
            assert!(ask(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_failure_names_its_input_and_how_to_run_it_again() {
        let log = "INFO: x\nthread 'a' panicked at b.rs:1:\nwhy\nstack backtrace:\n\
                   artifact_prefix='d/'; Test unit written to /d/crash-1\n";
        let text = failure("a", log, "ended");
        assert!(
            text.contains("b.rs:1:\nwhy\nthe input: /d/crash-1\n"),
            "{text}"
        );
        assert!(
            text.contains("fuzz run --sanitizer=none a /d/crash-1\n"),
            "{text}"
        );
        assert!(failure("a", "no such thing", "ended").contains("ended\nno such thing"));
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
