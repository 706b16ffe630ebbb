//! Reads processes from `/proc`.

use std::fs;

/// A running process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// The name of its program, truncated to 15 bytes.
    pub(crate) name: String,
    /// Its arguments, separated by spaces.
    pub(crate) arguments: String,
}

/// All processes except zombies.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name is in parentheses, and may contain some.
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        name: head.split_once('(')?.1.to_owned(),
        arguments: String::from_utf8_lossy(&arguments).replace('\0', " "),
    })
}

/// A child of a process.
pub(super) fn child(parent: u32) -> Option<u32> {
    let mut all = all().into_iter();
    Some(all.find(|process| process.parent == parent)?.pid)
}

/// A process and all its descendants.
pub(crate) fn tree(root: u32) -> Vec<Process> {
    let all = all();
    let mut tree: Vec<Process> = all
        .iter()
        .filter(|process| process.pid == root)
        .cloned()
        .collect();
    let mut next = 0;
    while let Some(parent) = tree.get(next).map(|process| process.pid) {
        let children = all.iter().filter(|process| process.parent == parent);
        tree.extend(children.cloned());
        next += 1;
    }
    tree
}

/// All processes with this variable in their environment.
pub(super) fn with_variable(name: &str, value: &str) -> Vec<Process> {
    let wanted = format!("{name}={value}");
    let has_variable = |process: &Process| {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|variable| variable == wanted.as_bytes())
    };
    all().into_iter().filter(has_variable).collect()
}

/// Resident memory of a process, in megabytes.
pub(crate) fn resident(pid: u32) -> Option<f64> {
    Some(kilobytes(&format!("/proc/{pid}/status"), &["VmRSS:"])? / 1024.0)
}

/// Private memory of a process, in kilobytes.
pub(crate) fn private(pid: u32) -> Option<f64> {
    kilobytes(
        &format!("/proc/{pid}/smaps_rollup"),
        &["Private_Clean:", "Private_Dirty:"],
    )
}

/// The sum of some lines of a file in `/proc`.
fn kilobytes(path: &str, names: &[&str]) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let value = |line: &str| -> Option<f64> {
        let mut fields = line.split_whitespace();
        fields.next().filter(|name| names.contains(name))?;
        fields.next()?.parse().ok()
    };
    Some(text.lines().filter_map(value).sum())
}
