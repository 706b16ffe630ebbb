//! The rules of `deny.toml` for licenses, banned crates, and sources.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::licenses;
use super::packages::Package;

/// The rules.
#[derive(Debug, Default)]
pub(super) struct Rules {
    allowed_licenses: BTreeSet<String>,
    /// Banned crates, each with the reason.
    banned: BTreeMap<String, String>,
}

impl Rules {
    /// Parse the text of `deny.toml`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text
            .parse()
            .map_err(|error| format!("cannot parse `deny.toml`: {error}"))?;
        let missing = |key: &str| format!("`deny.toml` has no list `{key}`");
        let allow = array(&table, "licenses", "allow").ok_or_else(|| missing("licenses.allow"))?;
        let deny = array(&table, "bans", "deny").ok_or_else(|| missing("bans.deny"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let banned = deny.iter().map(|ban| {
            let reason = ban.get("reason").and_then(text).unwrap_or_default();
            Some((ban.get("crate").and_then(text)?, reason))
        });
        Ok(Self {
            allowed_licenses: allow.iter().filter_map(text).collect(),
            banned: banned
                .collect::<Option<_>>()
                .ok_or("an entry of `bans.deny` in `deny.toml` has no `crate`")?,
        })
    }

    /// Describe every package that breaks a rule.
    pub(super) fn violations(&self, packages: &[Package]) -> Vec<String> {
        let mut violations = Vec::new();
        let mut registries = BTreeSet::new();
        for package in packages.iter().filter(|package| !package.is_own()) {
            let title = format!("`{} {}`", package.name, package.version);
            let license = package.license.as_deref().unwrap_or_default();
            if !licenses::is_satisfied(license, &self.allowed_licenses) {
                violations.push(format!("{title} has the license `{license}`"));
            }
            if let Some(reason) = self.banned.get(&package.name) {
                violations.push(format!("{title} is banned: {reason}"));
            }
            let source = package.source.as_deref().unwrap_or_default();
            if source.starts_with("registry+") {
                registries.insert(source);
            } else {
                violations.push(format!("{title} comes from `{source}`"));
            }
        }
        if registries.len() > 1 {
            violations.push(format!(
                "packages come from more than one registry: {registries:?}"
            ));
        }
        violations
    }
}

fn array<'a>(table: &'a Table, section: &str, key: &str) -> Option<&'a Vec<Value>> {
    table.get(section)?.get(key)?.as_array()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[licenses]\nallow = [\"MIT\"]\n\
                        [bans]\ndeny = [{ crate = \"bad\", reason = \"it is bad\" }]\n";

    fn check(name: &str, license: Option<&str>, source: &str) -> Vec<String> {
        Rules::parse(TEXT).unwrap().violations(&[Package {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: Some(source.to_owned()),
            ..Package::default()
        }])
    }

    #[test]
    fn accepts_an_allowed_package() {
        assert!(check("good", Some("MIT"), "registry+x").is_empty());
    }

    #[test]
    fn rejects_other_licenses_banned_crates_and_git_sources() {
        assert_eq!(check("good", Some("GPL-3.0"), "registry+x").len(), 1);
        assert_eq!(check("good", None, "registry+x").len(), 1);
        assert_eq!(
            check("bad", Some("MIT"), "registry+x"),
            ["`bad 1.0.0` is banned: it is bad"]
        );
        assert_eq!(check("good", Some("MIT"), "git+x").len(), 1);
    }

    #[test]
    fn rejects_a_second_registry() {
        let package = |source: &str| Package {
            license: Some("MIT".to_owned()),
            source: Some(source.to_owned()),
            ..Package::default()
        };
        let rules = Rules::parse(TEXT).unwrap();
        assert_eq!(
            rules
                .violations(&[package("registry+x"), package("registry+y")])
                .len(),
            1
        );
    }

    #[test]
    fn reports_missing_lists() {
        assert!(Rules::parse("[licenses]\nallow = []").is_err());
        assert!(Rules::parse("[bans]\ndeny = []").is_err());
    }
}
