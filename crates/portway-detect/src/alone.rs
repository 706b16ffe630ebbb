//! One command that is not part of a project: how it gets its port.

use std::path::Path;

use portway_project::kind::Kind;

use super::shell::literal;
use super::{DetectContext, DetectedPort, DetectedService, Dir, node, procfile, records};

/// Keys of a service that belongs to no project: it ends when its command ends, and it may take its time.
const KEYS: [&str; 2] = ["restart = \"never\"", "ready = { timeout = \"24h\" }"];

/// Returns the service of a command that runs in `dir`. If the program takes its port from an argument or a
/// variable, or from a script in `dir`, the command sets it. A command with `{port}` stays as it is.
pub fn command(dir: &Path, command: &str, context: &DetectContext<'_>) -> DetectedService {
    let records = records::Records::default();
    let root = Dir::open(dir, "", &records);
    let mut found = match has_placeholder(command) {
        true => written(&root, command),
        false => procfile::alone(&root, command, context),
    };
    found.prepare = None;
    found.prepare_dir = None;
    found.after.clear();
    found.optional = false;
    if found.port.is_none() {
        // It may listen, although nothing says so.
        found.port = Some(DetectedPort::Preferred(DEFAULT_PORT));
    }
    node::desktop::keep_on_host(&root, std::slice::from_mut(&mut found));
    for key in KEYS {
        let name = key.split(' ').next().unwrap_or_default();
        if !found.more.iter().any(|line| line.starts_with(name)) {
            found.more.push(key.to_owned());
        }
    }
    found
}

/// The preferred port of a command that names none.
const DEFAULT_PORT: u16 = 5000;

const PLACEHOLDER: &str = "{port}";

fn has_placeholder(command: &str) -> bool {
    command.contains(PLACEHOLDER)
}

/// Builds the service of a command in which the user has written where its port is. Other braces stay.
fn written(root: &Dir<'_>, command: &str) -> DetectedService {
    let parts: Vec<_> = command.split(PLACEHOLDER).map(literal).collect();
    let port = DetectedPort::Preferred(DEFAULT_PORT);
    let command = parts.join(PLACEHOLDER);
    DetectedService::http(root, "command", command, port).with_kind(Kind::Http)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)], text: &str) -> DetectedService {
        let temp = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(temp.path().join(name), content).unwrap();
        }
        let context = DetectContext {
            has_program: &|_| true,
            preferred: &|_| None,
            is_windows: false,
            node_major: &|| None,
            engine: &|| None,
        };
        command(temp.path(), text, &context)
    }

    #[test]
    fn programs_get_their_port_as_in_detection() {
        for (text, expected) in [
            ("vite", "vite --port {port}"),
            (
                "python3 -m http.server 8123",
                "python3 -m http.server {port}",
            ),
            ("./serve --json '{\"a\": 1}'", "./serve --json '{\"a\": 1}'"),
            (
                "./serve --port {port} '{url}'",
                "./serve --port {port} '{''url}'",
            ),
        ] {
            let found = of(&[], text);
            let command = found.command.replace(" --strictPort", "");
            assert!(command.starts_with(expected), "{text}: {found:#?}");
            assert!(found.port.is_some());
            assert_eq!(found.more, KEYS);
        }
        assert_eq!(of(&[], "uvicorn app:app").env["UVICORN_PORT"], "{port}");
    }

    #[test]
    fn scripts_of_the_directory_are_read() {
        let package = r#"{"scripts": {"dev": "vite"}, "devDependencies": {"vite": "1"}}"#;
        let found = of(&[("package.json", package)], "npm run dev");
        assert!(found.command.contains("{port}"), "{found:#?}");
        assert_eq!(found.prepare, None);
        assert_eq!(found.prefers(), Some(5173));
    }
}
