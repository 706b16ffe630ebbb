//! Where a program gets its port from, as its source tells whatever the language: from a variable,
//! or from a number in the code. It is read line by line and never run.

use super::literal::{is_comment, number};
use super::{Dir, Found, FoundPort, Surroundings};

/// A source file: its path relative to the root, and its text.
pub(super) type Source = (String, String);

/// Where a program gets its port from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listens {
    /// From a variable, with what Portway must write into it; the port is the one it falls back to.
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value, with placeholders.
        value: &'static str,
        /// The file that asks for it, and the line.
        place: String,
        /// The port without it.
        usual: Option<u16>,
    },
    /// From a number in its code.
    Insists {
        /// The number.
        port: u16,
        /// Its file and line.
        place: String,
    },
    /// Nothing says it.
    Unknown,
}

/// Variables from which programs take their port, and what Portway writes into them.
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
    /// What these files tell, the likeliest first. A variable counts for more than a number, which
    /// is then what the program falls back to.
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
            Some((port, file, line)) => Self::Insists {
                port,
                place: format!("{file}:{line}"),
            },
            None => Self::Unknown,
        }
    }

    /// What the files of configuration beside the source tell, where the source itself tells
    /// nothing.
    pub(super) fn or_configured(self, dir: &Dir<'_>) -> Self {
        match self {
            Self::Unknown => Self::of(&configuration(dir)),
            known => known,
        }
    }

    /// The service with its port; `usual` is the framework's.
    pub(super) fn give(
        self,
        mut found: Found,
        usual: u16,
        surroundings: &Surroundings<'_>,
    ) -> Found {
        match self {
            Self::Variable {
                name,
                value,
                place,
                usual: own,
            } => {
                found.port = Some(surroundings.port(found.framework, own.unwrap_or(usual)));
                // Portway says `PORT` to everyone.
                if name != "PORT" {
                    found = found.told(name, value);
                }
                found.because(format!("{place} takes its port from `{name}`"))
            }
            Self::Insists { port, place } => {
                found.port = Some(FoundPort::Only(port));
                found.because(format!(
                    "{place} insists on port {port}; it takes any once it reads `PORT` instead"
                ))
            }
            Self::Unknown => {
                found.port = Some(surroundings.port(found.framework, usual));
                found.because(
                    "nothing in its source says where its port comes from; it is told by `PORT`",
                )
            }
        }
    }
}

/// Files in which programs by custom keep their configuration, the likeliest first.
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

/// The line in which a text asks for a variable: its name in quotes, alone or with options behind
/// a comma, as in Go's tags.
fn line_of_variable(text: &str, name: &str) -> Option<usize> {
    let asks = |line: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let behind = line[at + name.len()..].chars().next();
            matches!(before, Some('"' | '\'')) && matches!(behind, Some('"' | '\'' | ','))
        })
    };
    let mut lines = text.lines().enumerate();
    lines
        .find(|(_, line)| !is_comment(line) && asks(line))
        .map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::only;

    #[test]
    fn a_variable_counts_for_more_than_a_number() {
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
        let told = of("Addr string `env:\"LISTEN_ADDR,default=x\"`");
        assert!(
            matches!(
                told,
                Listens::Variable {
                    value: "{host}:{port}",
                    ..
                }
            ),
            "{told:?}"
        );
        let place = "main.go:2".into();
        assert_eq!(
            of("\nListen(\":81\")"),
            Listens::Insists { port: 81, place }
        );
        assert_eq!(of("\"REPORT\" PORT"), Listens::Unknown);
    }

    #[test]
    fn configuration_tells_where_the_source_does_not() {
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
        assert_eq!(found.port, Some(FoundPort::Only(8085)));
        found.says("config/config.yaml:4 insists on port 8085");
    }
}
