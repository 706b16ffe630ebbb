//! Programs that start a command again after each change of a file: `nodemon --exec "npm run build && npm start"`.

use super::script::SimpleCommand;
use super::search::Search;
use super::server::ServerKind;
use portway_project::shell::quote;

/// Such programs, with their options whose value is the command.
const BY_OPTION: [(&str, &[&str]); 6] = [
    ("nodemon", &["--exec", "-x"]),
    ("chokidar", &["--command", "-c"]),
    ("tsc-watch", &["--onSuccess", "--onsuccess"]),
    ("tsup", &["--onSuccess", "--on-success"]),
    ("tsdown", &["--onSuccess", "--on-success"]),
    ("node-dev", &["--exec"]),
];

/// Such programs whose command follows `--`, or else their options and patterns.
const BY_POSITION: [&str; 4] = ["onchange", "watchexec", "watchlist", "entr"];

/// Options of [`BY_POSITION`] that take a value.
const WITH_VALUE: [&str; 12] = [
    "-e",
    "--exts",
    "-w",
    "--watch",
    "-i",
    "--ignore",
    "-s",
    "--signal",
    "-d",
    "--delay",
    "--debounce",
    "-k",
];

impl Search<'_, '_> {
    /// Returns how the command serves that such a program starts, if it reads its port from a variable: arguments do
    /// not reach it.
    pub(super) fn of_watched(
        &self,
        simple: &SimpleCommand,
        found_by: &str,
        depth: usize,
    ) -> Option<ServerKind> {
        let text = watched(simple)?;
        let mut servers = self.command(&text, None, found_by, depth).into_iter();
        let serves = servers.next()?.serves;
        let reads_port = match &serves {
            ServerKind::Tool(tool) => tool.reads_port(),
            ServerKind::File(_) => true,
            _ => false,
        };
        (reads_port && servers.next().is_none()).then_some(serves)
    }
}

/// Returns the command that such a program starts.
pub(super) fn watched(simple: &SimpleCommand) -> Option<String> {
    let (program, arguments) = (simple.program(), simple.arguments());
    let by_option = BY_OPTION.iter().find(|(name, _)| *name == program);
    if let Some((_, options)) = by_option {
        let text = simple.flag(options)?;
        return Some(text.to_owned()).filter(|text| !text.is_empty());
    }
    if !BY_POSITION.contains(&program) {
        return None;
    }
    if let Some(at) = arguments.iter().position(|word| word == "--") {
        return joined(&arguments[at + 1..]);
    }
    let mut at = 0;
    while let Some(word) = arguments.get(at).filter(|word| word.starts_with('-')) {
        at += 1 + usize::from(WITH_VALUE.contains(&word.as_str()));
    }
    match arguments.get(at..)? {
        [command] => Some(command.clone()),
        words => joined(words).filter(|_| program != "onchange"),
    }
}

fn joined(words: &[String]) -> Option<String> {
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;
    use crate::node::script::Script;

    #[test]
    fn finds_the_command_that_a_watcher_starts() {
        for (text, expected) in [
            (
                "nodemon -e ts --exec 'npm run a && npm run b'",
                Some("npm run a && npm run b"),
            ),
            ("nodemon -x \"yarn start\" --watch src", Some("yarn start")),
            ("chokidar 'src/**' -c 'npm start'", Some("npm start")),
            ("onchange 'src/**/*.ts' -- npm start", Some("npm start")),
            ("watchexec -r -e ts npm start", Some("npm start")),
            ("watchexec -e ts -- 'npm start'", Some("'npm start'")),
            ("entr -r npm run dev", Some("npm run dev")),
            ("nodemon server.js", None),
            ("vite", None),
        ] {
            let last = Script::parse(text).unwrap().last;
            assert_eq!(watched(&last).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_watcher_that_builds_and_starts_is_a_server() {
        const MAIN: &str =
            "import express from 'express'\nexpress().listen(process.env.PORT || 4112)";
        for scripts in [
            r#""dev": "nodemon --exec \"npm run build && npm run serve:it\" -e ts", "build": "tsc", "serve:it": "node dist/main.js""#,
            r#""dev": "onchange 'src/**' -- npm start", "start": "npm run build && node dist/main.js", "build": "tsc""#,
            r#""dev": "tsc-watch --onSuccess \"npm run boot\"", "boot": "tsx src/main.ts""#,
        ] {
            let package =
                format!("{{\"scripts\": {{{scripts}}}, \"dependencies\": {{\"express\": \"5\"}}}}");
            let detection = checkout(
                &[("package.json", &package), ("src/main.ts", MAIN)],
                &["npm"],
            );
            let found = detection.commands();
            assert_eq!(found, [("npm run dev", Some(4112))], "{scripts}");
        }
    }

    #[test]
    fn two_servers_of_one_script_are_two_services() {
        let package = r#"{"scripts": {
            "start": "node ./build/server/index.js",
            "dev": "yarn concurrently -n api \"node build/server/index.js --services=web,worker\"",
            "build:server": "node ./build.js",
            "dev:backend": "nodemon --exec \"yarn build:server && yarn dev\" -e ts",
            "dev:watch": "yarn concurrently -n backend,frontend \"yarn dev:backend\" \"yarn vite:dev\"",
            "vite:dev": "vite"}, "devDependencies": {"vite": "7", "concurrently": "9"}, "dependencies": {"koa": "2"}}"#;
        let detection = checkout(
            &[
                ("package.json", package),
                ("yarn.lock", ""),
                (
                    "Procfile",
                    "web: yarn start --services=web\nworker: yarn start --services=worker\n",
                ),
                (
                    "server/index.ts",
                    "import Koa from 'koa'\nnew Koa().listen(process.env.PORT || 4113)",
                ),
            ],
            &["yarn"],
        );
        let found = detection.commands();
        assert_eq!(
            found,
            [
                ("yarn run dev:backend", Some(4113)),
                ("yarn run vite:dev --port {port} --strictPort", Some(5173)),
            ],
            "{detection:#?}"
        );
    }
}
