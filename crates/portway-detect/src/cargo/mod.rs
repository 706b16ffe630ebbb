//! Rust: the binaries of a package that serve HTTP.
//!
//! A package is detected when it depends on a web framework and its source has a line that serves
//! with that framework. Each workspace member is handled as a package and runs in its own
//! directory.

mod manifest;

use self::manifest::{Binary, binaries, depends};
use super::listens::{Listens, Source};
use super::{DetectContext, DetectedService, Dir};
use portway_project::shell::quote;

/// A web framework: its crate, the port that its examples use, and the calls that serve.
struct Framework {
    name: &'static str,
    port: u16,
    serves: &'static [&'static str],
}

const FRAMEWORKS: [Framework; 12] = [
    framework(
        "rocket",
        8000,
        &["#[launch]", "#[rocket::main]", "rocket::build(", ".launch("],
    ),
    framework("actix-web", 8080, &["HttpServer::new("]),
    framework(
        "axum",
        3000,
        &[
            "axum::serve(",
            "serve(listener",
            "axum_server::",
            "Server::bind(",
        ],
    ),
    framework("poem", 3000, &["Server::new("]),
    framework("salvo", 8698, &["Server::new("]),
    framework(
        "ntex",
        8080,
        &["HttpServer::new(", "web::server(", "server("],
    ),
    framework("warp", 3030, &["warp::serve("]),
    framework("tide", 8080, &[".listen("]),
    framework("loco-rs", 5150, &["cli::main"]),
    framework("rouille", 8000, &["start_server("]),
    framework("tiny_http", 8000, &["Server::http("]),
    framework("hyper", 3000, &["serve_connection", "Server::bind("]),
];

const fn framework(name: &'static str, port: u16, serves: &'static [&'static str]) -> Framework {
    Framework { name, port, serves }
}

/// Limits on the source files that are read: their number, and the depth below `src`.
const MAX_FILES: usize = 200;
const DEPTH: usize = 3;

/// Detects the Rust services of the package in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let Some(manifest) = dir.toml("Cargo.toml") else {
        return Vec::new();
    };
    let frameworks = FRAMEWORKS.iter().filter(|one| depends(&manifest, one.name));
    let frameworks: Vec<&Framework> = frameworks.collect();
    let binaries = binaries(dir, &manifest);
    if frameworks.is_empty() || binaries.is_empty() {
        return Vec::new();
    }
    let package = Package {
        dir,
        sources: sources(dir),
        frameworks,
        many: binaries.len() > 1,
        context,
    };
    let own = |binary: &&Binary| {
        package
            .serving(std::slice::from_ref(&binary.source))
            .is_some()
    };
    // With several binaries, prefer those that serve in their own file, then the package's
    // namesake.
    let mut serving: Vec<&Binary> = binaries.iter().filter(own).collect();
    if serving.is_empty() {
        let default = manifest::default_run(&manifest);
        let chosen = binaries.iter().find(|binary| match default {
            Some(name) => binary.name == name,
            None => binary.is_main,
        });
        serving.extend(chosen.filter(|_| !package.many || default.is_some()));
    }
    let services = serving.iter().filter_map(|binary| package.service(binary));
    let mut services: Vec<DetectedService> = services.collect();
    if services.len() > 1 {
        for (service, binary) in services.iter_mut().zip(&serving) {
            service.name.clone_from(&binary.name);
        }
    }
    services
}

/// The package's source files without the binaries in `src/bin`; `main.rs` comes first.
fn sources(dir: &Dir<'_>) -> Vec<Source> {
    let mut level: Vec<Dir<'_>> = dir.sub("src").into_iter().collect();
    let mut all = Vec::new();
    for _ in 0..DEPTH {
        for dir in &level {
            let files = dir.files().filter(|name| name.ends_with(".rs"));
            for name in files.take(MAX_FILES.saturating_sub(all.len())) {
                all.extend(dir.read(name).map(|text| (dir.path_of(name), text)));
            }
        }
        let below = level.iter().flat_map(Dir::subs);
        level = below
            .filter(|dir| dir.name() != "bin")
            .take(MAX_FILES)
            .collect();
    }
    all.sort_by_key(|(file, _)| !file.ends_with("/main.rs"));
    all
}

/// A package with binaries and a web framework.
struct Package<'p, 'd> {
    dir: &'p Dir<'d>,
    sources: Vec<Source>,
    frameworks: Vec<&'static Framework>,
    /// Whether it has several binaries.
    many: bool,
    context: &'p DetectContext<'p>,
}

impl Package<'_, '_> {
    /// Returns the framework that these files serve with, and the file and line.
    fn serving(&self, files: &[Source]) -> Option<(&'static Framework, String)> {
        self.frameworks.iter().find_map(|framework| {
            let place = files.iter().find_map(|(file, text)| {
                let serves = |line: &str| {
                    let is_comment = line.trim_start().starts_with("//");
                    !is_comment && framework.serves.iter().any(|call| line.contains(call))
                };
                let line = text.lines().position(serves)?;
                Some(format!("{file}:{}", line + 1))
            })?;
            Some((*framework, place))
        })
    }

    fn service(&self, binary: &Binary) -> Option<DetectedService> {
        let own = std::slice::from_ref(&binary.source);
        let found = self.serving(own).map(|serving| (serving, true));
        let ((framework, place), is_own) =
            found.or_else(|| Some((self.serving(&self.sources)?, false)))?;
        let name = framework.name;
        let mut command = "cargo run".to_owned();
        let mut build = "cargo build".to_owned();
        if self.many {
            let bin = format!(" --bin {}", quote(&binary.name));
            command += &bin;
            build += &bin;
        }
        if !binary.features.is_empty() {
            let features = format!(" --features {}", quote(&binary.features.join(",")));
            command += &features;
            build += &features;
        }
        let port = self.context.port(name, framework.port);
        let mut found = DetectedService::http(self.dir, name, "", port).with_evidence(format!(
            "`{name}` is a dependency in {}, and {place} serves with it",
            self.dir.path_of("Cargo.toml")
        ));
        // The binary's own file takes precedence over the package's other modules.
        let listens = match Listens::of(own) {
            Listens::Unknown => Listens::of(&self.sources),
            Listens::Fixed { .. } if !is_own => Listens::of(&self.sources),
            listens => listens,
        };
        found = match (name, listens) {
            ("rocket", _) => found
                .with_env("ROCKET_ADDRESS", "{host}")
                .with_env("ROCKET_PORT", "{port}")
                .with_evidence("Rocket reads its address from `ROCKET_ADDRESS` and `ROCKET_PORT`"),
            ("loco-rs", _) => {
                command += " -- start --binding {host} --port {port}";
                found.with_evidence("`start` accepts its address")
            }
            (_, listens @ Listens::Variable { .. }) => {
                let listens = listens.or_configured(self.dir);
                listens.give(found, framework.port, self.context)
            }
            (_, listens) => match self.flag(&binary.source) {
                Some((flag, value, place)) => {
                    command += &format!(" -- {flag} {value}");
                    found.with_evidence(format!("{place} accepts `{flag}`"))
                }
                None => {
                    let listens = listens.or_configured(self.dir);
                    listens.give(found, framework.port, self.context)
                }
            },
        };
        found.command = command;
        // Building in the prepare step keeps compile time out of the readiness timeout.
        Some(found.with_prepare(build).requiring("cargo", self.context))
    }

    /// Finds the long option of a clap derive struct that sets the port, with file and line.
    fn flag(&self, binary: &Source) -> Option<(&'static str, &'static str, String)> {
        std::iter::once(binary)
            .chain(&self.sources)
            .find_map(|(file, text)| {
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                let at = lines.iter().position(|line| {
                    let field = line.strip_prefix("pub ").unwrap_or(line);
                    field.starts_with("port: u16") || field.starts_with("port: Option<u16>")
                })?;
                // The attribute is on the lines above, up to the previous field.
                let above = lines[..at].iter().rev().take(4);
                let attribute: Vec<_> = above.take_while(|line| !line.ends_with("},")).collect();
                let is_long = attribute.iter().any(|line| {
                    let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                    line.starts_with("#[") && words.clone().any(|word| word == "long")
                });
                is_long.then(|| ("--port", "{port}", format!("{file}:{}", at + 1)))
            })
    }
}

#[cfg(test)]
mod tests;
