//! The files that git ignores and that the project lists for its worktrees.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use portway_api::ErrorCode;
use portway_project::{Checkout, user_file};
use portway_supervisor::program;

use crate::error::CommandError;

/// The file with patterns of files to copy, which other tools for worktrees read as well.
pub(super) const INCLUDE_FILE: &str = ".worktreeinclude";

/// How long git may take to list the files that it ignores.
const GIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of the list of ignored files, in bytes.
const MAX_LIST: u64 = 4 << 20;

/// Maximum number of files that are copied.
pub(super) const MAX_FILES: usize = 1000;

/// Maximum number of files that an error names.
const MAX_NAMED: usize = 5;

/// Adds to an error about a missing value or file which files `portway up` would copy from the main checkout.
pub(crate) fn explain(
    mut error: CommandError,
    checkout: &Checkout,
    of_manifest: &[String],
) -> CommandError {
    let files = to_copy(checkout, of_manifest);
    if !files.is_empty() {
        let files = quoted(&files);
        let hint = format!("run `portway up`, which copies {files} from the main checkout");
        error.info.hints.insert(0, hint);
    }
    error
}

/// Returns the listed files that the main checkout has and this worktree lacks, at most as many as an error
/// can name.
fn to_copy(checkout: &Checkout, of_manifest: &[String]) -> Vec<String> {
    let Some(git) = &checkout.git else {
        return Vec::new();
    };
    let patterns = patterns(&git.top, &checkout.root, of_manifest).ok();
    let patterns = patterns.filter(|patterns| !patterns.is_empty());
    let found = git.main_checkout().zip(patterns);
    let found = found.map(|(main, patterns)| ignored_files(&main, &patterns));
    let missing = found.into_iter().flatten();
    let missing = missing.filter(|path| git.top.join(path).symlink_metadata().is_err());
    let missing = missing.map(|path| path.display().to_string());
    missing.take(MAX_NAMED).collect()
}

/// Lists names in backticks.
pub(super) fn quoted(names: &[String]) -> String {
    format!("`{}`", names.join("`, `"))
}

/// Returns the patterns of the include file in the top directory and those of the manifest, which are
/// relative to the project's root.
pub(super) fn patterns(
    top: &Path,
    root: &Path,
    of_manifest: &[String],
) -> Result<Gitignore, CommandError> {
    let mut builder = GitignoreBuilder::new(top);
    let file = top.join(INCLUDE_FILE);
    let text = match user_file::read_text(&file) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => String::new(),
        Err(error) => return Err(CommandError::file("read", &file, error.into())),
    };
    let invalid = |place: &Path, pattern: &str, error: ignore::Error| {
        let place = place.display();
        let message = format!("`{pattern}` in `{place}` is not a pattern of git: {error}");
        CommandError::new(ErrorCode::Usage, message)
    };
    for line in text.lines() {
        builder
            .add_line(None, line)
            .map_err(|error| invalid(&file, line, error))?;
    }
    let below = root.strip_prefix(top).unwrap_or(Path::new(""));
    for pattern in of_manifest {
        let path = below.join(pattern.trim_start_matches('/'));
        builder
            .add_line(None, &format!("/{}", path.display()))
            .map_err(|error| invalid(&root.join("portway.toml"), pattern, error))?;
    }
    builder
        .build()
        .map_err(|error| invalid(&file, INCLUDE_FILE, error))
}

/// Returns the files in the main checkout that git ignores and that match a pattern. Directories that git
/// ignores as a whole are not searched unless they match themselves: they contain what builds and package
/// managers created.
pub(super) fn ignored_files(main: &Path, patterns: &Gitignore) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(main).args([
        "ls-files",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--directory",
        "-z",
    ]);
    let list = program::output(git, GIT_TIMEOUT, MAX_LIST).unwrap_or_default();
    let list = String::from_utf8_lossy(&list);
    let mut files = Vec::new();
    for entry in list.split('\0').filter(|entry| !entry.is_empty()) {
        let is_dir = entry.ends_with('/');
        let path = Path::new(entry.trim_end_matches('/'));
        let is_below = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if is_below
            && patterns
                .matched_path_or_any_parents(path, is_dir)
                .is_ignore()
        {
            add_files(main, path, &mut files);
        }
    }
    files
}

/// Adds a regular file, or all regular files of a directory. Symbolic links are left out.
fn add_files(main: &Path, path: &Path, files: &mut Vec<PathBuf>) {
    let full = main.join(path);
    let Ok(metadata) = full.symlink_metadata() else {
        return;
    };
    if metadata.is_file() {
        files.push(path.to_owned());
    } else if metadata.is_dir() {
        let entries = fs::read_dir(full).into_iter().flatten().flatten();
        for entry in entries {
            if files.len() >= MAX_FILES {
                return;
            }
            add_files(main, &path.join(entry.file_name()), files);
        }
    }
}
