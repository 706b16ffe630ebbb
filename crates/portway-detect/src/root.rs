//! Finds the root of the checkout to detect, if there is no `portway.toml`.

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

/// Returns whether one of a service's directory and a command's directory contains the other.
/// Services in the root do not count.
fn overlaps(service: &str, place: &Path) -> bool {
    !service.is_empty() && (Path::new(service).starts_with(place) || place.starts_with(service))
}

#[cfg(test)]
mod tests {
    use super::*;

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
