//! Whether the parts of a manifest fit together.

use indexmap::{IndexMap, IndexSet};

use super::{MAX_SERVICES, PlannedPort, PlannedService, key, ports};
use crate::kind::Kind;
use crate::manifest::{Manifest, Problem, Service, Text};
use crate::nearest::suggestion;
use crate::preferences::Preferences;
use crate::template::{self, Property, TemplateError};

/// A name is at most as long as a label of a host name.
const MAX_NAME: usize = 63;

/// More services than anybody has are refused before they cost anything.
pub(super) fn count(manifest: &Manifest) -> Result<(), Problem> {
    match manifest.services.get_index(MAX_SERVICES) {
        Some((_, first_too_many)) => {
            let count = manifest.services.len();
            let message =
                format!("there are {count} services, and {MAX_SERVICES} at most are possible");
            Err(Problem::at(first_too_many.command.span(), message)
                .help("split the project: each directory may have its own `portway.toml`"))
        }
        None => Ok(()),
    }
}

/// Names become parts of host names, of variables and of keys in `.ports.json`; two that become
/// the same there cannot stand side by side.
pub(super) fn names(manifest: &Manifest) -> Result<(), Problem> {
    let well_formed = |name: &str| {
        name.len() <= MAX_NAME
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut keys: IndexMap<String, &str> = IndexMap::new();
    for (name, service) in &manifest.services {
        let ports = service.ports.keys().map(String::as_str);
        for part in std::iter::once(name.as_str()).chain(ports) {
            if !well_formed(part) {
                return Err(
                    Problem::at(service.command.span(), format!("`{part}` is not a name"))
                        .help("names have at most 63 letters, digits, `-` and `_`, and begin with a letter"),
                );
            }
        }
        if let Some(other) = keys.insert(key(name), name) {
            return Err(Problem::at(
                service.command.span(),
                format!("`{other}` and `{name}` are the same name to programs"),
            )
            .help("rename one of them"));
        }
        if manifest.groups.contains_key(name) {
            return Err(Problem::at(
                service.command.span(),
                format!("`{name}` is the name of a service and of a group"),
            )
            .help("rename one of them"));
        }
    }
    Ok(())
}

/// A directory is written relative to the project's root and stays in it.
pub(super) fn dir(dir: &Text) -> Result<(), Problem> {
    let path = std::path::Path::new(dir.get_ref());
    let inside = path.components().all(|part| {
        matches!(
            part,
            std::path::Component::Normal(_) | std::path::Component::CurDir
        )
    });
    if inside {
        return Ok(());
    }
    Err(Problem::at(
        dir.span(),
        format!("the directory `{}` lies outside the project", dir.get_ref()),
    )
    .help("write it relative to the directory of `portway.toml`, without `..`"))
}

/// What a service is told must be something that a process can be told: a NUL ends every text of the
/// system, and a `=` the name of a variable.
pub(super) fn tellable(name: &str, spec: &Service) -> Result<(), Problem> {
    let prepare = spec.prepare.as_ref();
    let ready = spec.ready.as_ref().and_then(|ready| ready.exec.as_ref());
    let live = spec.liveness.as_ref().and_then(|live| live.exec.as_ref());
    let commands = [
        Some(&spec.command),
        prepare.map(|prepare| &prepare.command),
        ready,
        live,
    ];
    let dirs = [
        spec.dir.as_ref(),
        prepare.and_then(|prepare| prepare.dir.as_ref()),
    ];
    for (variable, value) in &spec.env {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            let message = format!(
                "`{}` is not the name of a variable",
                variable.escape_debug()
            );
            return Err(Problem::at(value.span(), message)
                .help("a name has neither `=` nor a NUL in it, and is not empty"));
        }
    }
    let texts = commands.into_iter().chain(dirs).flatten();
    match texts.chain(spec.env.values()).find(|text| has_nul(text)) {
        Some(text) => {
            let message = format!("a text of `{name}` has a NUL in it");
            Err(Problem::at(text.span(), message).help("take it out: no process can be told one"))
        }
        None => Ok(()),
    }
}

fn has_nul(text: &Text) -> bool {
    text.get_ref().contains('\0')
}

pub(super) fn probes(name: &str, spec: &Service, ports: &[PlannedPort]) -> Result<(), Problem> {
    let place = spec.command.span();
    let pattern = spec.ready.as_ref().and_then(|ready| ready.log.as_ref());
    if let Some(pattern) = pattern
        && let Err(error) = regex_lite::Regex::new(pattern.get_ref())
    {
        let message = format!("`{}` is no regular expression", pattern.get_ref());
        return Err(Problem::at(pattern.span(), message).help(error.to_string()));
    }
    let probes = [
        spec.ready.as_ref().map(|ready| {
            let kinds = [
                ready.http.is_some(),
                ready.tcp == Some(true),
                ready.exec.is_some(),
                ready.log.is_some(),
            ];
            let needs_port = ready.http.is_some() || ready.tcp == Some(true);
            ("ready", kinds.to_vec(), needs_port, ready.port.as_deref())
        }),
        spec.liveness.as_ref().map(|live| {
            let kinds = [
                live.http.is_some(),
                live.tcp == Some(true),
                live.exec.is_some(),
            ];
            let needs_port = live.http.is_some() || live.tcp == Some(true);
            ("liveness", kinds.to_vec(), needs_port, live.port.as_deref())
        }),
    ];
    for (probe, kinds, needs_port, port) in probes.into_iter().flatten() {
        if kinds.iter().filter(|&&on| on).count() != 1 {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` needs exactly one kind of probe"),
            )
            .help("write one of `http = \"/path\"`, `tcp = true`, `exec = \"command\"`"));
        }
        if needs_port && ports.is_empty() {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` asks a port, and `{name}` has none"),
            )
            .help("give it one: `port = \"9100-9199\"`"));
        }
        let known = ports.iter().filter_map(|port| port.name.as_deref());
        if let Some(port) = port.filter(|port| !known.clone().any(|name| name == *port)) {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` asks the port `{port}`, which does not exist"),
            )
            .help(suggestion(port, known)));
        }
    }
    Ok(())
}

/// Only what speaks HTTP is served on the local network: a database there is open to everybody.
pub(super) fn lan(
    name: &str,
    spec: &Service,
    kind: Kind,
    ports: &[PlannedPort],
) -> Result<(), Problem> {
    if spec.lan != Some(true) || (kind.is_http() && !ports.is_empty()) {
        return Ok(());
    }
    let why = if ports.is_empty() {
        "it has no port".to_owned()
    } else {
        format!("a service of the kind `{}` speaks no HTTP", kind.word())
    };
    let message = format!("`{name}` cannot be served on the local network: {why}");
    Err(Problem::at(spec.command.span(), message).help("leave `lan = true` out"))
}

/// Only what passes through the gateway has a body that can be too large.
pub(super) fn max_body(
    name: &str,
    spec: &Service,
    kind: Kind,
    ports: &[PlannedPort],
) -> Result<(), Problem> {
    match &spec.max_body {
        Some(size) if !kind.is_http() || ports.is_empty() => Err(Problem::at(
            size.span(),
            format!("`{name}` has a `max_body`, and the gateway passes nothing on to it"),
        )
        .help("leave it out: it is for a service with a port that speaks HTTP")),
        _ => Ok(()),
    }
}

/// A health path is asked of the main port, in HTTP.
pub(super) fn health(
    name: &str,
    spec: &Service,
    kind: Kind,
    ports: &[PlannedPort],
) -> Result<(), Problem> {
    let Some(path) = &spec.health else {
        return Ok(());
    };
    let fail = |message: String| Problem::at(path.span(), message);
    let text = path.get_ref();
    if !text.starts_with('/') {
        return Err(
            fail(format!("the health path `{text}` has no `/` in front"))
                .help("write it as in `health = \"/health\"`; host and port are Portway's"),
        );
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        return Err(fail(format!(
            "the health path `{}` has {wrong:?} in it",
            text.escape_debug()
        ))
        .help("write such characters as `%20`"));
    }
    if !kind.is_http() {
        return Err(fail(format!(
            "`{name}` has a health path, and a service of the kind `{}` speaks no HTTP",
            kind.word()
        ))
        .help("leave it out, or say `kind = \"http\"` if it does"));
    }
    if ports.is_empty() {
        return Err(fail(format!(
            "`{name}` has a health path and no port to ask it on"
        ))
        .help("give it one: `port = \"9100-9199\"`"));
    }
    Ok(())
}

/// `NAME_health_url` must not be the URL of another service or port.
pub(super) fn health_keys(manifest: &Manifest) -> Result<(), Problem> {
    for (name, spec) in &manifest.services {
        let Some(path) = &spec.health else {
            continue;
        };
        let own = format!("{}_health", key(name));
        let same = manifest.services.iter().find_map(|(other, service)| {
            let main = service.ports.get_index_of("http").unwrap_or(0);
            let named = service.ports.keys().enumerate();
            let mut named = named.filter(|(index, _)| *index != main);
            let of_port = |port: &str| format!("{}_{}", key(other), key(port));
            if key(other) == own {
                return Some(format!("the service `{other}`"));
            }
            let (_, port) = named.find(|(_, port)| of_port(port) == own)?;
            Some(format!("the port `{port}` of `{other}`"))
        });
        if let Some(other) = same {
            return Err(Problem::at(
                path.span(),
                format!("`{own}_url` would be the health path of `{name}` and {other}"),
            )
            .help("rename one of them, or leave `health` out"));
        }
    }
    Ok(())
}

/// Refuses a circle of services that wait for each other, and draws it.
pub(super) fn cycles(manifest: &Manifest) -> Result<(), Problem> {
    let mut done: IndexSet<&str> = IndexSet::new();
    for name in manifest.services.keys() {
        walk(manifest, name, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

fn walk<'a>(
    manifest: &'a Manifest,
    name: &'a str,
    path: &mut Vec<&'a str>,
    done: &mut IndexSet<&'a str>,
) -> Result<(), Problem> {
    if done.contains(name) {
        return Ok(());
    }
    let Some(service) = manifest.services.get(name) else {
        return Ok(());
    };
    path.push(name);
    for (other, _) in &service.after.0 {
        if let Some(start) = path.iter().position(|seen| *seen == other.get_ref()) {
            let mut circle: Vec<String> = path[start..].iter().map(|s| format!("`{s}`")).collect();
            circle.push(format!("`{}`", other.get_ref()));
            return Err(Problem::at(
                other.span(),
                format!("services wait for each other: {}", circle.join(" → ")),
            )
            .help("take one `after` away"));
        }
        walk(manifest, other.get_ref(), path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}

/// Two services whose ranges are the same single port can never both run.
pub(super) fn forced_twice(services: &IndexMap<String, PlannedService>) -> Result<(), Problem> {
    let mut single: IndexMap<u16, &str> = IndexMap::new();
    for service in services.values() {
        for port in service.ports.iter().filter(|p| p.spec.range.size() == 1) {
            if let Some(other) = single.insert(port.spec.prefer, &service.name) {
                return Err(Problem::at(
                    service.spec.command.span(),
                    format!(
                        "`{other}` and `{}` both insist on port {}",
                        service.name, port.spec.prefer
                    ),
                )
                .help("give one of them another port or a range"));
            }
        }
    }
    Ok(())
}

/// Tries every placeholder with a number, so that a slip is found before anything starts.
pub(super) fn placeholders(manifest: &Manifest) -> Result<(), Problem> {
    let names: Vec<&str> = manifest.services.keys().map(String::as_str).collect();
    // Whether a service has a port does not depend on anybody's preferences.
    let preferences = Preferences::default();
    let ports: IndexMap<&str, Vec<PlannedPort>> = manifest
        .services
        .iter()
        .map(|(name, spec)| {
            let command = spec.command.get_ref();
            let kind = spec.kind.unwrap_or_else(|| Kind::infer(name, command));
            let lone = || preferences.port_spec("", name, kind, spec.port);
            Ok((name.as_str(), ports(name, spec, lone)?))
        })
        .collect::<Result<_, Problem>>()?;
    let has = |service: &str, property: Property<'_>| {
        let ports = ports.get(service)?;
        let there = match property {
            Property::Name | Property::Host => true,
            Property::Port(None) | Property::Url(None) => !ports.is_empty(),
            Property::Port(Some(name)) | Property::Url(Some(name)) => {
                ports.iter().any(|port| port.name.as_deref() == Some(name))
            }
        };
        there.then(String::new)
    };
    for (name, spec) in &manifest.services {
        let ready = spec.ready.as_ref().and_then(|ready| ready.exec.as_ref());
        let live = spec.liveness.as_ref().and_then(|live| live.exec.as_ref());
        let prepare = spec.prepare.as_ref().map(|prepare| &prepare.command);
        let texts = [Some(&spec.command), prepare, ready, live];
        for text in texts.into_iter().flatten().chain(spec.env.values()) {
            template::expand(text.get_ref(), name, &names, has)
                .map_err(|error| placeholder_problem(manifest, text, error))?;
        }
    }
    Ok(())
}

/// The problem at the placeholder itself, where the text is written without escapes.
fn placeholder_problem(manifest: &Manifest, text: &Text, error: TemplateError) -> Problem {
    let written = manifest.source.text.get(text.span()).unwrap_or("");
    let span = match written.find(text.get_ref().as_str()) {
        Some(quote) => {
            let start = text.span().start + quote + error.at;
            start..start + error.length
        }
        None => text.span(),
    };
    Problem::at(span, error.message).help(error.help)
}
