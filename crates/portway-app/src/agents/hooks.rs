//! What the installed hooks run. A hook of git never fails, and writes what went wrong into a log.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portway_api::{ErrorCode, InstanceStatus, ServiceState};
use portway_registry::create_private_dir;
use serde_json::Value;

use crate::dirs;
use crate::error::CommandError;
use crate::instance;
use crate::options::Selection;
use crate::reporter::Reporter;
use crate::wiring;

/// Maximum size of what a harness passes on standard input, in bytes.
const MAX_INPUT: u64 = 1 << 20;

/// Maximum size of the log, in bytes. It is emptied when it is larger.
const MAX_LOG: u64 = 1 << 20;

/// The file in the state directory with the errors of hooks.
const LOG: &str = "agents.log";

/// Allocates the ports of a new worktree. Errors go to the log.
pub fn post_checkout(directory: Option<&Path>, previous: &str) {
    let is_new = !previous.is_empty() && previous.bytes().all(|byte| byte == b'0');
    if is_new && let Err(error) = wiring::detect(directory, &Selection::default()) {
        log("post-checkout", directory, &error);
    }
}

/// Returns what a new session should know about this checkout: its services and how to reach them.
pub fn session_start(input: &mut dyn Read) -> String {
    let input = read(input).unwrap_or_default();
    let directory = path(&input, "cwd");
    match wiring::detect(directory.as_deref(), &Selection::default()) {
        Ok(status) => describe(&status),
        Err(error) => {
            log("session-start", directory.as_deref(), &error);
            String::new()
        }
    }
}

/// Describes the services of a checkout for an agent.
fn describe(status: &InstanceStatus) -> String {
    let mut text = format!(
        "Portway runs the services of this checkout (`{}`) on its own ports. Never assume a port number.\n",
        status.name
    );
    let mut are_stopped = true;
    for service in &status.services {
        let is_stopped = service.state == ServiceState::Stopped;
        are_stopped &= is_stopped;
        let state = if is_stopped { "not running" } else { "running" };
        let port = || {
            service
                .ports
                .first()
                .map(|port| format!("port {}", port.port))
        };
        let place = service.url.clone().or_else(port);
        let place = place.map_or_else(String::new, |place| format!(" {place}"));
        text.push_str(&format!("- {}:{place} ({state})\n", service.name));
    }
    text.push_str(match are_stopped {
        true => "Start them with `portway up --detach`, stop them with `portway down`.\n",
        false => "Stop them with `portway down`.\n",
    });
    text
}

/// Stops the services of a worktree that is about to be removed.
pub fn worktree_remove(input: &mut dyn Read, reporter: &dyn Reporter) {
    let input = read(input).unwrap_or_default();
    let Some(directory) = path(&input, "worktree_path") else {
        return;
    };
    if let Err(error) = instance::down(Some(&directory), &[], false, reporter) {
        log("worktree-remove", Some(&directory), &error);
    }
}

/// Creates a worktree as Claude Code does, and allocates its ports. Returns its path.
///
/// # Errors
/// When the input names no worktree, or git cannot create it.
pub fn worktree_create(input: &mut dyn Read) -> Result<PathBuf, CommandError> {
    let input = read(input)?;
    let text = |key: &str| input.get(key).and_then(Value::as_str);
    let name = text("worktree_name").or_else(|| text("name"));
    let name = name.filter(|name| is_plain(name)).ok_or_else(|| {
        let message = "the input names no worktree";
        CommandError::new(ErrorCode::Usage, message)
            .hint("pass JSON with `name` and `cwd` on standard input")
    })?;
    let top = dirs::directory(path(&input, "cwd").as_deref())?;
    let checkout = portway_project::Checkout::read(&top)?;
    let top = checkout
        .git
        .map_or(top, |git| git.main_checkout().unwrap_or(git.top));
    let directory = top.join(".claude/worktrees").join(name);
    let mut git = Command::new("git");
    git.arg("-C").arg(&top).args(["worktree", "add", "-b"]);
    git.arg(format!("worktree-{name}")).arg(&directory);
    git.args(text("base_commit").filter(|base| !base.starts_with('-')));
    let output = git
        .stdin(Stdio::null())
        .output()
        .map_err(|error| CommandError::cannot_run("git", error))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = format!("cannot create the worktree: {}", message.trim());
        return Err(CommandError::new(ErrorCode::Failed, message));
    }
    if let Err(error) = wiring::detect(Some(&directory), &Selection::default()) {
        log("worktree-create", Some(&directory), &error);
    }
    Ok(directory)
}

/// Returns whether a name is safe as part of a path and of a branch.
fn is_plain(name: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
    !name.is_empty()
        && name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..")
        && !name.ends_with(".lock")
        && name.chars().all(is_safe)
}

fn read(input: &mut dyn Read) -> Result<Value, CommandError> {
    let mut text = Vec::new();
    let failed =
        |error| CommandError::new(ErrorCode::Usage, "cannot read standard input").caused_by(error);
    input
        .take(MAX_INPUT)
        .read_to_end(&mut text)
        .map_err(failed)?;
    serde_json::from_slice(&text).map_err(|error| failed(error.into()))
}

fn path(input: &Value, key: &str) -> Option<PathBuf> {
    let path = input.get(key)?.as_str().map(PathBuf::from)?;
    path.is_absolute().then_some(path)
}

/// Appends an error to the log. There is no other place to report it.
fn log(event: &str, directory: Option<&Path>, error: &CommandError) {
    let Ok(state) = dirs::state_dir() else { return };
    let file = state.join(LOG);
    let is_large = fs::metadata(&file).is_ok_and(|data| data.len() > MAX_LOG);
    let is_link = file.symlink_metadata().is_ok_and(|data| data.is_symlink());
    if is_link || create_private_dir(&state).is_err() {
        return;
    }
    let mut options = OpenOptions::new();
    options
        .create(true)
        .append(!is_large)
        .write(true)
        .truncate(is_large);
    if let Ok(mut file) = options.open(&file) {
        let directory = dirs::directory(directory).unwrap_or_default();
        let time = portway_supervisor::now() / 1000;
        let text = error.text().escape_debug().to_string();
        let _ = writeln!(file, "{time} {event} {}: {text}", directory.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_worktrees_are_safe() {
        for name in ["fix-login", "a.b_c+1", "1"] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "", "-b", "../x", "a/b", "a b", "$(x)", "a..b", "x.lock", ".git",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn paths_of_the_input_are_absolute() {
        let input = serde_json::json!({ "cwd": "relative", "worktree_path": 1 });
        assert_eq!(path(&input, "cwd"), None);
        assert_eq!(path(&input, "worktree_path"), None);
        assert!(read(&mut &b"{"[..]).is_err());
    }
}
