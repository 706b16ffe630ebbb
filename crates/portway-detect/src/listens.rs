//! Where a program gets its port: from a variable or from a number in its code. Works line by line
//! on the source of any language, and never runs it.

use super::literal::{is_comment, is_of_database, is_of_others, number};
use super::variables;
use super::{DetectContext, DetectedPort, DetectedService, Dir};

/// A source file: its path relative to the root, and its text.
pub(super) type Source = (String, String);

/// Where a program gets its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listens {
    /// From an environment variable.
    Variable {
        /// The variable's name.
        name: String,
        /// The value to set, with placeholders.
        value: String,
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
    /// From an environment variable that a file of the project sets. The source does not say how.
    Set {
        /// The variable's name.
        name: &'static str,
        /// The port in the file.
        port: u16,
        /// The file.
        file: String,
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

/// Ends of names of variables with a port or an address to listen on.
const ENDS: [&str; 6] = ["PORT", "ADDR", "ADDRESS", "BIND", "LISTEN", "LISTEN_ON"];

impl Listens {
    /// Searches these files, the most likely first. A variable takes precedence over a number,
    /// which is then the program's fallback.
    pub(super) fn of(files: &[Source]) -> Self {
        let number = files
            .iter()
            .find_map(|(file, text)| number(text).map(|(port, line)| (port, file, line)));
        let defaults: Vec<Default<'_>> = files.iter().flat_map(defaults).collect();
        let usual = number.map(|(port, _, _)| port);
        for (name, value) in VARIABLES {
            let asked = files
                .iter()
                .find_map(|(file, text)| Some((file, line_of_variable(text, name)?)));
            if let Some((file, line)) = asked {
                let default = defaults.iter().find(|one| one.name == name);
                // `PORT` may be an address in Go: `:8080`.
                let own = default.map(|one| one.value).filter(|_| value == "{port}");
                return Self::Variable {
                    name: name.to_owned(),
                    value: own.unwrap_or(value).to_owned(),
                    place: format!("{file}:{line}"),
                    usual: default.map(|one| one.port).or(usual),
                };
            }
        }
        // The default of another variable is the number on which it listens.
        let is_own = |one: &&Default<'_>| usual.is_none_or(|usual| usual == one.port);
        if let Some(found) = defaults.iter().find(is_own) {
            return Self::Variable {
                name: found.name.clone(),
                value: found.value.to_owned(),
                place: format!("{}:{}", found.file, found.line),
                usual: Some(found.port),
            };
        }
        match number {
            Some((port, file, line)) => Self::Fixed {
                port,
                place: format!("{file}:{line}"),
            },
            None => Self::Unknown,
        }
    }

    /// Searches the configuration files and the files with variables if the source does not say.
    pub(super) fn or_configured(self, dir: &Dir<'_>) -> Self {
        let found = match self {
            Self::Unknown => Self::of(&configuration(dir)),
            known => known,
        };
        match found {
            Self::Unknown => Self::set(dir).unwrap_or(Self::Unknown),
            Self::Variable {
                name,
                value,
                place,
                usual: None,
            } => Self::Variable {
                usual: variables::port(dir, &name).map(|(port, _)| port),
                name,
                value,
                place,
            },
            known => known,
        }
    }

    /// Returns the port to which a file such as `.env.example` sets a variable.
    fn set(dir: &Dir<'_>) -> Option<Self> {
        let ports = VARIABLES.iter().filter(|(_, value)| *value == "{port}");
        ports.map(|(name, _)| *name).find_map(|name| {
            let (port, file) = variables::port(dir, name)?;
            (!is_of_database(port)).then_some(Self::Set { name, port, file })
        })
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
                if name != "PORT" || value != "{port}" {
                    found = found.with_env(&name, &value);
                }
                found.with_evidence(format!("{place} reads its port from `{name}`"))
            }
            Self::Fixed { port, place } => {
                found.port = Some(DetectedPort::Fixed(port));
                found.with_evidence(format!(
                    "{place} requires port {port}; read `PORT` there to allow any port"
                ))
            }
            Self::Set { name, port, file } => {
                found.port = Some(context.port(found.framework, port));
                // Every service receives `PORT` anyway.
                if name != "PORT" {
                    found = found.with_env(name, "{port}");
                }
                found.with_evidence(format!("{file} sets `{name}` to {port}"))
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

/// A variable with the default of a port or an address to listen on.
struct Default<'s> {
    file: &'s str,
    line: usize,
    name: String,
    port: u16,
    /// The value to set, in the form of the default.
    value: &'static str,
}

/// Returns the variables of a file whose names and defaults are those of a server's own port.
fn defaults((file, text): &Source) -> Vec<Default<'_>> {
    let of_server = |name: &str| {
        let lower = name.to_ascii_lowercase();
        ENDS.iter().any(|end| name.ends_with(end)) && !is_of_others(&lower)
    };
    let all = variables::defaults_in(text).into_iter();
    let all = all.filter_map(|(line, name, default)| {
        let (host, port) = default.rsplit_once(':').unwrap_or(("-", &default));
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0 && !is_of_database(*port))?;
        let value = match host {
            "-" => "{port}",
            "" => ":{port}",
            "0.0.0.0" | "127.0.0.1" | "localhost" | "[::]" | "[::1]" => "{host}:{port}",
            _ => return None,
        };
        of_server(&name).then_some(Default {
            file,
            line,
            name,
            port,
            value,
        })
    });
    all.collect()
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
                name: "PORT".into(),
                value: "{port}".into(),
                place: "main.go:1".into(),
                usual: Some(8081)
            }
        );
        let aliased = of("Addr string `env:\"LISTEN_ADDR,default=x\"`");
        let is_address = |found: &Listens| match found {
            Listens::Variable { value, .. } => value == "{host}:{port}",
            _ => false,
        };
        assert!(is_address(&aliased), "{aliased:?}");
        let place = "main.go:2".into();
        assert_eq!(of("\nListen(\":81\")"), Listens::Fixed { port: 81, place });
        assert_eq!(of("\"REPORT\" PORT"), Listens::Unknown);
    }

    #[test]
    fn the_default_of_any_variable_may_be_the_port() {
        for (text, name, value, usual) in [
            (
                "addr := cmp.Or(os.Getenv(\"ADDR\"), \":8087\")\nhttp.ListenAndServe(addr, nil)",
                "ADDR",
                ":{port}",
                8087,
            ),
            (
                "port := os.Getenv(\"GRPC_PORT\")\nif port == \"\" {\n\tport = \"50052\"\n}",
                "GRPC_PORT",
                "{port}",
                50_052,
            ),
            (
                "p, err := strconv.Atoi(os.Getenv(\"APP_PORT\"))\nif err != nil {\n\tp = 7008\n}",
                "APP_PORT",
                "{port}",
                7008,
            ),
            (
                "Port string `env:\"HTTP_PORT\" envDefault:\"8067\"`\nStore string `env:\"STORE_PORT\" envDefault:\"5432\"`",
                "HTTP_PORT",
                "{port}",
                8067,
            ),
            (
                "let addr = env::var(\"SHOP_BIND\").unwrap_or(\"127.0.0.1:8088\".into());\nTcpListener::bind(addr)",
                "SHOP_BIND",
                "{host}:{port}",
                8088,
            ),
            ("getEnv(\"PORT\", \":8089\")", "PORT", ":{port}", 8089),
        ] {
            let found = Listens::of(&[("main.go".into(), text.into())]);
            let Listens::Variable {
                name: found_name,
                value: found_value,
                usual: found_usual,
                ..
            } = found
            else {
                panic!("{text} {found:?}");
            };
            assert_eq!(
                (found_name.as_str(), found_value.as_str(), found_usual),
                (name, value, Some(usual)),
                "{text}"
            );
        }
        for text in [
            "getEnv(\"REDIS_PORT\", \"6379\")",
            "getEnv(\"METRICS_PORT\", \"9100\")",
            "getEnv(\"API_ADDR\", \"api.example.com:80\")",
        ] {
            let found = Listens::of(&[("main.go".into(), text.into())]);
            assert_eq!(found, Listens::Unknown, "{text}");
        }
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
