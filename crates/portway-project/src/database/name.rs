//! The name of a worktree's database.

use sha2::{Digest, Sha256};

use super::Engine;

/// Digits of the digest in a name that was cut.
const DIGEST_BYTES: usize = 4;

/// Returns the name of an instance's database: the instance and the template in lower-case letters, digits
/// and `_`, such as `fix_login_shop_dev` for the instance `fix-login.shop` and the template `dev`. A template
/// whose name starts with the project's does not repeat it: `shop_dev` becomes `fix_login_shop_dev` too.
///
/// The name fits the engine's limit in bytes. A name that was cut ends in a digest of the whole.
pub fn database_name(engine: Engine, instance: &str, template: &str) -> String {
    let project = identifier(instance.rsplit('.').next().unwrap_or_default());
    let (instance, template) = (identifier(instance), identifier(template));
    let rest = match template.strip_prefix(&project) {
        Some("") => "",
        Some(rest) if rest.starts_with('_') => &rest[1..],
        _ => &template,
    };
    let mut name = instance;
    if !rest.is_empty() {
        name = format!("{name}_{rest}");
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert(0, '_');
    }
    let limit = engine.max_name();
    if name.len() <= limit {
        return name;
    }
    let digest: String = Sha256::digest(name.as_bytes())[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = name[..limit - digest.len() - 1].trim_end_matches('_');
    format!("{kept}_{digest}")
}

/// Converts text to lower-case letters, digits and single `_`.
fn identifier(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            name.push(character);
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_contain_the_instance_and_the_template() {
        for (instance, template, expected) in [
            ("fix-login.shop", "shop_dev", "fix_login_shop_dev"),
            ("fix-login.shop", "shop", "fix_login_shop"),
            ("fix-login.shop", "dev", "fix_login_shop_dev"),
            ("fix-login.shop", "shopping", "fix_login_shop_shopping"),
            ("fix.my-shop", "my_shop_dev", "fix_my_shop_dev"),
            ("7-days.shop", "Shop-Dev", "_7_days_shop_dev"),
            ("é.shop", "données", "shop_donn_es"),
        ] {
            let name = database_name(Engine::Postgres, instance, template);
            assert_eq!(name, expected, "{instance} {template}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let long = |last: char| format!("{}{last}.shop", "a-very-long-branch-".repeat(4));
        for (engine, limit) in [(Engine::Postgres, 63), (Engine::Mysql, 64)] {
            let a = database_name(engine, &long('a'), "shop_dev");
            let b = database_name(engine, &long('b'), "shop_dev");
            assert_eq!((a.len(), b.len()), (limit, limit), "{a} {b}");
            assert_ne!(a, b);
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(a.chars().all(valid), "{a}");
        }
    }
}
