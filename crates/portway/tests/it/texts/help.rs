//! The help of every command.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sandbox::Sandbox;
use crate::transcript::assert_text;

/// The commands that a help text lists. `help` itself prints the same texts again.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            // Two spaces, then the name; a summary that is continued has more.
            let name = line.strip_prefix("  ")?.split(' ').next()?;
            (!name.is_empty() && name != "help").then(|| name.to_owned())
        })
        .collect()
}

/// Every command with its help, found by reading the help of its parent.
fn walk(sandbox: &Sandbox, path: &[String], found: &mut Vec<(String, String)>) {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let ran = sandbox.run(&arguments).success();
    assert_eq!(ran.stderr(), "");
    let help = ran.stdout();
    let name = [&["portway".to_owned()], path].concat().join("-");
    let children = commands(&help);
    found.push((format!("help-{name}"), help));
    for child in children {
        walk(sandbox, &[path, &[child]].concat(), found);
    }
}

#[test]
fn every_command_has_its_help() {
    let mut found = Vec::new();
    walk(&Sandbox::new(), &[], &mut found);
    // All of the commands were found, and nested ones.
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.len() > 25, "{names:?}");
    assert!(names.contains("help-portway-gateway-status"), "{names:?}");
    for (name, help) in &found {
        assert_text(name, help);
    }
    // A command that is gone leaves no snapshot.
    let snapshots = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/snapshots");
    for file in fs::read_dir(snapshots).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.strip_suffix(".snap").unwrap_or_default();
        let is_old = name.starts_with("help-") && !names.contains(name);
        assert!(!is_old, "remove {file}: there is no such command");
    }
}
