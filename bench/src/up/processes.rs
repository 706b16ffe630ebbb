//! Processes as `/proc` tells them.

use std::fs;

/// A process and what is asked of it here.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    /// The name of its program, at most 15 bytes.
    pub(crate) name: String,
    /// Its arguments, between blanks.
    pub(crate) words: String,
}

/// All that run; zombies do not.
pub(crate) fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

fn read(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may have any in it.
    let (head, tail) = stat.rsplit_once(')')?;
    let mut fields = tail.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(Process {
        pid,
        parent: fields.next()?.parse().ok()?,
        name: head.split_once('(')?.1.to_owned(),
        words: String::from_utf8_lossy(&words).replace('\0', " "),
    })
}

/// A process and all below it.
pub(crate) fn tree(root: u32) -> Vec<Process> {
    let all = all();
    let mut tree: Vec<Process> = all.iter().filter(|one| one.pid == root).cloned().collect();
    let mut next = 0;
    while let Some(parent) = tree.get(next).map(|one| one.pid) {
        tree.extend(all.iter().filter(|one| one.parent == parent).cloned());
        next += 1;
    }
    tree
}

/// All that were started with this variable in their environment.
pub(super) fn marked(name: &str, value: &str) -> Vec<Process> {
    let mark = format!("{name}={value}");
    let is_marked = |one: &Process| {
        let environment = fs::read(format!("/proc/{}/environ", one.pid)).unwrap_or_default();
        environment
            .split(|&byte| byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    all().into_iter().filter(is_marked).collect()
}

/// The resident memory of a process, in megabytes.
pub(crate) fn resident(pid: u32) -> Option<f64> {
    Some(kilobytes(&format!("/proc/{pid}/status"), &["VmRSS:"])? / 1024.0)
}

/// The memory that a process shares with nobody, in kilobytes.
pub(crate) fn private(pid: u32) -> Option<f64> {
    kilobytes(
        &format!("/proc/{pid}/smaps_rollup"),
        &["Private_Clean:", "Private_Dirty:"],
    )
}

/// The sum of some lines of a file of `/proc`.
fn kilobytes(path: &str, names: &[&str]) -> Option<f64> {
    let text = fs::read_to_string(path).ok()?;
    let value = |line: &str| -> Option<f64> {
        let mut words = line.split_whitespace();
        words.next().filter(|name| names.contains(name))?;
        words.next()?.parse().ok()
    };
    Some(text.lines().filter_map(value).sum())
}
