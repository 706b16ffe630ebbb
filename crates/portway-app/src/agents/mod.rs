//! The files of coding agents, and the hook of git, that make each worktree and each session use Portway.
//!
//! [`install`] plans the changes of a checkout's files; `hooks` is what they run.

mod files;
pub mod hooks;

use std::path::{Path, PathBuf};

use portway_api::ErrorCode;
use portway_project::Checkout;
use portway_project::suggest::suggestion;

use crate::dirs;
use crate::edits::Edits;
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;

/// The command that owns the changes.
pub(crate) const OWNER: &str = "agents";

/// The names of all files, each with what it is. The last ones are written only if they are named.
pub const NAMES: [(&str, &str); 9] = [
    ("skill", "a skill for Claude Code"),
    ("agents-md", "a section in `AGENTS.md`"),
    (
        "claude-md",
        "a section in `CLAUDE.md`, if it exists and does not import `AGENTS.md`",
    ),
    ("claude-hooks", "hooks of Claude Code"),
    ("claude-launch", "the preview of Claude Code"),
    ("codex", "set-up, clean-up and actions of Codex"),
    ("cursor", "set-up of worktrees in Cursor"),
    ("git-hook", "the `post-checkout` hook of git"),
    (
        "claude-worktree-create",
        "a hook that creates the worktrees of Claude Code",
    ),
];

/// Files that are written only if they are named.
const BY_CHOICE: [&str; 1] = [files::CREATE_HOOK];

/// The checkout whose files change.
struct Place {
    /// Its top directory.
    top: PathBuf,
    /// The hooks that all worktrees of the repository share, if it is one.
    hooks: Option<Result<PathBuf, String>>,
    /// The main service and its preferred port, if the project has one.
    main: Option<(String, u16)>,
    /// The name of the project.
    project: String,
}

/// Plans to write the files of agents in the checkout of `directory`, or to remove Portway's parts. Without
/// names in `only`, all except those by choice.
///
/// # Errors
/// When a name is unknown, or the checkout or the record of changes cannot be read.
pub fn install(
    directory: Option<&Path>,
    only: &[String],
    undo: bool,
) -> Result<Edits, CommandError> {
    for name in only {
        check_name(name)?;
    }
    let place = place(directory)?;
    let is_selected = |name: &str| match only {
        // What was written by choice is removed with the rest.
        [] => undo || !BY_CHOICE.contains(&name),
        only => only.iter().any(|one| one == name),
    };
    let targets = files::targets(&place, &is_selected);
    match undo {
        true => Edits::undo(OWNER, &place.top, targets),
        false => Edits::install(OWNER, &place.top, targets),
    }
}

fn check_name(name: &str) -> Result<(), CommandError> {
    let mut names = NAMES.iter().map(|(name, _)| *name);
    if names.any(|known| known == name) {
        return Ok(());
    }
    let message = format!("there is no file `{name}`");
    let help = suggestion(name, NAMES.iter().map(|(name, _)| *name));
    Err(CommandError::new(ErrorCode::Usage, message).hint(help))
}

fn place(directory: Option<&Path>) -> Result<Place, CommandError> {
    let directory = dirs::directory(directory)?;
    let checkout = Checkout::read(&directory)?;
    let git = checkout.git.as_ref();
    let top = git.map_or(&directory, |git| &git.top).clone();
    // Agents work in checkouts of which Portway knows no service, too.
    let loaded = LoadedProject::load(Some(&directory), &Selection::default()).ok();
    let plan = loaded.as_ref().map(|loaded| &loaded.project.plan);
    let main = plan.and_then(|plan| {
        let name = plan.main.clone()?;
        let port = plan.services.get(&name)?.ports.first()?.spec.prefer;
        Some((name, port))
    });
    let fallback = || portway_project::checkout::default_project_name(&top);
    Ok(Place {
        hooks: git.map(|git| hooks_dir(&git.common_dir)),
        main,
        project: plan.map_or_else(fallback, |plan| plan.project.clone()),
        top,
    })
}

/// Returns the directory of the hooks of a repository, or why Portway does not write there.
fn hooks_dir(common: &Path) -> Result<PathBuf, String> {
    let common = portway_project::checkout::canonical(common)
        .map_err(|error| format!("cannot enter `{}`: {error}", common.display()))?;
    let config = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(&common)
        .args(["config", "--get", "core.hooksPath"])
        .stdin(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `git`: {error}"))?;
    let path = String::from_utf8_lossy(&config.stdout);
    match path.trim() {
        "" => Ok(common.join("hooks")),
        path => Err(format!(
            "git runs hooks from `{path}` (`core.hooksPath`); add this line to `post-checkout` there: \
             {}",
            files::HOOK_LINE
        )),
    }
}
