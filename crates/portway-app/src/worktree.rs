//! Files that git ignores and that a linked worktree therefore lacks, such as `.env`: copies those that
//! the project lists from the main checkout, and reports the others.

pub(crate) mod listed;

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use portway_project::user_file;

use self::listed::{INCLUDE_FILE, MAX_FILES, ignored_files, patterns, quoted};
use crate::error::CommandError;
use crate::project::Project;
use crate::reporter::Reporter;

/// Maximum size of a file that is copied, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Copies the files that the project lists to a linked worktree, and warns about `.env` files that only
/// the main checkout has. Returns whether it copied a file.
///
/// # Errors
/// When a pattern is invalid, or a file cannot be read or copied.
pub(crate) fn provide(project: &Project, reporter: &dyn Reporter) -> Result<bool, CommandError> {
    let Some(git) = &project.checkout.git else {
        return Ok(false);
    };
    let Some(main) = git.main_checkout() else {
        return Ok(false);
    };
    let (top, root) = (&git.top, &project.checkout.root);
    let patterns = patterns(top, root, &project.plan.worktree_copy)?;
    let mut copied = Vec::new();
    if !patterns.is_empty() {
        for path in ignored_files(&main, &patterns) {
            if copied.len() < MAX_FILES && copy(&main, top, &path)? {
                copied.push(path.display().to_string());
            }
        }
    }
    if !copied.is_empty() {
        let files = quoted(&copied);
        reporter.info(&format!("copied {files} from the main checkout"));
    }
    let below = root.strip_prefix(top).unwrap_or(Path::new(""));
    let lacking = lacking(&main.join(below), root, &directories(project));
    if !lacking.is_empty() {
        let files = quoted(&lacking);
        let patterns: Vec<String> = lacking.iter().map(|file| format!("/{file}")).collect();
        let patterns = quoted(&patterns);
        let from = main.join(below);
        let first = &lacking[0];
        let (source, copy) = (from.join(first), root.join(first));
        let example = if lacking.len() > 1 {
            ", for example"
        } else {
            ""
        };
        reporter.warning(&format!(
            "this worktree lacks {files}, which the main checkout has; to copy such files to every worktree, \
             add {patterns} to `{INCLUDE_FILE}`, or copy them yourself{example}: `cp {} {}`",
            source.display(),
            copy.display(),
        ));
    }
    Ok(!copied.is_empty())
}

/// Returns the directories of the services and those above them, relative to the root.
fn directories(project: &Project) -> Vec<PathBuf> {
    let mut dirs = vec![PathBuf::new()];
    for service in project.plan.services.values() {
        let dir = Path::new(service.dir.as_deref().unwrap_or(""));
        for dir in dir.ancestors() {
            if !dirs.iter().any(|known| known == dir) {
                dirs.push(dir.to_owned());
            }
        }
    }
    dirs
}

/// Returns the `.env` files that exist in the main checkout only, relative to the root.
fn lacking(main: &Path, root: &Path, dirs: &[PathBuf]) -> Vec<String> {
    let mut lacking = Vec::new();
    for dir in dirs {
        let names = fs::read_dir(main.join(dir)).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut files: Vec<PathBuf> = names
            .filter(|name| portway_detect::variables::is_in_use(name))
            .map(|name| dir.join(name))
            .filter(|file| root.join(dir).is_dir() && root.join(file).symlink_metadata().is_err())
            .collect();
        files.sort();
        lacking.extend(files.iter().map(|file| file.display().to_string()));
    }
    lacking
}

/// Copies a file with its permissions, unless the worktree has it already. Returns whether it did.
fn copy(main: &Path, top: &Path, path: &Path) -> Result<bool, CommandError> {
    let (from, to) = (main.join(path), top.join(path));
    let failed = |error: io::Error| CommandError::file("copy", &from, error);
    if to.symlink_metadata().is_ok() {
        return Ok(false);
    }
    let parent = path.parent().unwrap_or(Path::new(""));
    let mut dir = top.to_owned();
    for part in parent.components() {
        dir.push(part);
        // A link could lead out of the worktree.
        match dir.symlink_metadata() {
            Ok(metadata) if !metadata.is_dir() => return Ok(false),
            Ok(_) => {}
            Err(_) => fs::create_dir(&dir).map_err(failed)?,
        }
    }
    let content = user_file::read(&from, MAX_FILE).map_err(|error| failed(error.into()))?;
    let permissions = from.metadata().map_err(failed)?.permissions();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o700,
    );
    let mut file = match options.open(&to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        file => file.map_err(failed)?,
    };
    io::Write::write_all(&mut file, &content)
        .and_then(|()| file.set_permissions(permissions))
        .map_err(failed)?;
    Ok(true)
}
