//! Which checkout a project's root is: its identity, its branch, its name.
//!
//! Git is not asked; the few files that tell are read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// One checkout of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The project's root, with all links resolved. This is the checkout's identity.
    pub root: PathBuf,
    /// A short digest of the root: the instance's id on this machine.
    pub id: String,
    /// The git repository around it, if there is one.
    pub git: Option<Git>,
}

/// What git's files tell about a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Git {
    /// The directory that all worktrees of the repository share.
    pub common_dir: PathBuf,
    /// The top directory of this worktree.
    pub top: PathBuf,
    /// The branch, or `None` for a detached head.
    pub branch: Option<String>,
    /// The commit, shortened, of a detached head.
    pub commit: Option<String>,
    /// Whether this is a linked worktree (`git worktree add`) and not the main checkout.
    pub linked: bool,
}

/// The absolute path of a directory, with all links resolved. On Windows without the `\\?\` that
/// the system puts before it: `cmd` and many other programs cannot work in such a directory.
///
/// # Errors
/// When the directory does not exist or may not be entered.
pub fn canonical(dir: &Path) -> io::Result<PathBuf> {
    let path = dir.canonicalize()?;
    let plain = path.to_str().and_then(without_prefix).map(PathBuf::from);
    Ok(plain.filter(|_| cfg!(windows)).unwrap_or(path))
}

/// What follows `\\?\` where that is a drive; a share is only reached with it.
fn without_prefix(path: &str) -> Option<&str> {
    path.strip_prefix(r"\\?\")
        .filter(|path| path.as_bytes().get(1) == Some(&b':'))
}

impl Checkout {
    /// Looks at the project root `root`.
    ///
    /// # Errors
    /// When the directory does not exist or may not be entered. Git files that cannot be read
    /// count as no git.
    pub fn look(root: &Path) -> io::Result<Self> {
        let root = canonical(root)?;
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let id = digest[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let git = root.ancestors().find_map(Git::of);
        Ok(Self { root, id, git })
    }

    /// Whether it is the main checkout: the one that keeps the preferred ports. A directory without
    /// git is one too.
    pub fn is_main(&self) -> bool {
        !self.git.as_ref().is_some_and(|git| git.linked)
    }

    /// The branch, or the short commit of a detached head.
    pub fn branch(&self) -> Option<&str> {
        let git = self.git.as_ref()?;
        git.branch.as_deref().or(git.commit.as_deref())
    }

    /// The instance's name if nobody else has it: the project's for a main checkout, with the
    /// branch (or the worktree's directory, for a detached head) before it for a worktree. Each
    /// part fits into a host name.
    pub fn name(&self, project: &str) -> String {
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

    /// The name to take when somebody else has [`Checkout::name`]: the same with a few digits of
    /// the id.
    pub fn distinct_name(&self, project: &str) -> String {
        let name = self.name(project);
        let (first, rest) = name.split_once('.').unwrap_or((&name, ""));
        let dot = if rest.is_empty() { "" } else { "." };
        format!("{first}-{}{dot}{rest}", &self.id[..6])
    }

    /// The file in which git is told, for this clone only, what to ignore.
    pub fn git_exclude(&self) -> Option<PathBuf> {
        Some(self.git.as_ref()?.common_dir.join("info/exclude"))
    }
}

impl Git {
    /// The repository whose worktree's top is `dir`, if it is one.
    fn of(dir: &Path) -> Option<Self> {
        let dot_git = dir.join(".git");
        let metadata = fs::metadata(&dot_git).ok()?;
        let git_dir = if metadata.is_dir() {
            dot_git
        } else {
            // `gitdir: PATH`, in a linked worktree or a submodule.
            let pointer = fs::read_to_string(&dot_git).ok()?;
            dir.join(pointer.strip_prefix("gitdir:")?.trim())
        };
        let head = fs::read_to_string(git_dir.join("HEAD")).ok()?;
        // Only a linked worktree has a `commondir`; a submodule has a git directory of its own.
        let common = fs::read_to_string(git_dir.join("commondir")).ok();
        let branch = head
            .strip_prefix("ref:")
            .map(|name| name.trim().trim_start_matches("refs/heads/").to_owned());
        let commit = branch
            .is_none()
            .then(|| head.trim().chars().take(8).collect());
        Some(Self {
            common_dir: match &common {
                Some(common) => git_dir.join(common.trim()),
                None => git_dir,
            },
            top: dir.to_owned(),
            branch,
            commit,
            linked: common.is_some(),
        })
    }
}

/// The last part of a path, in words.
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// `text` as one label of a host name: lower-case letters, digits and inner hyphens, at most 40.
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
    use super::*;

    /// A checkout whose git files are written by hand.
    fn checkout(files: &[(&str, &str)], root: &str) -> (tempfile::TempDir, Checkout) {
        let temp = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = temp.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = temp.path().join(root);
        fs::create_dir_all(&root).unwrap();
        let checkout = Checkout::look(&root).unwrap();
        (temp, checkout)
    }

    const MAIN: (&str, &str) = ("repo/.git/HEAD", "ref: refs/heads/main\n");

    #[test]
    fn a_main_checkout_has_the_projects_name() {
        let (_temp, checkout) = checkout(&[MAIN], "repo/examples/jobi");
        assert!(checkout.is_main());
        assert_eq!(checkout.branch(), Some("main"));
        assert_eq!(checkout.name("Jobi AI"), "jobi-ai");
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
    fn a_worktree_carries_its_branch() {
        let (_temp, auth) = worktree("ref: refs/heads/feature/auth\n");
        assert!(!auth.is_main());
        assert_eq!(auth.name("jobi"), "feature-auth.jobi");
        let (_temp, fix) = worktree("ref: refs/heads/fix/auth\n");
        assert_eq!(fix.name("jobi"), "fix-auth.jobi");
        assert_eq!(
            fix.distinct_name("jobi"),
            format!("fix-auth-{}.jobi", &fix.id[..6])
        );
    }

    #[test]
    fn a_detached_head_is_named_by_its_directory() {
        let (_temp, checkout) = worktree("0123456789abcdef0123456789abcdef01234567\n");
        assert_eq!(checkout.branch(), Some("01234567"));
        assert_eq!(checkout.name("jobi"), "w.jobi");
    }

    #[test]
    fn a_submodule_is_no_worktree() {
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
    fn labels_fit_into_host_names() {
        assert_eq!(host_label("Feature/ÄUTH__x"), "feature-uth-x");
        assert_eq!(host_label("///"), "project");
        assert_eq!(host_label(&"a".repeat(70)).len(), 40);
    }

    #[test]
    fn a_drive_needs_no_prefix() {
        assert_eq!(without_prefix(r"\\?\C:\jobi"), Some(r"C:\jobi"));
        assert_eq!(without_prefix(r"\\?\UNC\server\share"), None);
        assert_eq!(without_prefix("/home/ada"), None);
    }
}
