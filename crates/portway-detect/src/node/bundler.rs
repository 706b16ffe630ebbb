//! Bundlers that watch and also serve, by a plug-in in their configuration: `rollup -c -w` with
//! `rollup-plugin-serve`.

use super::package::Package;
use super::script::SimpleCommand;
use super::source::constant;
use crate::javascript::without_comments;
use crate::{DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;

/// Plug-ins that serve: the bundler, the package, its default port.
const PLUGINS: [(&str, &str, u16); 3] = [
    ("rollup", "rollup-plugin-serve", 10_001),
    ("rollup", "rollup-plugin-dev", 8080),
    ("webpack", "webpack-plugin-serve", 55_555),
];

/// Servers of files that read PORT, which a configuration starts by the script `start`, and their default ports.
const STARTED: [(&str, u16); 2] = [("sirv", 8080), ("serve", 3000)];

const EXTENSIONS: [&str; 4] = ["js", "mjs", "ts", "cjs"];

/// Returns the server of a command that makes a bundler watch. Its command is missing.
pub(super) fn server(
    dir: &Dir<'_>,
    package: &Package,
    command: &SimpleCommand,
) -> Option<DetectedService> {
    let program = PLUGINS
        .iter()
        .map(|(program, ..)| *program)
        .find(|program| *program == command.program())?;
    let watches = |word: &String| ["-w", "--watch", "-cw", "-wc"].contains(&word.as_str());
    if !command.arguments().iter().any(watches) {
        return None;
    }
    let named = command.flag(&["-c", "--config"]).map(str::to_owned);
    let usual = EXTENSIONS.map(|extension| format!("{program}.config.{extension}"));
    let file = named.into_iter().chain(usual);
    let file = file.into_iter().find(|name| dir.has(name))?;
    let text = without_comments(&dir.read(&file)?);
    let place = dir.path_of(&file);
    let found = |port| DetectedService::http(dir, program, "", port).with_kind(Kind::Frontend);
    let mut plugins = PLUGINS.iter().filter(|(of, ..)| *of == program);
    if let Some((_, plugin, usual)) = plugins.find(|(_, plugin, _)| text.contains(plugin)) {
        let why = format!("{place} serves with `{plugin}`");
        let reads = text.lines().find(|line| {
            line.contains("port") && line.contains("env.PORT") && !line.contains("env.PORT_")
        });
        if let Some(line) = reads {
            let default = line.rsplit("PORT").next().unwrap_or_default();
            let digits: String = default
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            let port = DetectedPort::Preferred(digits.parse().unwrap_or(*usual));
            let why = format!("{why} and reads `PORT`");
            return Some(found(port).with_evidence(why));
        }
        let written = constant(&text, "port");
        let port = written.unwrap_or(*usual);
        let why = format!("{why} on port {port}; read `process.env.PORT` there to allow any port");
        return Some(found(DetectedPort::Fixed(port)).with_evidence(why));
    }
    let starts = text.contains("spawn(")
        && ["'start'", "\"start\""]
            .iter()
            .any(|word| text.contains(word));
    let start = package.scripts.get("start").filter(|_| starts)?;
    let first = start.split_whitespace().next()?;
    let (server, port) = STARTED.iter().find(|(name, _)| *name == first)?;
    let why = format!("{place} starts the script `start`, and `{server}` reads `PORT`");
    Some(found(DetectedPort::Preferred(*port)).with_evidence(why))
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::{checkout, only};

    fn package(scripts: &str) -> String {
        format!(
            "{{\"scripts\": {{{scripts}}}, \"devDependencies\": {{\"rollup\": \"4\", \"webpack\": \"5\"}}}}"
        )
    }

    #[test]
    fn a_bundler_serves_by_a_plug_in() {
        let rollup = "\"dev\": \"rollup -c -w\"";
        for (scripts, file, config, port) in [
            (
                rollup,
                "rollup.config.js",
                "import serve from 'rollup-plugin-serve'\nexport default {plugins: [serve({port: 10105})]}",
                DetectedPort::Fixed(10105),
            ),
            (
                rollup,
                "rollup.config.mjs",
                "import serve from 'rollup-plugin-serve'\nexport default {plugins: [serve('public')]}",
                DetectedPort::Fixed(10001),
            ),
            (
                rollup,
                "rollup.config.js",
                "import dev from 'rollup-plugin-dev'\nconst s = dev({\n  port: process.env.PORT || 8085 })",
                DetectedPort::Preferred(8085),
            ),
            (
                "\"start\": \"webpack --watch\"",
                "webpack.config.js",
                "const {WebpackPluginServe: S} = require('webpack-plugin-serve')\nnew S({port: 55105})",
                DetectedPort::Fixed(55105),
            ),
            (
                "\"dev\": \"rollup -c -w\", \"start\": \"sirv public --no-clear\"",
                "rollup.config.js",
                "const run = () => spawn('npm', ['run', 'start', '--', '--dev'])",
                DetectedPort::Preferred(8080),
            ),
        ] {
            let found = only(
                &[("package.json", &package(scripts)), (file, config)],
                &["npm"],
            );
            assert_eq!(found.port, Some(port), "{config}");
            assert!(found.command.starts_with("npm run "), "{}", found.command);
            assert!(found.prepare.is_some());
        }
    }

    #[test]
    fn a_bundler_without_such_a_plug_in_serves_nothing() {
        let config = (
            "rollup.config.js",
            "// rollup-plugin-serve\nexport default {}",
        );
        for scripts in ["\"dev\": \"rollup -c -w\"", "\"build\": \"rollup -c\""] {
            let found = checkout(&[("package.json", &package(scripts)), config], &["npm"]);
            assert!(found.services.is_empty(), "{found:#?}");
        }
    }
}
