//! Servers that embed Vite and let it open the WebSocket for reloading on its fixed port.
//!
//! Vite in middleware mode has no HTTP server. Unless the code passes one, it uses port 24678, in each checkout, and
//! no environment variable changes that. The page of a second checkout is then reloaded by the first one.

use crate::javascript::without_comments;
use crate::{DetectedService, Dir, FixedPort};

/// The port that Vite uses in middleware mode.
const PORT: u16 = 24678;

/// Directories with the code of a server, below that of its package.
const PLACES: [&str; 7] = [
    "",
    "server",
    "src",
    "src/server",
    "app",
    "server/src",
    "scripts",
];

const EXTENSIONS: [&str; 6] = ["js", "mjs", "cjs", "ts", "mts", "cts"];

/// Maximum number of files that are read in one directory.
const MAX_FILES: usize = 50;

/// Returns each place where a server of a package embeds Vite without a port for reloading.
pub(crate) fn find(root: &Dir<'_>, services: &[DetectedService]) -> Vec<FixedPort> {
    let mut all: Vec<FixedPort> = Vec::new();
    for service in services {
        let dir = root.below(&service.dir);
        let Some(dir) = dir.filter(|dir| dir.has("package.json")) else {
            continue;
        };
        for place in PLACES.iter().filter_map(|path| dir.below(path)) {
            for file in place.files().filter(|name| is_code(name)).take(MAX_FILES) {
                let text = place.read(file).unwrap_or_default();
                let Some(line) = embeds_vite(&text) else {
                    continue;
                };
                let at = format!("{}:{line}", place.path_of(file));
                if all.iter().all(|known| known.place != at) {
                    all.push(FixedPort {
                        service: service.name.clone(),
                        place: at,
                        message: format!(
                            "starts Vite in middleware mode, which reloads pages through port {PORT} in \
                             every checkout"
                        ),
                        repair: "write `hmr: { server }` beside `middlewareMode`, where `server` is the \
                                 HTTP server that listens, so that each checkout uses its own port"
                            .into(),
                    });
                }
            }
        }
    }
    all
}

fn is_code(name: &str) -> bool {
    let extension = name.rsplit('.').next().unwrap_or_default();
    EXTENSIONS.contains(&extension) && !name.contains(".config.") && !name.contains(".test.")
}

/// Returns the line in which code starts Vite in middleware mode without saying how it reloads pages.
fn embeds_vite(text: &str) -> Option<usize> {
    if !text.contains("middlewareMode") {
        return None;
    }
    let code = without_comments(text);
    if !code.contains("createServer") || code.contains("hmr") || !code.contains("vite") {
        return None;
    }
    let is_on = |line: &str| {
        let value = line.split_once("middlewareMode").map(|(_, value)| value);
        value.is_some_and(|value| !value.trim_start_matches([':', ' ']).starts_with("false"))
    };
    code.split('\n').position(is_on).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;

    #[test]
    fn recognizes_vite_without_a_port_for_reloading() {
        let code = "import { createServer } from 'vite'\n// middlewareMode: off\n\
                    const vite = await createServer({\n  server: { middlewareMode: true },\n})\n";
        assert_eq!(embeds_vite(code), Some(4));
        for text in [
            code.replace("true }", "true, hmr: { server } }"),
            code.replace("true }", "false }"),
            code.replace("const vite", "// const vite")
                .replace("  server", "  // server"),
            String::new(),
        ] {
            assert_eq!(embeds_vite(&text), None, "{text}");
        }
    }

    #[test]
    fn names_the_line_to_change() {
        let package = r#"{"scripts": {"dev": "node server.js"}, "dependencies": {"express": "4"},
            "devDependencies": {"vite": "5"}}"#;
        let server = "const vite = await import('vite')\nconst app = express()\n\
                      const it = await vite.createServer({ server: { middlewareMode: true } })\n\
                      app.listen(process.env.PORT || 3000)\n";
        let found = checkout(&[("package.json", package), ("server.js", server)], &[]);
        let [one] = &found.fixed_ports[..] else {
            panic!("{found:#?}");
        };
        assert_eq!(one.place, "server.js:3");
        let text = one.to_string();
        assert!(
            text.ends_with("its own port") && text.contains("(server.js:3); write"),
            "{text}"
        );
        let with_port = server.replace("true }", "true, hmr: { server } }");
        let found = checkout(&[("package.json", package), ("server.js", &with_port)], &[]);
        assert_eq!(found.fixed_ports, []);
    }
}
