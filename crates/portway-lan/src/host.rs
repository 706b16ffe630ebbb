//! The name of this machine on its local network, for one instance.

use crate::platform;

/// A DNS label has at most so many bytes; some are left for a `-2` behind it.
const LABEL: usize = 60;

/// The host under which an instance is announced, without `.local`: `jobi-laptop`.
///
/// Not the machine's own name: that belongs to the system's own responder, and macOS renames itself
/// when somebody else answers to it. And one of its own for each instance, so that no two processes
/// of a machine answer to the same name.
pub fn host(instance: &str) -> String {
    of(instance, &platform::machine())
}

fn of(instance: &str, machine: &str) -> String {
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
    label.truncate(LABEL);
    let label = label.trim_end_matches('-');
    if label.is_empty() { "portway" } else { label }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_one_label_that_every_resolver_takes() {
        assert_eq!(of("jobi", "laptop"), "jobi-laptop");
        assert_eq!(of("fix-login.jobi", "Ada.home"), "fix-login-jobi-ada");
        assert_eq!(of("größe", "x"), "gr-e-x");
        assert_eq!(of("日本", ""), "portway");
        assert_eq!(of(&"a".repeat(90), "x").len(), LABEL);
    }
}
