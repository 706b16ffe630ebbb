//! Names for detected services.

use std::collections::BTreeMap;

use super::DetectedService;
use portway_project::kind::Kind;
use portway_project::plan::identifier;

/// Names every service that has no name and makes all names unique. Start-order references follow.
///
/// A service in a subdirectory takes the directory's name. A service in the root is `frontend` or
/// `backend`, so a project with one of each gets the four standard keys of `.ports.json`.
pub(super) fn assign(services: &mut [DetectedService]) {
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
        let second = match (service.name.is_empty(), parts.last()) {
            (false, Some(dir)) => format!("{}-{first}", word(dir)),
            _ => word(&parts.join("-")),
        };
        let candidates = [
            first.clone(),
            second,
            format!("{first}-{role}"),
            format!("{first}-{}", word(service.framework)),
        ];
        let numbered = (2..).map(|number| format!("{first}-{number}"));
        let is_free = |name: &String| {
            name != "service"
                && before
                    .iter()
                    .all(|other| identifier(&other.name) != identifier(name))
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

/// Maximum length of a derived name, which leaves space for a suffix within the 63 characters of a
/// service name.
const MAX_LENGTH: usize = 40;

/// Converts `text` to a valid service name: letters, digits and inner hyphens or underscores,
/// starting with a letter; `service` if nothing is left.
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
    let word: String = word.chars().take(MAX_LENGTH).collect();
    let word = word.trim_end_matches(['-', '_']);
    if word.is_empty() { "service" } else { word }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, dir: &str, kind: Kind) -> DetectedService {
        DetectedService {
            name: name.into(),
            dir: dir.into(),
            framework: "vite",
            command: "x".into(),
            prepare: None,
            prepare_dir: None,
            port: None,
            is_port_written: false,
            unpublished_ports: Vec::new(),
            called_by: None,
            needs_broker: false,
            names_addresses: false,
            kind,
            env: Default::default(),
            after: vec![],
            optional: false,
            more: vec![],
            evidence: vec![],
        }
    }

    fn named(services: &[(&str, &str, Kind)]) -> Vec<String> {
        let mut found: Vec<DetectedService> =
            services.iter().map(|(n, d, k)| found(n, d, *k)).collect();
        assign(&mut found);
        found.into_iter().map(|service| service.name).collect()
    }

    #[test]
    fn derives_names_from_directories_and_roles() {
        let names = named(&[
            ("", "", Kind::Frontend),
            ("", "", Kind::Http),
            ("", "apps/web", Kind::Frontend),
            ("", "other/web", Kind::Frontend),
            ("", "other/web", Kind::Frontend),
            ("web.1", "", Kind::Http),
            ("web.1", "apps/shop", Kind::Http),
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
                "shop-web-1",
                "n-code",
                "service-backend"
            ]
        );
    }

    #[test]
    fn keeps_start_order_after_renaming() {
        let mut services = [
            found("_db", "", Kind::Http),
            found("web.app", "", Kind::Http),
        ];
        services[1].after.push(("_db".into(), "ready"));
        assign(&mut services);
        assert_eq!(services[1].name, "web-app");
        assert_eq!(services[1].after[0].0, services[0].name);
    }

    #[test]
    fn makes_names_unique_as_variable_names_too() {
        assert_eq!(
            named(&[("a-b", "", Kind::Http), ("a_b", "", Kind::Http)]),
            ["a-b", "a_b-backend"]
        );
    }
}
