//! Finds the root of the checkout to detect, if there is no `portway.toml`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DetectContext, Detection, detect, is_skipped};
use portway_project::Checkout;

/// Runs detection for a command that acts in `from`, a canonical directory, and returns it with the
/// root. The root is the top of the checkout, so a command gives the same result in every
/// subdirectory.
///
/// A directory that detection of the checkout skips (below `target`, `examples`…), or for which it
/// finds nothing, is detected separately. If nothing is found, the detection is empty.
pub fn find(from: &Path, context: &DetectContext<'_>) -> (PathBuf, Detection) {
    let top = Checkout::read(from)
        .ok()
        .and_then(|checkout| checkout.git)
        .map_or_else(|| from.to_owned(), |git| git.top);
    let below = from.strip_prefix(&top).unwrap_or(Path::new(""));
    let part_of_it = !below
        .iter()
        .any(|part| part.to_str().is_none_or(is_skipped));
    if part_of_it {
        let whole = detect(&top, context);
        if below.as_os_str().is_empty()
            || whole.services.iter().any(|one| overlaps(&one.dir, below))
        {
            return (top, whole);
        }
    }
    let own = detect(from, context);
    (from.to_owned(), own)
}

/// Levels below a directory that are searched for checkouts.
const CHECKOUT_DEPTH: usize = 2;

/// Maximum number of directories that are searched for checkouts.
const MAX_SEARCHED: usize = 1000;

/// Returns the checkouts below a directory, as sorted paths relative to it, separated by `/`.
pub fn checkouts_below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut level = vec![String::new()];
    let mut searched = 0;
    for _ in 0..CHECKOUT_DEPTH {
        let mut below = Vec::new();
        for path in level {
            let entries = fs::read_dir(dir.join(&path))
                .into_iter()
                .flatten()
                .flatten();
            let dirs = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            for entry in dirs.take(MAX_SEARCHED.saturating_sub(searched)) {
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                searched += 1;
                let path = match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}/{name}"),
                };
                if is_skipped(&name) {
                    continue;
                }
                match entry.path().join(".git").exists() {
                    true => found.push(path),
                    false => below.push(path),
                }
            }
        }
        level = below;
    }
    found.sort();
    found
}

/// Returns the checkouts below a directory that is in no checkout itself. They are not parts of one
/// project. A checkout may contain others, such as submodules.
pub(super) fn nested_checkouts(root: &Path) -> Vec<String> {
    match root.ancestors().any(|dir| dir.join(".git").exists()) {
        true => Vec::new(),
        false => checkouts_below(root),
    }
}

/// Returns whether one of a service's directory and a command's directory contains the other.
/// Services in the root do not count.
fn overlaps(service: &str, place: &Path) -> bool {
    !service.is_empty() && (Path::new(service).starts_with(place) || place.starts_with(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VITE: (&str, &str) = (
        "package.json",
        r#"{ "scripts": { "dev": "vite" }, "devDependencies": { "vite": "7" } }"#,
    );

    /// A directory with these checkouts, each with a web server.
    fn parent_of(checkouts: &[&str]) -> tempfile::TempDir {
        let temp = tempfile::tempdir().unwrap();
        for checkout in checkouts {
            let dir = temp.path().join(checkout);
            fs::create_dir_all(dir.join(".git")).unwrap();
            fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
            fs::write(dir.join(VITE.0), VITE.1).unwrap();
        }
        temp
    }

    fn dirs(from: &Path) -> Vec<String> {
        let context = DetectContext {
            has_program: &|_| true,
            is_windows: false,
            preferred: &|_| None,
            node_major: &|| None,
            engine: &|| None,
        };
        let (_, found) = find(from, &context);
        found.services.into_iter().map(|one| one.dir).collect()
    }

    #[test]
    fn a_parent_folder_of_checkouts_is_not_a_project() {
        let parent = parent_of(&["jobi", "work/shop"]);
        let other = parent.path().join("notes");
        fs::create_dir(&other).unwrap();
        fs::write(other.join(VITE.0), VITE.1).unwrap();
        assert_eq!(checkouts_below(parent.path()), ["jobi", "work/shop"]);
        assert!(dirs(parent.path()).is_empty());
        assert!(dirs(&parent.path().join("work")).is_empty());
        assert_eq!(dirs(&parent.path().join("jobi")), [""]);
    }

    #[test]
    fn a_directory_with_services_of_its_own_is_a_project_beside_checkouts() {
        let parent = parent_of(&["vendor-lib", "other"]);
        fs::write(parent.path().join(VITE.0), VITE.1).unwrap();
        assert_eq!(dirs(parent.path()), [""]);
        // One checkout is not part of the project around it either.
        let parent = parent_of(&["library"]);
        let web = parent.path().join("web");
        fs::create_dir(&web).unwrap();
        fs::write(web.join(VITE.0), VITE.1).unwrap();
        assert_eq!(dirs(parent.path()), ["web"]);
    }

    #[test]
    fn checkouts_in_a_checkout_are_parts_of_it() {
        let parent = parent_of(&["backend", "frontend"]);
        fs::create_dir(parent.path().join(".git")).unwrap();
        fs::write(parent.path().join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        assert_eq!(dirs(parent.path()), ["backend", "frontend"]);
    }

    #[test]
    fn compares_the_directories_of_service_and_command() {
        for (service, place, answer) in [
            ("frontend", "frontend/src/deep", true),
            ("apps/web", "apps", true),
            ("frontend", "backend", false),
            ("front", "frontend", false),
            ("", "examples/jobi", false),
        ] {
            assert_eq!(
                overlaps(service, Path::new(place)),
                answer,
                "{service} {place}"
            );
        }
    }
}
