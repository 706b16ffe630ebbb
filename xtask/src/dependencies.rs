//! Checks dependencies: licenses, banned crates, sources, and unused declarations.
//!
//! Reads the rules in `deny.toml` and the output of `cargo metadata`. cargo-deny and cargo-machete
//! check the same and more, but building them takes several minutes; CI runs cargo-deny.

mod licenses;
mod packages;
mod rules;
mod unused;

use crate::command::root;

/// Run all checks.
pub(crate) fn check() -> Result<(), String> {
    let path = root().join("deny.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
    let rules = rules::Rules::parse(&text)?;
    let packages = packages::read()?;
    let mut violations = rules.violations(&packages);
    violations.extend(unused::violations(&packages)?);
    if violations.is_empty() {
        println!("{} packages follow the rules of deny.toml", packages.len());
        Ok(())
    } else {
        Err(violations.join("\n"))
    }
}
