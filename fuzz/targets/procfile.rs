//! Procfiles: every line is a process, an error, or empty.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use portway_detect::procfile::parse;

fuzz_target!(|text: &str| {
    let file = parse(text);
    let is_content = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let lines = text.trim_start_matches('\u{feff}').lines();
    let count = lines.filter(is_content).count();
    assert_eq!(file.processes.len() + file.invalid_lines.len(), count);
    let lines = file.processes.iter().map(|process| process.line);
    let lines: BTreeSet<usize> = lines
        .chain(file.invalid_lines.iter().map(|invalid| invalid.line))
        .collect();
    assert_eq!(lines.len(), count, "a line is reported twice");
    assert!(
        lines
            .iter()
            .all(|line| (1..=text.lines().count()).contains(line))
    );
    let processes = file.processes.iter();
    let names: BTreeSet<&str> = processes.map(|process| process.name.as_str()).collect();
    assert_eq!(
        names.len(),
        file.processes.len(),
        "two processes have the same name"
    );
    for process in &file.processes {
        assert!(!process.name.is_empty() && !process.command.trim().is_empty());
        assert!(!process.command.contains('\n'));
    }
});
