//! Services that need the desktop of the machine: programs with a window, which talk to the display server and to
//! other programs through abstract Unix sockets. Such sockets belong to a network, so these services stay in that
//! of the machine when a checkout has one of its own.

use std::collections::BTreeSet;

use super::package::Package;
use crate::{DetectedService, Dir};

/// Programs that open windows, by the word in a command, with their names for users.
const PROGRAMS: [(&str, &str); 10] = [
    ("electron", "Electron"),
    ("electron-vite", "Electron"),
    ("electron-forge", "Electron"),
    ("electron-builder", "Electron"),
    ("electronmon", "Electron"),
    ("electron-nodemon", "Electron"),
    ("tauri", "Tauri"),
    ("nw", "NW.js"),
    ("neu", "Neutralinojs"),
    ("xvfb-run", "an X server"),
];

/// Packages with which a development server opens windows, although no command names the program.
const PLUGINS: [(&str, &str); 3] = [
    ("vite-plugin-electron", "Electron"),
    ("nuxt-electron", "Electron"),
    ("electron-next", "Electron"),
];

/// Sub-commands of `electron-builder` and others that only build.
const BUILDS: [&str; 4] = ["build", "package", "make", "install-app-deps"];

/// Maximum number of scripts that are followed from one command.
const MAX_SCRIPTS: usize = 10;

/// Keeps services that need the desktop in the network of the machine.
pub(crate) fn keep_on_host(root: &Dir<'_>, services: &mut [DetectedService]) {
    for service in services {
        let package = root
            .below(&service.dir)
            .and_then(|dir| dir.has("package.json").then(|| Package::read(&dir))?);
        let Some(program) = opens_windows(&service.command, package.as_ref()) else {
            continue;
        };
        service.more.push("isolation = \"none\"".into());
        service.evidence.push(format!(
            "it starts {program}, which needs the desktop, so it stays in the network of the machine even if the \
             checkout has one of its own"
        ));
    }
}

/// Returns the program with a window that a command starts, itself or through scripts of its package.
fn opens_windows(command: &str, package: Option<&Package>) -> Option<&'static str> {
    let mut followed: BTreeSet<&str> = BTreeSet::new();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        if let Some(program) = program(command) {
            return Some(program);
        }
        let Some(package) = package else {
            continue;
        };
        let is_vite = words(command).any(|word| ["vite", "nuxt", "next"].contains(&word));
        let plugin = PLUGINS.iter().find(|(name, _)| package.has(name));
        if let Some((_, program)) = plugin.filter(|_| is_vite) {
            return Some(program);
        }
        for word in words(command) {
            // `concurrently npm:dev:*` and others.
            let name = word.rsplit_once("npm:").map_or(word, |(_, name)| name);
            if let Some((name, script)) = package.scripts.get_key_value(name)
                && followed.len() < MAX_SCRIPTS
                && followed.insert(name)
            {
                commands.push(script);
            }
        }
    }
    None
}

/// Returns the program with a window that a command names.
fn program(command: &str) -> Option<&'static str> {
    let mut words = words(command).peekable();
    while let Some(word) = words.next() {
        let word = word.rsplit('/').next().unwrap_or(word);
        let known = PROGRAMS.iter().find(|(name, _)| *name == word);
        let only_builds = words.peek().is_some_and(|next| BUILDS.contains(next));
        if let Some((_, program)) = known.filter(|_| !only_builds) {
            return Some(program);
        }
    }
    None
}

/// Returns the words of a command without quotes and separators.
fn words(command: &str) -> impl Iterator<Item = &str> {
    let is_separator = |char: char| char.is_whitespace() || "\"';&|()".contains(char);
    command.split(is_separator).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;

    #[test]
    fn finds_programs_with_windows() {
        for (command, expected) in [
            ("electron .", Some("Electron")),
            ("npx electron-vite dev", Some("Electron")),
            ("vite & wait-on tcp:5173 && electron .", Some("Electron")),
            ("concurrently \"vite\" \"electron .\"", Some("Electron")),
            ("./node_modules/.bin/tauri dev", Some("Tauri")),
            ("xvfb-run node server.js", Some("an X server")),
            ("electron-builder install-app-deps", None),
            ("tauri build", None),
            ("node electron.js", None),
            ("vite --port 5173", None),
        ] {
            assert_eq!(opens_windows(command, None), expected, "{command}");
        }
    }

    #[test]
    fn follows_the_scripts_of_the_package() {
        let checkout = checkout(
            &[
                (
                    "app/package.json",
                    r#"{"scripts": {"dev": "npm run start", "start": "electron-vite dev"},
                        "devDependencies": {"electron": "1", "electron-vite": "1", "vite": "1"}}"#,
                ),
                (
                    "api/package.json",
                    r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "1"}}"#,
                ),
                (
                    "shell/package.json",
                    r#"{"scripts": {"dev": "vite"},
                        "devDependencies": {"vite": "1", "vite-plugin-electron": "1"}}"#,
                ),
            ],
            &["npm"],
        );
        for service in &checkout.services {
            let stays = service
                .more
                .iter()
                .any(|line| line.starts_with("isolation"));
            assert_eq!(stays, service.dir != "api", "{service:#?}");
            if stays {
                service.has_evidence("it starts Electron, which needs the desktop");
            }
        }
        assert!(checkout.services.len() >= 2, "{checkout:#?}");
    }

    #[test]
    fn scripts_that_call_each_other_are_followed_once() {
        let detection = checkout(
            &[(
                "package.json",
                r#"{"scripts": {"dev": "vite && npm run a", "a": "npm run b", "b": "npm run a"},
                    "devDependencies": {"vite": "1"}}"#,
            )],
            &["npm"],
        );
        assert!(detection.services.iter().all(|one| one.more.is_empty()));
    }
}
