//! Git's own files: which worktree a directory belongs to, and its branch.

use std::fs;
use std::path::{Path, PathBuf};

use super::{CheckoutError, canonical, file_name};
use crate::user_file;

/// The git worktree of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Git {
    /// The git directory that all worktrees of the repository share.
    pub common_dir: PathBuf,
    /// The top directory of this worktree.
    pub top: PathBuf,
    /// The branch; `None` for a detached `HEAD`.
    pub branch: Option<String>,
    /// The shortened commit of a detached `HEAD`.
    pub commit: Option<String>,
    /// Whether it is a linked worktree (`git worktree add`), not the main checkout.
    pub linked: bool,
}

impl Git {
    /// Returns the main checkout of a linked worktree; `None` if this is the main checkout, or if the
    /// repository is bare.
    pub fn main_checkout(&self) -> Option<PathBuf> {
        let common = canonical(&self.common_dir).ok().filter(|_| self.linked)?;
        let is_in_checkout = common.file_name().is_some_and(|name| name == ".git");
        is_in_checkout.then(|| common.parent().map(Path::to_owned))?
    }

    /// Returns the name of the repository: `shop` for `shop/.git`, `shop/.bare` and `shop.git`.
    pub(super) fn repository_name(&self) -> Option<String> {
        let dir = canonical(&self.common_dir).ok()?;
        let name = file_name(&dir);
        let name = if name.starts_with('.') {
            file_name(dir.parent()?)
        } else {
            name.strip_suffix(".git").unwrap_or(&name).to_owned()
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// Reads the worktree whose top directory is `dir`, if it is one and git's files can be read.
    pub(super) fn find(dir: &Path) -> Option<Self> {
        Self::read(dir).ok().flatten()
    }

    /// Reads the worktree whose top directory is `dir`, if it is one.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, CheckoutError> {
        let dot_git = dir.join(".git");
        let Ok(metadata) = fs::metadata(&dot_git) else {
            return Ok(None);
        };
        let git_dir = if metadata.is_dir() {
            dot_git
        } else {
            // A linked worktree or a submodule has a file `gitdir: PATH`.
            let pointer = git_file(&dot_git)?.unwrap_or_default();
            let Some(path) = pointer.strip_prefix("gitdir:") else {
                return Ok(None);
            };
            dir.join(path.trim())
        };
        let Some(head) = git_file(&git_dir.join("HEAD"))? else {
            return Ok(None);
        };
        // Only a linked worktree has a `commondir`; a submodule has its own git directory.
        let common = git_file(&git_dir.join("commondir"))?;
        let branch = head
            .strip_prefix("ref:")
            .map(|name| name.trim().trim_start_matches("refs/heads/").to_owned());
        let commit = branch
            .is_none()
            .then(|| head.trim().chars().take(8).collect());
        Ok(Some(Self {
            common_dir: match &common {
                Some(common) => git_dir.join(common.trim()),
                None => git_dir,
            },
            top: dir.to_owned(),
            branch,
            commit,
            linked: common.is_some(),
        }))
    }
}

/// Reads a file of git; `None` if it does not exist.
fn git_file(file: &Path) -> Result<Option<String>, CheckoutError> {
    match user_file::read_text(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(source) => Err(CheckoutError::Git {
            file: file.to_owned(),
            source,
        }),
    }
}
