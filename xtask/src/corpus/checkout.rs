//! Fresh checkouts of a repository: the main one, and a worktree beside it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::list::Repository;

/// The checkouts of one repository, below a directory that is theirs alone.
#[derive(Debug)]
pub(super) struct Checkout {
    pub(super) main: PathBuf,
    pub(super) worktree: PathBuf,
}

impl Checkout {
    /// Make both checkouts in `parent`, from the clone in `clones`, or else from GitHub.
    pub(super) fn create(
        repository: &Repository,
        clones: Option<&Path>,
        parent: &Path,
    ) -> Result<Self, String> {
        let source = clones.map(|dir| dir.join(repository.name.replace('/', "+")));
        let source = match source {
            Some(dir) if dir.is_dir() => dir.into_os_string(),
            _ => format!("https://github.com/{}", repository.name).into(),
        };
        let name = repository
            .title()
            .rsplit('/')
            .next()
            .unwrap_or("project")
            .to_owned();
        let main = parent.join(&name);
        let whole = if repository.subdir.is_empty() {
            main.clone()
        } else {
            parent.join("collection")
        };
        // `--no-local` would copy; hard links to the objects of a clone leave it unchanged.
        git(parent, |git| {
            git.args(["clone", "--quiet", "--no-checkout"])
                .arg(&source)
                .arg(&whole)
        })?;
        git(&whole, |git| {
            git.args(["checkout", "--quiet", "-B", "main", &repository.commit])
        })?;
        if !repository.subdir.is_empty() {
            // A project of its own, so that nothing of the collection around it counts.
            fs::rename(whole.join(&repository.subdir), &main)
                .map_err(|error| format!("cannot move `{}`: {error}", repository.subdir))?;
            fs::remove_dir_all(&whole).map_err(|error| format!("cannot remove it: {error}"))?;
            git(&main, |git| {
                git.args(["init", "--quiet", "--initial-branch", "main"])
            })?;
            git(&main, |git| git.args(["add", "--all"]))?;
            git(&main, |git| {
                git.args([
                    "-c",
                    "user.name=corpus",
                    "-c",
                    "user.email=corpus@localhost",
                ])
                .args(["commit", "--quiet", "--message", "example"])
            })?;
        }
        let worktree = parent.join(format!("{name}-fix"));
        git(&main, |git| {
            git.args(["worktree", "add", "--quiet", "-b", "fix"])
                .arg(&worktree)
        })?;
        Ok(Self { main, worktree })
    }
}

/// Run git in a directory. Hooks and filters of the user do not run.
fn git(
    directory: &Path,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
) -> Result<(), String> {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LFS_SKIP_SMUDGE", "1")
        .stdin(Stdio::null());
    arguments(&mut command);
    let output = command
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed: {}", message.trim()))
}
