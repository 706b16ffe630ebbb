//! Processes, read from `/proc`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

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
    let executable = fs::read_link(format!("/proc/{pid}/exe")).ok();
    let name = program(&stat.name, &args, executable.as_deref());
    Some(Process {
        id: stat.id,
        parent: stat.parent,
        group: stat.group,
        user: user(pid),
        command: if is_hidden { name.clone() } else { command },
        args: if is_hidden { Vec::new() } else { args },
        name,
        working_dir: fs::read_link(format!("/proc/{pid}/cwd")).ok(),
    })
}

/// Length to which the kernel truncates names, in bytes.
const MAX_NAME: usize = 15;

/// Returns the name of the program of a process. `name` is that of its first thread, which a program may choose:
/// Node 24 chooses `MainThread`. If neither the file of the program nor its arguments have that name, the program
/// is named after its file.
fn program(name: &str, args: &[String], executable: Option<&Path>) -> String {
    let file = executable.and_then(Path::file_name);
    let file = file.map(|file| file.to_string_lossy().into_owned());
    let file = file.map(|file| file.trim_end_matches(" (deleted)").to_owned());
    // The second argument is a script, after which the kernel names the process of its interpreter.
    let words = args.iter().take(2).map(|word| {
        let word = word.split([' ', ':']).next().unwrap_or("");
        word.rsplit('/')
            .next()
            .unwrap_or("")
            .trim_start_matches('-')
    });
    let is_name = |known: &str| match name.len() < MAX_NAME {
        true => known == name,
        false => known.starts_with(name),
    };
    let mut known: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let first = known.first().map(|first| (*first).to_owned());
    known.extend(file.as_deref());
    match known.iter().any(|one| is_name(one)) {
        true => name.to_owned(),
        false => file.or(first).unwrap_or_else(|| name.to_owned()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_thread_is_not_that_of_the_program() {
        for (name, command, executable, expected) in [
            (
                "MainThread",
                "node server.js",
                Some("/usr/bin/node"),
                "node",
            ),
            ("MainThread", "/opt/node24/bin/node x.js", None, "node"),
            (
                "node-MainThread",
                "npm run dev",
                Some("/usr/bin/node"),
                "node",
            ),
            ("node", "node server.js", Some("/usr/bin/node"), "node"),
            ("v8", "x", Some("/opt/app/node (deleted)"), "node"),
            // Scripts, titles, other names of one file, and truncated names.
            (
                "shop",
                "/usr/bin/python3 /srv/shop",
                Some("/usr/bin/python3.13"),
                "shop",
            ),
            ("bash", "-bash", Some("/usr/bin/bash"), "bash"),
            (
                "nginx",
                "nginx: master process x",
                Some("/usr/sbin/nginx"),
                "nginx",
            ),
            ("ls", "ls -l", Some("/bin/busybox"), "ls"),
            (
                "webpack-dev-ser",
                "webpack-dev-server x",
                Some("/x/node"),
                "webpack-dev-ser",
            ),
            (
                "python3",
                "python3 manage.py",
                Some("/usr/bin/python3.13"),
                "python3",
            ),
            // Nothing else is known, as of the kernel's own threads.
            ("kworker/0:1", "", None, "kworker/0:1"),
        ] {
            let args: Vec<String> = command.split(' ').map(str::to_owned).collect();
            let found = program(name, &args, executable.map(Path::new));
            assert_eq!(found, expected, "{name} {command}");
        }
    }
}
