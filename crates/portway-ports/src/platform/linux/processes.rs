//! Processes, read from `/proc`.

use std::fs::{self, File};
use std::io::{self, Read};

use crate::process::{Process, ProcessId};

/// Returns the pids of all processes.
///
/// # Errors
/// Fails if `/proc` cannot be read, for example because this process has too many files open.
pub(super) fn pids() -> io::Result<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc")?.flatten();
    Ok(entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// Reads a file of `/proc/PID`. These files report no length; the initial capacity avoids many
/// small reads.
fn read(pid: u32, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(4096);
    let mut file = File::open(format!("/proc/{pid}/{name}")).ok()?;
    file.read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(crate) fn process_id(pid: u32) -> Option<ProcessId> {
    stat(pid).map(|stat| stat.id)
}

pub(crate) fn process(pid: u32) -> Option<Process> {
    let stat = stat(pid)?;
    let bytes = read(pid, "cmdline").unwrap_or_default();
    // A program that overwrites its arguments with a title leaves zeros at the end.
    let text = String::from_utf8_lossy(&bytes);
    let args: Vec<String> = text
        .trim_end_matches('\0')
        .split('\0')
        .map(str::to_owned)
        .collect();
    let command = args.join(" ");
    let is_hidden = command.trim().is_empty();
    Some(Process {
        id: stat.id,
        parent: stat.parent,
        group: stat.group,
        user: user(pid),
        command: if is_hidden {
            stat.name.clone()
        } else {
            command
        },
        args: if is_hidden { Vec::new() } else { args },
        name: stat.name,
        working_dir: fs::read_link(format!("/proc/{pid}/cwd")).ok(),
    })
}

/// Reads the effective user of a process.
fn user(pid: u32) -> Option<u32> {
    let status = read(pid, "status")?;
    let text = String::from_utf8_lossy(&status);
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // The fields are the real, effective, saved and file system user.
    line.split_whitespace().nth(1)?.parse().ok()
}

pub(crate) fn started_at(process: ProcessId) -> Option<u64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let boot = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    let boot: u64 = boot.trim().parse().ok()?;
    let ticks_per_second = rustix::param::clock_ticks_per_second();
    Some(boot * 1000 + process.started * 1000 / ticks_per_second)
}

/// The fields of `/proc/PID/stat` that a [`Process`] contains.
struct Stat {
    id: ProcessId,
    name: String,
    parent: u32,
    group: u32,
}

/// `None` if the process is gone or a zombie: a zombie owns no sockets.
fn stat(pid: u32) -> Option<Stat> {
    let text = read(pid, "stat")?;
    let text = String::from_utf8_lossy(&text);
    // The name is in parentheses and may itself contain parentheses; the other fields follow the
    // last one.
    let (name, fields) = text.split_once('(')?.1.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // The group is field 5, the start time field 22.
    let started = fields.nth(16)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then(|| Stat {
        id: ProcessId { pid, started },
        name: name.to_owned(),
        parent,
        group,
    })
}
