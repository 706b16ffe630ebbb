//! The rules for crates: which crate may depend on which, and which metadata a shipped crate has.

use super::metadata::Package;

/// The shipped crates from top to bottom, as in the table in `docs/architecture.md`. A crate
/// depends only on crates below it. Crates that do not exist yet have their position reserved.
const LAYERS: [&str; 12] = [
    "portway",
    "portway-app",
    "portway-gateway",
    "portway-fleet",
    "portway-supervisor",
    "portway-isolation",
    "portway-detect",
    "portway-project",
    "portway-registry",
    "portway-lan",
    "portway-api",
    "portway-ports",
];

/// Crates that are not shipped. They may depend on every layer, and no layer depends on them.
const NOT_SHIPPED: [&str; 5] = [
    "portway-bench",
    "portway-chaos",
    "portway-testing",
    "test-suite-example",
    "xtask",
];

/// The crate among them that the tests of every layer may use.
const TEST_SUPPORT: &str = "portway-testing";

/// Published crates that a layer must not use, with the rule that they break.
const FORBIDDEN: [(&str, &str, &str); 1] = [(
    "portway-app",
    "clap",
    "arguments are parsed in the `portway` binary only",
)];

/// Describe everything that breaks the rules.
pub(super) fn violations(packages: &[Package]) -> Vec<String> {
    let level = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut violations = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(own) = level(name) else {
            if !NOT_SHIPPED.contains(&name) {
                violations.push(format!(
                    "crate `{name}` has no layer: add it to `xtask/src/layout/layers.rs`"
                ));
            }
            continue;
        };
        for field in &package.missing_fields {
            violations.push(format!("crate `{name}` has no `{field}` in its Cargo.toml"));
        }
        for dependency in &package.dependencies {
            let used = dependency.name.as_str();
            if level(used).is_some_and(|used| used <= own) {
                violations.push(format!(
                    "crate `{name}` depends on `{used}`, which is above it in `LAYERS`"
                ));
            }
            let is_test_support = used == TEST_SUPPORT && dependency.is_dev;
            if NOT_SHIPPED.contains(&used) && !is_test_support {
                violations.push(format!(
                    "crate `{name}` depends on `{used}`, which is not shipped"
                ));
            }
            for (layer, forbidden, rule) in FORBIDDEN {
                if (name, used) == (layer, forbidden) {
                    violations.push(format!("crate `{name}` depends on `{used}`: {rule}"));
                }
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::metadata::Dependency;

    fn check(name: &str, used: &str, is_dev: bool) -> Vec<String> {
        violations(&[Package {
            name: name.to_owned(),
            dependencies: vec![Dependency {
                name: used.to_owned(),
                is_dev,
            }],
            targets: Vec::new(),
            missing_fields: Vec::new(),
        }])
    }

    #[test]
    fn accepts_a_dependency_on_a_lower_layer() {
        assert!(check("portway-gateway", "portway-api", false).is_empty());
        assert!(check("portway-app", "portway-detect", false).is_empty());
    }

    #[test]
    fn rejects_a_dependency_on_a_higher_layer_even_in_tests() {
        assert_eq!(check("portway-api", "portway-gateway", false).len(), 1);
        assert_eq!(check("portway-ports", "portway-api", true).len(), 1);
    }

    #[test]
    fn rejects_a_crate_without_a_layer() {
        assert_eq!(check("portway-new", "serde", false).len(), 1);
    }

    #[test]
    fn allows_test_support_in_tests_only() {
        assert!(check("portway-ports", "portway-testing", true).is_empty());
        assert_eq!(check("portway-ports", "portway-testing", false).len(), 1);
        assert_eq!(check("portway-ports", "xtask", true).len(), 1);
    }

    #[test]
    fn lets_crates_that_are_not_shipped_use_every_layer() {
        assert!(check("portway-chaos", "portway", false).is_empty());
    }

    #[test]
    fn rejects_argument_parsing_in_the_application() {
        assert_eq!(check("portway-app", "clap", false).len(), 1);
        assert!(check("portway", "clap", false).is_empty());
    }

    #[test]
    fn requires_metadata_of_shipped_crates() {
        let package = |name: &str| Package {
            name: name.to_owned(),
            dependencies: Vec::new(),
            targets: Vec::new(),
            missing_fields: vec!["keywords"],
        };
        assert_eq!(
            violations(&[package("portway-api"), package("xtask")]),
            ["crate `portway-api` has no `keywords` in its Cargo.toml"]
        );
    }
}
