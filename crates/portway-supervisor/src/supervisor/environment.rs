//! The environment of the processes of a service.

use indexmap::IndexMap;
use portway_project::Launch;

use crate::mark;

/// Returns the environment of a service's process. `color`: the output is displayed in a terminal
/// with colors. Many programs print colors into a pipe only if a variable requests it.
pub(super) fn environment(launch: &Launch, mark: &str, color: bool) -> IndexMap<String, String> {
    let mut env = IndexMap::new();
    let mut set_default = |name: &str, value: &str| {
        if std::env::var_os(name).is_none() {
            env.insert(name.to_owned(), value.to_owned());
        }
    };
    // Python buffers output into a pipe.
    set_default("PYTHONUNBUFFERED", "1");
    if color {
        set_default("FORCE_COLOR", "1");
        set_default("CLICOLOR_FORCE", "1");
    }
    env.extend(launch.env.clone());
    env.insert(mark::NAME.to_owned(), mark.to_owned());
    env
}

/// Adds what programs in a terminal need to know. The supervisor may have none itself.
pub(super) fn describe_terminal(env: &mut IndexMap<String, String>) {
    let is_usable = |term: &String| !term.is_empty() && term != "dumb";
    if !std::env::var("TERM").as_ref().is_ok_and(is_usable) && !env.contains_key("TERM") {
        env.insert("TERM".to_owned(), "xterm-256color".to_owned());
    }
}

/// Removes `NODE_ENV=production` from the environment of a prepare step, unless the manifest sets it for the
/// service. With it, package managers leave out the packages that only development needs, such as the program
/// that runs the service. The application's own files set it for the service, and package managers do not read
/// those.
pub(super) fn install_for_development(
    env: &mut IndexMap<String, String>,
    declared: &IndexMap<String, String>,
) {
    const NAME: &str = "NODE_ENV";
    if !declared.contains_key(NAME) && env.get(NAME).is_some_and(|value| value == "production") {
        env.shift_remove(NAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepare_step_installs_what_development_needs() {
        let none = IndexMap::new();
        let of = |value: &str, declared: &IndexMap<String, String>| {
            let mut env = IndexMap::from([("NODE_ENV".to_owned(), value.to_owned())]);
            install_for_development(&mut env, declared);
            env.get("NODE_ENV").cloned()
        };
        assert_eq!(of("production", &none), None);
        assert_eq!(of("test", &none).as_deref(), Some("test"));
        let declared = IndexMap::from([("NODE_ENV".to_owned(), "production".to_owned())]);
        assert_eq!(of("production", &declared).as_deref(), Some("production"));
    }
}
