//! Procfiles: every line is a process, is wrong, or says nothing.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use portway_detect::procfile::parse;

fuzz_target!(|text: &str| {
    let file = parse(text);
    let says_something = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let lines = text.trim_start_matches('\u{feff}').lines();
    let count = lines.filter(says_something).count();
    assert_eq!(file.processes.len() + file.wrong.len(), count);
    let lines = file.processes.iter().map(|process| process.line);
    let lines: BTreeSet<usize> = lines
        .chain(file.wrong.iter().map(|wrong| wrong.line))
        .collect();
    assert_eq!(lines.len(), count, "a line is told twice");
    assert!(
        lines
            .iter()
            .all(|line| (1..=text.lines().count()).contains(line))
    );
    let names: BTreeSet<&str> = file.processes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), file.processes.len(), "a name is there twice");
    for process in &file.processes {
        assert!(!process.name.is_empty() && !process.command.trim().is_empty());
        assert!(!process.command.contains('\n'));
    }
});
