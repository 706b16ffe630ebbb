//! Names for what was found.

use std::collections::BTreeMap;

use super::Found;
use portway_project::kind::Kind;
use portway_project::plan::key;

/// Gives a name to every service that has none, and makes all of them unique. Whoever came after a
/// service by its old name comes after it by the new one.
///
/// A service in a directory has the directory's name; one in the root is `frontend` or `backend`,
/// so that a project of one of each has the four keys that everyone knows in `.ports.json`.
pub(super) fn give(services: &mut [Found]) {
    let mut renamed: BTreeMap<String, String> = BTreeMap::new();
    for index in 0..services.len() {
        let (before, rest) = services.split_at_mut(index);
        let service = &mut rest[0];
        let parts: Vec<&str> = service.dir.split('/').filter(|p| !p.is_empty()).collect();
        let role = match service.kind {
            Kind::Frontend => "frontend",
            _ => "backend",
        };
        let first = match (service.name.as_str(), parts.last()) {
            ("", Some(dir)) => word(dir),
            ("", None) => role.to_owned(),
            (name, _) => word(name),
        };
        let candidates = [
            first.clone(),
            word(&parts.join("-")),
            format!("{first}-{role}"),
            format!("{first}-{}", word(service.framework)),
        ];
        let numbered = (2..).map(|number| format!("{first}-{number}"));
        let is_free = |name: &String| {
            name != "service" && before.iter().all(|other| key(&other.name) != key(name))
        };
        if let Some(name) = candidates.into_iter().chain(numbered).find(is_free) {
            let old = std::mem::replace(&mut service.name, name.clone());
            renamed.entry(old).or_insert(name);
        }
    }
    for (other, _) in services.iter_mut().flat_map(|service| &mut service.after) {
        if let Some(name) = renamed.get(other) {
            other.clone_from(name);
        }
    }
}

/// The longest part of a name that is made of what lies in a checkout: room is left for a suffix
/// within the 63 characters that a name may have.
const LENGTH: usize = 40;

/// `text` as a word that may name a service: letters, digits and inner hyphens or underscores,
/// beginning with a letter; `service` where nothing is left.
fn word(text: &str) -> String {
    let mut word = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || (character == '_' && !word.is_empty()) {
            word.push(character);
        } else if !word.is_empty() && !word.ends_with('-') {
            word.push('-');
        }
    }
    let word = word.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
    let word: String = word.chars().take(LENGTH).collect();
    let word = word.trim_end_matches(['-', '_']);
    if word.is_empty() { "service" } else { word }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, dir: &str, kind: Kind) -> Found {
        Found {
            name: name.into(),
            dir: dir.into(),
            framework: "vite",
            command: "x".into(),
            prepare: None,
            prepare_dir: None,
            port: None,
            kind,
            env: Default::default(),
            after: vec![],
            optional: false,
            more: vec![],
            evidence: vec![],
        }
    }

    fn named(services: &[(&str, &str, Kind)]) -> Vec<String> {
        let mut found: Vec<Found> = services.iter().map(|(n, d, k)| found(n, d, *k)).collect();
        give(&mut found);
        found.into_iter().map(|service| service.name).collect()
    }

    #[test]
    fn directories_and_roles_give_names() {
        let names = named(&[
            ("", "", Kind::Frontend),
            ("", "", Kind::Http),
            ("", "apps/web", Kind::Frontend),
            ("", "other/web", Kind::Frontend),
            ("", "other/web", Kind::Frontend),
            ("web.1", "", Kind::Http),
            ("", "9 Ünïcode", Kind::Http),
            ("", "日本", Kind::Http),
        ]);
        assert_eq!(
            names,
            [
                "frontend",
                "backend",
                "web",
                "other-web",
                "web-frontend",
                "web-1",
                "n-code",
                "service-backend"
            ]
        );
    }

    #[test]
    fn whoever_came_after_a_service_still_does() {
        let mut services = [
            found("_db", "", Kind::Http),
            found("web.app", "", Kind::Http),
        ];
        services[1].after.push(("_db".into(), "ready"));
        give(&mut services);
        assert_eq!(services[1].name, "web-app");
        assert_eq!(services[1].after[0].0, services[0].name);
    }

    #[test]
    fn names_differ_for_programs_too() {
        assert_eq!(
            named(&[("a-b", "", Kind::Http), ("a_b", "", Kind::Http)]),
            ["a-b", "a_b-backend"]
        );
    }
}
