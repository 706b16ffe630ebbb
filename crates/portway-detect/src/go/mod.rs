//! Go: the main packages of a module that listen.
//!
//! A main package is detected when it, or a package of the same module that it imports, calls a
//! function that serves HTTP. It runs in the module's directory, for example as `go run ./cmd/api`.

use std::collections::{BTreeSet, VecDeque};

use super::listens::{Listens, Source};
use super::literal;
use super::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Frameworks by module path, with the port that their examples use.
const FRAMEWORKS: [(&str, &str, u16); 9] = [
    ("github.com/gin-gonic/gin", "gin", 8080),
    ("github.com/labstack/echo", "echo", 1323),
    ("github.com/gofiber/fiber", "fiber", 3000),
    ("github.com/go-chi/chi", "chi", 3000),
    ("github.com/beego/beego", "beego", 8080),
    ("github.com/gorilla/mux", "mux", 8080),
    ("github.com/valyala/fasthttp", "fasthttp", 8080),
    ("connectrpc.com/connect", "connect", 8080),
    (GRPC, "grpc", 50_051),
];

/// The module of gRPC, which serves no HTTP that others can call.
const GRPC: &str = "google.golang.org/grpc";

/// Calls that serve HTTP on any receiver.
const SERVES: [&str; 5] = [
    ".ListenAndServe(",
    ".ListenAndServeTLS(",
    "http.Serve(",
    "fasthttp.Serve(",
    "http.Server{",
];

/// Calls that serve HTTP if a framework is imported.
const FRAMEWORK_SERVES: [&str; 4] = [".Run(", ".Start(", ".Listen(", ".RunListener("];

/// Limits for one main package: packages of the module, and files of each package.
const MAX_PACKAGES: usize = 40;
const MAX_FILES: usize = 40;

/// Maximum number of directories that are searched for main packages.
const MAX_DIRS: usize = 150;

/// Detects the Go services of the module in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let module = dir.read("go.mod").and_then(|text| {
        let mut lines = text.lines();
        let name = lines.find_map(|line| line.trim().strip_prefix("module "))?;
        Some(name.trim().trim_matches('"').to_owned())
    });
    let Some(module) = module else {
        return Vec::new();
    };
    let services = places(dir)
        .into_iter()
        .filter_map(|place| service(dir, &module, &place, context));
    let mut services: Vec<DetectedService> = services.collect();
    // A single service takes the name of its directory or its role.
    if services.len() == 1 {
        services[0].name.clear();
    }
    services
}

/// The module's directory and those up to two levels below it, except nested modules.
fn places<'a>(dir: &Dir<'a>) -> Vec<Dir<'a>> {
    let below = |dir: &Dir<'a>| {
        let subs = dir.subs().filter(|sub| !sub.has("go.mod"));
        subs.take(MAX_DIRS / 3).collect::<Vec<_>>()
    };
    let first = below(dir);
    let second: Vec<_> = first.iter().flat_map(below).collect();
    let own = dir.below("");
    let mut all: Vec<_> = own.into_iter().chain(first).chain(second).collect();
    all.truncate(MAX_DIRS);
    all
}

/// Builds the service of a directory's main package, if it is one.
fn service(
    dir: &Dir<'_>,
    module: &str,
    place: &Dir<'_>,
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    let main = files(place);
    if !main.iter().any(|(_, text)| is_main(text)) {
        return None;
    }
    let all = with_imports(dir, module, main);
    let (file, line, call) = all.iter().find_map(serving_line)?;
    let framework = FRAMEWORKS
        .iter()
        .find(|(path, _, _)| all.iter().any(|(_, text)| imports(text, path)));
    let (name, usual) = framework.map_or(("go", 8080), |(_, name, port)| (*name, *port));
    let path = place.path().strip_prefix(dir.path()).unwrap_or("");
    let path = path.trim_start_matches('/');
    let package = match path {
        "" => ".".to_owned(),
        path => quote(&format!("./{path}")).into_owned(),
    };
    let mut command = format!("go run {package}");
    let mut found = DetectedService::http(dir, name, "", context.port(name, usual));
    if name == "grpc" {
        found = found.with_kind(Kind::Tcp);
    }
    found.name = match path {
        "" => String::new(),
        _ => place.name().to_owned(),
    };
    found = found.with_evidence(match framework {
        Some((path, _, _)) => {
            format!("{file}:{line} serves with `{call}`, and it imports `{path}`")
        }
        None => format!("{file}:{line} serves HTTP with `{call}`"),
    });
    if let Some((name, place)) = all.iter().find_map(subcommand) {
        command += &format!(" {name}");
        found = found.with_evidence(format!("{place} has the subcommand `{name}`"));
    }
    found = match (Listens::of(&all), all.iter().find_map(flag)) {
        (Listens::Fixed { .. } | Listens::Unknown, Some(flag)) => {
            command += &format!(" -{} {}", flag.name, flag.value);
            found.port = Some(context.port(name, flag.usual.unwrap_or(usual)));
            found.with_evidence(format!("{} defines the flag `-{}`", flag.place, flag.name))
        }
        // gin reads PORT when it is given no address.
        (Listens::Unknown, None) if all.iter().any(uses_default_address) => {
            found.with_evidence("gin reads its port from `PORT`")
        }
        (listens, _) => listens.or_configured(dir).give(found, usual, context),
    };
    found.command = command;
    // Building in the prepare step keeps compile time out of the readiness timeout.
    found = found.with_prepare(format!("go build -o /dev/null {package}"));
    Some(found.requiring("go", context))
}

/// Returns whether a file starts gin without an address.
fn uses_default_address((_, text): &Source) -> bool {
    imports(text, "github.com/gin-gonic/gin") && text.contains(".Run()")
}

/// The source files of a package, without tests.
fn files(dir: &Dir<'_>) -> Vec<Source> {
    let names = dir.files();
    let names = names.filter(|name| name.ends_with(".go") && !name.ends_with("_test.go"));
    let mut names: Vec<&str> = names.take(MAX_FILES).collect();
    names.sort_by_key(|name| *name != "main.go");
    let read = |name: &str| Some((dir.path_of(name), dir.read(name)?));
    names.into_iter().filter_map(read).collect()
}

/// The files of a main package and of all packages of its module that it imports, transitively.
fn with_imports(dir: &Dir<'_>, module: &str, main: Vec<Source>) -> Vec<Source> {
    let mut seen = BTreeSet::new();
    let mut waiting: VecDeque<String> = own_imports(module, &main).collect();
    let mut all = main;
    while let Some(path) = waiting.pop_front() {
        if seen.len() < MAX_PACKAGES && seen.insert(path.clone()) {
            let package = dir.below(&path).map(|dir| files(&dir)).unwrap_or_default();
            waiting.extend(own_imports(module, &package));
            all.extend(package);
        }
    }
    all
}

/// The packages of the same module that these files import, relative to the module's directory.
fn own_imports<'s>(module: &'s str, files: &'s [Source]) -> impl Iterator<Item = String> + 's {
    let lines = files.iter().flat_map(|(_, text)| text.lines());
    let strings = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    strings.filter_map(move |string| {
        let path = string.strip_prefix(module)?;
        path.starts_with('/').then(|| path.to_owned())
    })
}

/// Returns whether a file belongs to a main package and has no build constraint.
fn is_main(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim);
    let ignored = text.lines().any(|line| line.trim() == "//go:build ignore");
    !ignored && lines.any(|line| line == "package main" || line.starts_with("package main "))
}

fn imports(text: &str, path: &str) -> bool {
    text.contains(&format!("\"{path}"))
}

/// Finds the first line that serves HTTP: the file, the line number and the call.
fn serving_line((file, text): &Source) -> Option<(String, usize, &'static str)> {
    let in_framework = FRAMEWORKS.iter().any(|(path, _, _)| imports(text, path));
    let calls = |line: &str| {
        let line = line.trim_start();
        if line.starts_with("//") {
            return None;
        }
        let framework = FRAMEWORK_SERVES.iter().filter(|_| in_framework);
        let grpc = [".Serve("]
            .iter()
            .filter(|_| text.contains("grpc.NewServer("));
        SERVES
            .iter()
            .chain(framework)
            .chain(grpc)
            .find(|call| line.contains(**call))
    };
    let mut lines = text.lines().enumerate();
    lines.find_map(|(index, line)| {
        let call = calls(line)?.trim_matches(['.', '(', '{']);
        Some((file.clone(), index + 1, call))
    })
}

/// Finds the cobra subcommand that serves, with file and line.
fn subcommand((file, text): &Source) -> Option<(&'static str, String)> {
    if !imports(text, "github.com/spf13/cobra") {
        return None;
    }
    const NAMES: [&str; 5] = ["serve", "server", "start", "web", "run"];
    text.lines().enumerate().find_map(|(index, line)| {
        let rest = line.trim_start().strip_prefix("Use:")?.trim_start();
        let rest = rest.strip_prefix('"')?;
        let word = rest.split(['"', ' ']).next()?;
        let name = NAMES.into_iter().find(|name| *name == word)?;
        Some((name, format!("{file}:{}", index + 1)))
    })
}

/// Finds a flag that sets the port or the whole address.
struct Flag {
    name: &'static str,
    value: &'static str,
    place: String,
    usual: Option<u16>,
}

fn flag((file, text): &Source) -> Option<Flag> {
    const FLAGS: [(&str, &str); 6] = [
        ("port", "{port}"),
        ("http-port", "{port}"),
        ("addr", "{host}:{port}"),
        ("listen", "{host}:{port}"),
        ("http", "{host}:{port}"),
        ("bind", "{host}:{port}"),
    ];
    text.lines().enumerate().find_map(|(index, line)| {
        let calls = ["flag.String", "flag.Int", "flag.Uint"];
        if line.trim_start().starts_with("//") || !calls.iter().any(|call| line.contains(call)) {
            return None;
        }
        let (name, value) = FLAGS
            .into_iter()
            .find(|(name, _)| line.contains(&format!("\"{name}\"")))?;
        // The default follows the name.
        let (_, behind) = line.split_once(&format!("\"{name}\""))?;
        let usual = literal::number(&format!("listen port{behind}")).map(|(port, _)| port);
        let place = format!("{file}:{}", index + 1);
        Some(Flag {
            name,
            value,
            place,
            usual,
        })
    })
}

#[cfg(test)]
mod tests;
