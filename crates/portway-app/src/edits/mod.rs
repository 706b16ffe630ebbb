//! Changes of files that belong to the user, which are shown before they are made and can be undone.
//!
//! A file that was not edited since is restored byte for byte. From another one, only Portway's part is
//! removed. No file is written through a symbolic link, and a file with an error stays as it is.

pub(crate) mod json;
pub(crate) mod part;
mod record;
pub(crate) mod section;
pub(crate) mod toml;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portway_api::{ErrorCode, FileAction, FileChange};
use portway_project::{atomic_file, user_file};

pub(crate) use self::record::{Record, Recorded};

use self::part::{Part, Problem};
use crate::error::CommandError;
use crate::platform;

/// A file of the user, and Portway's part of it.
pub(crate) struct Target {
    /// The name with which the command selects it.
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    /// The part, or why there is none.
    pub(crate) part: Result<Box<dyn Part>, String>,
    pub(crate) is_executable: bool,
}

/// What will happen to a file.
struct Step {
    change: FileChange,
    path: PathBuf,
    /// The text to which the file is restored later.
    base: Option<String>,
    is_executable: bool,
}

/// Changes that were planned from the files as they are, and not made yet.
pub struct Edits {
    owner: &'static str,
    root: PathBuf,
    steps: Vec<Step>,
    is_undo: bool,
    /// The files that cannot be changed.
    pub errors: Vec<CommandError>,
}

impl Edits {
    /// Plans to add or update Portway's part of each file. `owner` is the command.
    pub(crate) fn install(
        owner: &'static str,
        root: &Path,
        targets: Vec<Target>,
    ) -> Result<Self, CommandError> {
        Self::plan(owner, root, targets, false)
    }

    /// Plans to remove it again.
    pub(crate) fn undo(
        owner: &'static str,
        root: &Path,
        targets: Vec<Target>,
    ) -> Result<Self, CommandError> {
        Self::plan(owner, root, targets, true)
    }

    fn plan(
        owner: &'static str,
        root: &Path,
        targets: Vec<Target>,
        is_undo: bool,
    ) -> Result<Self, CommandError> {
        let record = Record::read()?;
        let mut edits = Self {
            owner,
            root: root.to_owned(),
            steps: Vec::new(),
            is_undo,
            errors: Vec::new(),
        };
        for target in targets {
            let recorded = record.find(&target.path);
            match step(&target, root, recorded, is_undo) {
                Ok(step) => edits.steps.push(step),
                Err(error) => edits.errors.push(error),
            }
        }
        Ok(edits)
    }

    /// The planned changes.
    pub fn changes(&self) -> Vec<FileChange> {
        self.steps.iter().map(|step| step.change.clone()).collect()
    }

    /// Returns whether a file changes.
    pub fn is_needed(&self) -> bool {
        self.steps
            .iter()
            .any(|step| !matches!(step.change.action, FileAction::Keep | FileAction::Skip))
    }

    /// Makes the changes. A file that was changed meanwhile stays as it is.
    ///
    /// # Errors
    /// When a file or the record cannot be written. The changes before it are made and recorded.
    pub fn apply(&self) -> Result<(), CommandError> {
        for step in &self.steps {
            self.apply_one(step)?;
        }
        Ok(())
    }

    fn apply_one(&self, step: &Step) -> Result<(), CommandError> {
        let path = &step.path;
        let failed = |error| CommandError::file("write", path, error);
        match step.change.action {
            FileAction::Skip => return Ok(()),
            FileAction::Keep if self.is_undo => return Record::change(|all| all.forget(path)),
            FileAction::Keep => return Ok(()),
            _ => {}
        }
        if read(path)? != step.change.before {
            return Err(CommandError::new(
                ErrorCode::Failed,
                format!("`{}` was changed meanwhile", path.display()),
            )
            .location(path)
            .hint("run the command again"));
        }
        let Some(after) = &step.change.after else {
            let created = Record::read()?.find(path).map(|one| one.created.clone());
            fs::remove_file(path).map_err(failed)?;
            // Other files keep them.
            let left = created.unwrap_or_default().into_iter();
            let left = left.filter(|dir| fs::remove_dir(dir).is_err()).collect();
            return Record::change(|all| {
                all.forget(path);
                all.pass_on(left);
            });
        };
        let mut created = missing_dirs(path);
        if let Some(known) = Record::read()?.find(path) {
            created.extend(known.created.iter().cloned());
        }
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        let recorded = Recorded {
            path: path.clone(),
            owner: self.owner.to_owned(),
            name: step.change.name.clone(),
            root: self.root.clone(),
            before: step.base.clone(),
            after: after.clone(),
            created,
        };
        // Recorded first: what a killed command has changed can be undone.
        if !self.is_undo {
            Record::change(|all| all.set(recorded))?;
        }
        atomic_file::replace(path, ".portway-", after).map_err(failed)?;
        if step.is_executable {
            platform::make_executable(path).map_err(failed)?;
        }
        match self.is_undo {
            true => Record::change(|all| all.forget(path)),
            false => Ok(()),
        }
    }
}

/// Plans the change of one file.
fn step(
    target: &Target,
    root: &Path,
    recorded: Option<&Recorded>,
    is_undo: bool,
) -> Result<Step, CommandError> {
    let path = &target.path;
    let made = |action, before: Option<String>, after, base, reason| Step {
        change: FileChange {
            name: target.name.to_owned(),
            path: path.display().to_string(),
            action,
            reason,
            before,
            after,
        },
        path: path.clone(),
        base,
        is_executable: target.is_executable,
    };
    let part = match &target.part {
        Ok(part) => part,
        Err(reason) => {
            return Ok(made(
                FileAction::Skip,
                None,
                None,
                None,
                Some(reason.clone()),
            ));
        }
    };
    check_links(path, root)?;
    let before = read(path)?;
    let failed = |problem| error(path, problem);
    // The text without Portway's part.
    let base = match (&before, recorded) {
        (Some(text), Some(known)) if *text == known.after => known.before.clone(),
        (Some(text), known) => {
            let existed = known.is_some_and(|known| known.before.is_some());
            let rest = part.take(text).map_err(failed)?;
            rest.or_else(|| existed.then(String::new))
        }
        (None, _) => None,
    };
    if is_undo {
        let action = match (&before, &base) {
            (before, base) if before == base => FileAction::Keep,
            (_, None) => FileAction::Delete,
            _ => FileAction::Restore,
        };
        return Ok(made(action, before, base.clone(), base, None));
    }
    let after = part.put(before.as_deref()).map_err(failed)?;
    let action = match &before {
        None => FileAction::Create,
        Some(before) if *before == after => FileAction::Keep,
        Some(_) => FileAction::Change,
    };
    Ok(made(action, before, Some(after), base, None))
}

/// Reads a text file; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<String>, CommandError> {
    match user_file::read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(CommandError::file("read", path, error.into())),
    }
}

/// Fails if the file or a directory below `root` is a symbolic link.
fn check_links(path: &Path, root: &Path) -> Result<(), CommandError> {
    let below = path.ancestors().take_while(|dir| *dir != root);
    for dir in below {
        if dir.symlink_metadata().is_ok_and(|data| data.is_symlink()) {
            let message = format!("`{}` is a symbolic link", dir.display());
            return Err(CommandError::new(ErrorCode::Refused, message)
                .location(dir)
                .hint("leave the file out, or replace the link"));
        }
        // The root of the file system has no parent; a file outside of `root` is checked itself only.
        if !dir.starts_with(root) {
            break;
        }
    }
    Ok(())
}

/// Returns the directories of a file that do not exist, the innermost first.
fn missing_dirs(path: &Path) -> Vec<PathBuf> {
    let above = path.ancestors().skip(1);
    above
        .take_while(|dir| {
            let found = dir.symlink_metadata();
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        })
        .map(Path::to_owned)
        .collect()
}

/// Returns the error of a file that stays as it is.
fn error(path: &Path, problem: Problem) -> CommandError {
    let mut place = path.display().to_string();
    for number in [problem.line, problem.column].into_iter().flatten() {
        place.push_str(&format!(":{number}"));
    }
    CommandError::new(ErrorCode::Failed, problem.message)
        .unnamed_location(place)
        .hint(problem.help)
}
