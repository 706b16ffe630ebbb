//! Where the checkout begins whose services are wanted, when no `portway.toml` says it.

use std::path::{Path, PathBuf};

use super::{Detection, Surroundings, detect, is_passed_over};
use portway_project::Checkout;

/// What is found for a command that acts in `from`, a real directory, and the root that it was
/// found in: the whole checkout's, so that it does not matter where in it the command is called.
///
/// A directory that detection of the checkout would pass over (below `target`, `examples`…), or in
/// whose part of it nothing was found, is looked at by itself. When nothing is found the detection
/// is empty.
pub fn find(from: &Path, surroundings: &Surroundings<'_>) -> (PathBuf, Detection) {
    let top = Checkout::look(from)
        .ok()
        .and_then(|checkout| checkout.git)
        .map_or_else(|| from.to_owned(), |git| git.top);
    let below = from.strip_prefix(&top).unwrap_or(Path::new(""));
    let part_of_it = !below
        .iter()
        .any(|part| part.to_str().is_none_or(is_passed_over));
    if part_of_it {
        let whole = detect(&top, surroundings);
        if below.as_os_str().is_empty() || whole.services.iter().any(|one| meets(&one.dir, below)) {
            return (top, whole);
        }
    }
    let own = detect(from, surroundings);
    (from.to_owned(), own)
}

/// Whether a service's directory and the place of a command lie on one line: the one in the other.
/// What the root itself has says nothing about a place deep below it.
fn meets(service: &str, place: &Path) -> bool {
    !service.is_empty() && (Path::new(service).starts_with(place) || place.starts_with(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_a_place_meet_when_one_lies_in_the_other() {
        for (service, place, answer) in [
            ("frontend", "frontend/src/deep", true),
            ("apps/web", "apps", true),
            ("frontend", "backend", false),
            ("front", "frontend", false),
            ("", "examples/jobi", false),
        ] {
            assert_eq!(
                meets(service, Path::new(place)),
                answer,
                "{service} {place}"
            );
        }
    }
}
