//! The host name under which an instance is announced.

use crate::platform;

/// The longest host name in bytes. A DNS label has at most 63; the rest is for a suffix such as
/// `-2`.
const MAX_LENGTH: usize = 60;

/// Returns the host name of an instance without `.local`, such as `jobi-laptop`.
///
/// It differs from the machine's own name, which belongs to the system's responder; macOS renames
/// itself if another process uses its name. Each instance has its own name, so that no two
/// processes of a machine use the same one.
pub fn host_name(instance: &str) -> String {
    label(instance, &platform::machine_name())
}

fn label(instance: &str, machine: &str) -> String {
    let machine = machine.split('.').next().unwrap_or_default();
    let mut label = String::new();
    for character in format!("{instance}-{machine}").chars() {
        match character {
            'a'..='z' | '0'..='9' => label.push(character),
            'A'..='Z' => label.push(character.to_ascii_lowercase()),
            _ if label.is_empty() || label.ends_with('-') => {}
            _ => label.push('-'),
        }
    }
    label.truncate(MAX_LENGTH);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "portway" } else { label }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_is_one_valid_dns_label() {
        assert_eq!(label("jobi", "laptop"), "jobi-laptop");
        assert_eq!(label("fix-login.jobi", "Ada.home"), "fix-login-jobi-ada");
        assert_eq!(label("größe", "x"), "gr-e-x");
        assert_eq!(label("日本", ""), "portway");
        assert_eq!(label(&"a".repeat(90), "x").len(), MAX_LENGTH);
    }
}
