//! Where a program gets its port: from a variable or from a number in its code. Works line by line
//! on the source of any language, and never runs it.

use super::literal::{is_comment, number};
use super::{DetectContext, DetectedPort, DetectedService, Dir};

/// A source file: its path relative to the root, and its text.
pub(super) type Source = (String, String);

/// Where a program gets its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listens {
    /// From an environment variable.
    Variable {
        /// The variable's name.
        name: &'static str,
        /// The value to set, with placeholders.
        value: &'static str,
        /// The file and line that read it.
        place: String,
        /// The port that the program falls back to.
        usual: Option<u16>,
    },
    /// From a number in its code.
    Fixed {
        /// The port.
        port: u16,
        /// The file and line.
        place: String,
    },
    /// The source does not say.
    Unknown,
}

/// Variables that programs read their port from, and the values that Portway sets.
const VARIABLES: [(&str, &str); 12] = [
    ("PORT", "{port}"),
    ("HTTP_PORT", "{port}"),
    ("SERVER_PORT", "{port}"),
    ("APP_PORT", "{port}"),
    ("API_PORT", "{port}"),
    ("WEB_PORT", "{port}"),
    ("LISTEN_PORT", "{port}"),
    ("LISTEN_ADDR", "{host}:{port}"),
    ("LISTEN_ADDRESS", "{host}:{port}"),
    ("HTTP_ADDR", "{host}:{port}"),
    ("BIND_ADDR", "{host}:{port}"),
    ("BIND_ADDRESS", "{host}:{port}"),
];

impl Listens {
    /// Searches these files, the most likely first. A variable takes precedence over a number,
    /// which is then the program's fallback.
    pub(super) fn of(files: &[Source]) -> Self {
        let number = files
            .iter()
            .find_map(|(file, text)| number(text).map(|(port, line)| (port, file, line)));
        for (name, value) in VARIABLES {
            let asked = files
                .iter()
                .find_map(|(file, text)| Some((file, line_of_variable(text, name)?)));
            if let Some((file, line)) = asked {
                return Self::Variable {
                    name,
                    value,
                    place: format!("{file}:{line}"),
                    usual: number.map(|(port, _, _)| port),
                };
            }
        }
        match number {
            Some((port, file, line)) => Self::Fixed {
                port,
                place: format!("{file}:{line}"),
            },
            None => Self::Unknown,
        }
    }

    /// Searches the configuration files if the source does not say.
    pub(super) fn or_configured(self, dir: &Dir<'_>) -> Self {
        match self {
            Self::Unknown => Self::of(&configuration(dir)),
            known => known,
        }
    }

    /// Applies the result to a service; `usual` is the framework's default port.
    pub(super) fn give(
        self,
        mut found: DetectedService,
        usual: u16,
        context: &DetectContext<'_>,
    ) -> DetectedService {
        match self {
            Self::Variable {
                name,
                value,
                place,
                usual: own,
            } => {
                found.port = Some(context.port(found.framework, own.unwrap_or(usual)));
                // Every service receives `PORT` anyway.
                if name != "PORT" {
                    found = found.with_env(name, value);
                }
                found.with_evidence(format!("{place} reads its port from `{name}`"))
            }
            Self::Fixed { port, place } => {
                found.port = Some(DetectedPort::Fixed(port));
                found.with_evidence(format!(
                    "{place} requires port {port}; read `PORT` there to allow any port"
                ))
            }
            Self::Unknown => {
                found.port = Some(context.port(found.framework, usual));
                found.with_evidence(
                    "its source does not say where its port comes from; Portway sets `PORT`",
                )
            }
        }
    }
}

/// Common configuration files, the most likely first.
fn configuration(dir: &Dir<'_>) -> Vec<Source> {
    const DIRS: [&str; 5] = ["", "config", "configs", "configuration", "conf"];
    const STEMS: [&str; 9] = [
        "development",
        "dev",
        "local",
        "config",
        "base",
        "default",
        "application",
        "app",
        "settings",
    ];
    const ENDS: [&str; 4] = [".yaml", ".yml", ".toml", ".json"];
    let mut all = Vec::new();
    for place in DIRS.iter().filter_map(|path| dir.below(path)) {
        for (stem, end) in STEMS.iter().flat_map(|stem| ENDS.map(|end| (stem, end))) {
            let name = format!("{stem}{end}");
            all.extend(place.read(&name).map(|text| (place.path_of(&name), text)));
        }
    }
    all
}

/// Returns the line that reads a variable: its name in quotes, alone or followed by a comma and
/// options, as in Go struct tags.
fn line_of_variable(text: &str, name: &str) -> Option<usize> {
    let reads_variable = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let behind = line[at + name.len()..].chars().next();
            matches!(before, Some('"' | '\'')) && matches!(behind, Some('"' | '\'' | ','))
        })
    };
    let mut lines = text.lines().enumerate();
    lines
        .find(|(_, line)| !is_comment(line) && reads_variable(line))
        .map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::only;

    #[test]
    fn prefers_a_variable_over_a_number() {
        let of = |text: &str| Listens::of(&[("main.go".into(), text.into())]);
        assert_eq!(
            of("port := os.Getenv(\"PORT\")\nif port == \"\" { port = \"8081\" }"),
            Listens::Variable {
                name: "PORT",
                value: "{port}",
                place: "main.go:1".into(),
                usual: Some(8081)
            }
        );
        let aliased = of("Addr string `env:\"LISTEN_ADDR,default=x\"`");
        assert!(
            matches!(
                aliased,
                Listens::Variable {
                    value: "{host}:{port}",
                    ..
                }
            ),
            "{aliased:?}"
        );
        let place = "main.go:2".into();
        assert_eq!(of("\nListen(\":81\")"), Listens::Fixed { port: 81, place });
        assert_eq!(of("\"REPORT\" PORT"), Listens::Unknown);
    }

    #[test]
    fn falls_back_to_configuration_files() {
        let main =
            "package main\nfunc main() { http.ListenAndServe(viper.GetString(\"addr\"), nil) }";
        let found = only(
            &[
                ("go.mod", "module x"),
                ("main.go", main),
                (
                    "config/config.yaml",
                    "database:\n  port: 5432\nserver:\n  port: 8085\n",
                ),
            ],
            &[],
        );
        assert_eq!(found.port, Some(DetectedPort::Fixed(8085)));
        found.has_evidence("config/config.yaml:4 requires port 8085");
    }
}
