//! Starts the command of a keeper.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Pid;

use super::Tree;
use crate::keeper::TaskCommand;
use crate::keeper::shell::{split_plain, with_exec};
use crate::platform;

impl Tree<'_> {
    pub(super) fn start(&mut self) -> io::Result<Pid> {
        let task = self.task;
        let command = match &task.command {
            TaskCommand::Shell(command) => command,
            TaskCommand::Foreground(_, words) => {
                let (program, arguments) = words
                    .split_first()
                    .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
                let mut command = Command::new(program);
                command.args(arguments);
                return self.spawn(command);
            }
        };
        if task.has_socket {
            let mut shell = Command::new("/bin/sh");
            // `LISTEN_PID` must be the pid of the program itself, which is the pid of the shell that
            // it replaces.
            shell.args(["-c", &format!("export LISTEN_PID=$$; exec {command}")]);
            shell.env("LISTEN_FDS", "1");
            return self.spawn_service(shell);
        }
        if let Some([program, arguments @ ..]) = split_plain(command).as_deref() {
            let mut direct = Command::new(program);
            direct.args(arguments);
            direct.envs(working_dir().map(|dir| ("PWD", dir)));
            // If this fails, the shell prints the usual error message.
            if let Ok(pid) = self.spawn_service(direct) {
                return Ok(pid);
            }
        }
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", with_exec(command).as_ref()]);
        self.spawn_service(shell)
    }

    fn spawn_service(&mut self, mut command: Command) -> io::Result<Pid> {
        match &self.input {
            Some(input) => command.stdin(input.try_clone()?),
            None => command.stdin(Stdio::null()),
        };
        match self.input.as_ref().filter(|_| self.has_terminal) {
            Some(terminal) => {
                command.stdout(terminal.try_clone()?);
                command.stderr(terminal.try_clone()?);
                // The new session is a new process group, too.
                platform::take_terminal(&mut command);
            }
            None => {
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
            }
        }
        self.spawn(command)
    }

    /// Starts the leader. [`Tree::reap`] waits for it, as for all other children.
    fn spawn(&mut self, mut command: Command) -> io::Result<Pid> {
        platform::tie_to_keeper(&mut command);
        if let Some(group) = &self.group {
            match platform::spawn_in(&mut command, group) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {}
                other => return new_pid(other?),
            }
            // The system may refuse the group, or the command.
            let pid = new_pid(command.spawn()?.id())?;
            self.leave_group();
            return Ok(pid);
        }
        new_pid(command.spawn()?.id())
    }
}

/// Returns the pid of a new process.
fn new_pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(|| io::Error::other("a process without a pid"))
}

/// Returns the value of `PWD` for the command, if the variable is set. As in a shell, a path with
/// symbolic links is kept if it refers to the current directory.
fn working_dir() -> Option<PathBuf> {
    let inherited = PathBuf::from(env::var_os("PWD")?);
    let inode = |path: &Path| fs::metadata(path).ok().map(|at| (at.dev(), at.ino()));
    if inherited.is_absolute() && inode(&inherited) == inode(Path::new(".")) {
        Some(inherited)
    } else {
        env::current_dir().ok()
    }
}
