//! The page of the command line: the help text of every command that is not hidden.

use std::process::Command;

const INTRODUCTION: &str = "\
# Command line

This page contains the help text of every command, as `portway COMMAND --help` prints it.

These options work with every command:

- `-C DIR` acts on another directory.
- `--color` turns colors on or off. `--colour` is an alias.
- `-v` and `-vv` print [diagnostics](../logs.md#diagnostics-of-portway).

";

pub(super) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let top = help(&[]);
    page.push_str("| command | what it does |\n| --- | --- |\n");
    for (name, summary) in commands(&top) {
        let summary = super::cell(&summary);
        page.push_str(&format!(
            "| [`portway {name}`](#portway-{name}) | {summary} |\n"
        ));
    }
    section(&mut page, &[], &top);
    page
}

/// Adds the help text of one command, then those of its subcommands.
fn section(page: &mut String, path: &[&str], help_text: &str) {
    let name = [&["portway"], path].concat().join(" ");
    let level = if path.len() > 1 { "###" } else { "##" };
    page.push_str(&format!(
        "\n{level} `{name}`\n\n```text\n{help_text}\n```\n"
    ));
    for (subcommand, _) in commands(help_text) {
        let path = [path, &[subcommand.as_str()]].concat();
        section(page, &path, &help(&path));
    }
}

fn help(path: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portway"))
        .args(path)
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    assert!(output.status.success(), "portway {path:?} --help");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

/// The subcommands that a help text lists, with their summaries. `help` itself is left out.
fn commands(help_text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let lines = help_text.lines().skip_while(|line| *line != "Commands:");
    for line in lines.skip(1).take_while(|line| !line.is_empty()) {
        match line.strip_prefix("  ").unwrap_or_default() {
            // A summary that continues on the next line.
            rest if rest.starts_with(' ') => {
                if let Some((_, summary)) = commands.last_mut() {
                    summary.push(' ');
                    summary.push_str(rest.trim());
                }
            }
            entry => {
                let (name, summary) = entry.split_once(' ').unwrap_or((entry, ""));
                commands.push((name.to_owned(), summary.trim().to_owned()));
            }
        }
    }
    commands.retain(|(name, _)| name != "help");
    commands
}
