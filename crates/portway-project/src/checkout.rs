//! A checkout of a project: its identity, its branch and the names of its instance.
//!
//! Reads a few of git's own files and does not run git.

mod git;

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::user_file::UserFileError;
pub use git::Git;

/// One checkout of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The project's root, with all symbolic links resolved. It identifies the checkout.
    pub root: PathBuf,
    /// A short digest of the root: the id of the checkout's instance on this machine.
    pub id: String,
    /// The git worktree that contains the root, if there is one.
    pub git: Option<Git>,
}

/// Why a checkout cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The directory does not exist or is not accessible.
    #[error("cannot enter `{}`", dir.display())]
    Enter {
        /// The directory.
        dir: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file of git cannot be read, for example because it is a device. Portway does not guess then
    /// whether the directory is a main checkout.
    #[error("cannot read `{}`", file.display())]
    Git {
        /// The file.
        file: PathBuf,
        /// The cause.
        source: UserFileError,
    },
}

/// The absolute path of a directory, with all symbolic links resolved.
///
/// On Windows, removes the prefix `\\?\`: `cmd` and many other programs do not support it.
///
/// # Errors
/// When the directory does not exist or is not accessible.
pub fn canonical(dir: &Path) -> io::Result<PathBuf> {
    let path = dir.canonicalize()?;
    let plain = path.to_str().and_then(without_prefix).map(PathBuf::from);
    Ok(plain.filter(|_| cfg!(windows)).unwrap_or(path))
}

/// The path after `\\?\` if it starts with a drive. A network share needs the prefix.
fn without_prefix(path: &str) -> Option<&str> {
    path.strip_prefix(r"\\?\")
        .filter(|path| path.as_bytes().get(1) == Some(&b':'))
}

impl Checkout {
    /// Reads the checkout with this project root. Without git's files, it has no worktree.
    ///
    /// # Errors
    /// When the directory is not accessible, or a file of git exists and cannot be read.
    pub fn read(root: &Path) -> Result<Self, CheckoutError> {
        let root = canonical(root).map_err(|source| CheckoutError::Enter {
            dir: root.to_owned(),
            source,
        })?;
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let id = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut git = None;
        for dir in root.ancestors() {
            git = Git::read(dir)?;
            if git.is_some() {
                break;
            }
        }
        Ok(Self { root, id, git })
    }

    /// Whether it is a main checkout, which keeps the preferred ports. A directory without git is
    /// one too.
    pub fn is_main(&self) -> bool {
        !self.git.as_ref().is_some_and(|git| git.linked)
    }

    /// The branch, or the short commit of a detached `HEAD`.
    pub fn branch(&self) -> Option<&str> {
        let git = self.git.as_ref()?;
        git.branch.as_deref().or(git.commit.as_deref())
    }

    /// The default name of the instance: `PROJECT` for a main checkout, `BRANCH.PROJECT` for a
    /// linked worktree, with its directory instead of the branch if `HEAD` is detached. Each part
    /// is a valid label of a host name.
    pub fn instance_name(&self, project: &str) -> String {
        let project = host_label(project);
        match &self.git {
            Some(git) if git.linked => {
                let label = match &git.branch {
                    Some(branch) => host_label(branch),
                    None => host_label(&file_name(&git.top)),
                };
                format!("{label}.{project}")
            }
            _ => project,
        }
    }

    /// The name to use if another instance has [`Checkout::instance_name`]: the same name with six
    /// digits of the id.
    pub fn unique_instance_name(&self, project: &str) -> String {
        let name = self.instance_name(project);
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}-{}{dot}{rest}", &self.id[..6])
    }

    /// The file with ignore patterns for this clone only: `info/exclude`.
    pub fn git_exclude(&self) -> Option<PathBuf> {
        Some(self.git.as_ref()?.common_dir.join("info/exclude"))
    }
}

/// Returns the name of the project in `root` if its manifest has none: the name of the directory, or
/// in a linked worktree that of its repository, so that all worktrees of a project have one name.
pub fn default_project_name(root: &Path) -> String {
    let linked = Git::find(root).filter(|git| git.linked);
    linked
        .and_then(|git| git.repository_name())
        .unwrap_or_else(|| file_name(root))
}

/// Returns whether `dir` is the top of a linked worktree that is inside its main checkout, or inside
/// the directory of its bare repository. It is a checkout of its own, not a part of the other one.
pub fn is_nested_worktree(dir: &Path) -> bool {
    // A directory `.git` belongs to a main checkout.
    if !dir.join(".git").is_file() {
        return false;
    }
    let is_inside = || {
        let git = Git::find(dir).filter(|git| git.linked)?;
        let repository = canonical(&git.common_dir).ok()?;
        Some(canonical(dir).ok()?.starts_with(repository.parent()?))
    };
    is_inside().unwrap_or(false)
}

/// Iterates over `dir` and the directories above it that are part of the same checkout, or above all
/// checkouts. The main checkout around a linked worktree is neither.
pub fn directories_above(dir: &Path) -> impl Iterator<Item = &Path> {
    let mut next = Some(dir);
    std::iter::from_fn(move || {
        let dir = next.take()?;
        if !is_nested_worktree(dir) {
            next = dir.parent();
        }
        Some(dir)
    })
}

/// The last part of a path as text; empty if there is none.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Converts text to one label of a host name: lower-case letters, digits and inner hyphens, at most
/// 40 characters.
pub fn host_label(text: &str) -> String {
    let mut label = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            label.push(character);
        } else if !label.is_empty() && !label.ends_with('-') {
            label.push('-');
        }
    }
    label.truncate(40);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "project" } else { label }.to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Creates a checkout with these files.
    fn checkout(files: &[(&str, &str)], root: &str) -> (tempfile::TempDir, Checkout) {
        let temp = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = temp.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = temp.path().join(root);
        fs::create_dir_all(&root).unwrap();
        let checkout = Checkout::read(&root).unwrap();
        (temp, checkout)
    }

    const MAIN: (&str, &str) = ("repo/.git/HEAD", "ref: refs/heads/main\n");

    #[test]
    fn the_instance_of_a_main_checkout_has_the_name_of_the_project() {
        let (_temp, checkout) = checkout(&[MAIN], "repo/examples/jobi");
        assert!(checkout.is_main());
        assert_eq!(checkout.branch(), Some("main"));
        assert_eq!(checkout.instance_name("Jobi AI"), "jobi-ai");
        assert!(
            checkout
                .git_exclude()
                .unwrap()
                .ends_with("repo/.git/info/exclude")
        );
    }

    fn worktree(head: &str) -> (tempfile::TempDir, Checkout) {
        checkout(
            &[
                MAIN,
                ("repo/.git/worktrees/w/HEAD", head),
                ("repo/.git/worktrees/w/commondir", "../..\n"),
                ("w/.git", "gitdir: ../repo/.git/worktrees/w\n"),
            ],
            "w",
        )
    }

    #[test]
    fn the_instance_of_a_worktree_has_the_name_of_its_branch() {
        let (_temp, auth) = worktree("ref: refs/heads/feature/auth\n");
        assert!(!auth.is_main());
        assert_eq!(auth.instance_name("jobi"), "feature-auth.jobi");
        let (_temp, fix) = worktree("ref: refs/heads/fix/auth\n");
        assert_eq!(fix.instance_name("jobi"), "fix-auth.jobi");
        assert_eq!(
            fix.unique_instance_name("jobi"),
            format!("fix-auth-{}.jobi", &fix.id[..6])
        );
    }

    #[test]
    fn the_instance_of_a_detached_head_has_the_name_of_its_directory() {
        let (_temp, checkout) = worktree("0123456789abcdef0123456789abcdef01234567\n");
        assert_eq!(checkout.branch(), Some("01234567"));
        assert_eq!(checkout.instance_name("jobi"), "w.jobi");
    }

    /// Creates a linked worktree in `dir` of the repository in `repository`.
    fn link(temp: &Path, repository: &str, dir: &str) -> PathBuf {
        let git = temp.join(repository).join("worktrees/w");
        let dir = temp.join(dir);
        for dir in [&git, &dir] {
            fs::create_dir_all(dir).unwrap();
        }
        fs::write(git.join("HEAD"), "ref: refs/heads/fix\n").unwrap();
        fs::write(git.join("commondir"), "../..\n").unwrap();
        fs::write(dir.join(".git"), format!("gitdir: {}\n", git.display())).unwrap();
        dir
    }

    #[test]
    fn the_project_of_a_worktree_has_the_name_of_the_repository() {
        for (repository, name) in [
            ("shop/.git", "shop"),
            ("shop/.bare", "shop"),
            ("shop.git", "shop"),
            ("shop", "shop"),
        ] {
            let temp = tempfile::tempdir().unwrap();
            let dir = link(temp.path(), repository, "elsewhere/fix");
            assert_eq!(default_project_name(&dir), name, "{repository}");
            let root = dir.join("apps/web");
            fs::create_dir_all(&root).unwrap();
            assert_eq!(default_project_name(&root), "web");
        }
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(
            default_project_name(temp.path()),
            file_name(temp.path()),
            "without git"
        );
    }

    #[test]
    fn the_main_checkout_is_not_above_a_worktree_in_it() {
        let temp = tempfile::tempdir().unwrap();
        let top = canonical(temp.path()).unwrap();
        let nested = link(&top, "shop/.git", "shop/.worktrees/fix");
        let beside = link(&top, "other/.git", "shop/tools");
        let below = nested.join("src");
        fs::create_dir(&below).unwrap();
        assert!(is_nested_worktree(&nested) && !is_nested_worktree(&beside));
        assert!(!is_nested_worktree(&top.join("shop")));
        let above: Vec<&Path> = directories_above(&below).collect();
        assert_eq!(above, [below.as_path(), &nested]);
        // A worktree of another repository is a part of the directory around it.
        assert!(directories_above(&beside).any(|dir| dir == top));
        // The directory of a bare repository.
        let bare = link(&top, "proj/.bare", "proj/main");
        assert!(is_nested_worktree(&bare));
    }

    #[test]
    fn a_submodule_is_not_a_linked_worktree() {
        let (_temp, checkout) = checkout(
            &[
                ("repo/.git/modules/sub/HEAD", "ref: refs/heads/main\n"),
                ("repo/sub/.git", "gitdir: ../.git/modules/sub\n"),
            ],
            "repo/sub",
        );
        assert!(checkout.is_main());
    }

    #[test]
    fn labels_are_valid_in_host_names() {
        assert_eq!(host_label("Feature/ÄUTH__x"), "feature-uth-x");
        assert_eq!(host_label("///"), "project");
        assert_eq!(host_label(&"a".repeat(70)).len(), 40);
    }

    #[test]
    fn only_the_prefix_of_a_drive_is_removed() {
        assert_eq!(without_prefix(r"\\?\C:\jobi"), Some(r"C:\jobi"));
        assert_eq!(without_prefix(r"\\?\UNC\server\share"), None);
        assert_eq!(without_prefix("/home/ada"), None);
    }
}
