//! Checks whether the parts of a manifest fit together.

use indexmap::{IndexMap, IndexSet};

use super::ports::{kind, ports};
use super::{MAX_SERVICES, PlannedPort, PlannedService, identifier};
use crate::diagnostic::{Problem, Text};
use crate::kind::Kind;
use crate::manifest::{Manifest, Prepare, Service};
use crate::preferences::Preferences;
use crate::template::{self, Property, TemplateError};

/// The longest name, which is also the longest label of a host name.
const MAX_NAME: usize = 63;

/// Rejects a manifest with too many services before any expensive check.
pub(super) fn count(manifest: &Manifest) -> Result<(), Problem> {
    match manifest.services.get_index(MAX_SERVICES) {
        Some((_, first_too_many)) => {
            let count = manifest.services.len();
            let message =
                format!("there are {count} services, more than the limit of {MAX_SERVICES}");
            Err(Problem::at(first_too_many.command.span(), message)
                .help("split the project: each directory can have its own `portway.toml`"))
        }
        None => Ok(()),
    }
}

/// Checks names. They become parts of host names, of variables and of keys in `.ports.json`, where
/// two different names may become equal.
pub(super) fn names(manifest: &Manifest) -> Result<(), Problem> {
    let is_valid = |name: &str| {
        name.len() <= MAX_NAME
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut identifiers: IndexMap<String, &str> = IndexMap::new();
    for (name, service) in &manifest.services {
        let ports = service.ports.keys().map(String::as_str);
        for part in std::iter::once(name.as_str()).chain(ports) {
            if !is_valid(part) {
                let message = format!("`{part}` is not a valid name");
                return Err(Problem::at(service.command.span(), message)
                    .help("use at most 63 letters, digits, `-` and `_`, starting with a letter"));
            }
        }
        if let Some(other) = identifiers.insert(identifier(name), name) {
            let message =
                format!("`{other}` and `{name}` have the same variables and keys in `.ports.json`");
            return Err(Problem::at(service.command.span(), message).help("rename one of them"));
        }
        if manifest.groups.contains_key(name) {
            let message = format!("`{name}` is the name of a service and of a group");
            return Err(Problem::at(service.command.span(), message).help("rename one of them"));
        }
    }
    Ok(())
}

/// Rejects a directory outside the project.
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
        format!("the directory `{}` is outside the project", dir.get_ref()),
    )
    .help("write it relative to the directory of `portway.toml`, without `..`"))
}

/// Rejects commands, directories and variables that the system cannot pass to a process: a NUL
/// character in them, or `=` in the name of a variable.
pub(super) fn texts(name: &str, spec: &Service) -> Result<(), Problem> {
    let prepare = spec.prepare.as_ref();
    let dirs = [
        spec.dir.as_ref(),
        prepare.and_then(|prepare| prepare.dir.as_ref()),
    ];
    for (variable, value) in &spec.env {
        if variable.is_empty() || variable.contains(['=', '\0']) {
            let message = format!("`{}` is not a valid variable name", variable.escape_debug());
            return Err(Problem::at(value.span(), message).help(
                "use a name that is not empty and contains neither `=` nor a NUL character",
            ));
        }
    }
    let texts = commands(spec).chain(dirs.into_iter().flatten());
    match texts
        .chain(spec.env.values())
        .find(|text| text.get_ref().contains('\0'))
    {
        Some(text) => {
            let message = format!("a value of `{name}` contains a NUL character");
            Err(Problem::at(text.span(), message)
                .help("remove it: commands, paths and variables cannot contain one"))
        }
        None => Ok(()),
    }
}

/// All commands of a service, those for Windows included.
fn commands(spec: &Service) -> impl Iterator<Item = &Text> {
    let ready = spec
        .ready
        .as_ref()
        .and_then(|ready| ready.get_ref().exec.as_ref());
    let live = spec
        .liveness
        .as_ref()
        .and_then(|live| live.get_ref().exec.as_ref());
    let windows = &spec.windows;
    fn prepare(prepare: &Option<Prepare>) -> Option<&Text> {
        prepare.as_ref().map(|prepare| &prepare.command)
    }
    [
        Some(&spec.command),
        prepare(&spec.prepare),
        ready,
        live,
        windows.command.as_ref(),
        prepare(&windows.prepare),
    ]
    .into_iter()
    .flatten()
}

/// Rejects `lan = true` for a service that is not HTTP: every device on the network could open a
/// database.
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
        format!("the kind `{}` is not HTTP", kind.as_str())
    };
    let message = format!("`{name}` cannot be published on the local network: {why}");
    Err(Problem::at(spec.command.span(), message).help("remove `lan = true`"))
}

/// Rejects `max_body` for a service that gets no requests from the gateway.
pub(super) fn max_body(
    name: &str,
    spec: &Service,
    kind: Kind,
    ports: &[PlannedPort],
) -> Result<(), Problem> {
    match &spec.max_body {
        Some(size) if !kind.is_http() || ports.is_empty() => {
            let message =
                format!("`{name}` has a `max_body`, but the gateway does not route requests to it");
            Err(Problem::at(size.span(), message)
                .help("remove it: only an HTTP service with a port can have one"))
        }
        _ => Ok(()),
    }
}

/// Checks the health path, which Portway requests from the main port.
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
            fail(format!("the health path `{text}` does not start with `/`"))
                .help("write it as `health = \"/health\"`, without host and port"),
        );
    }
    if let Some(wrong) = text.chars().find(|c| !c.is_ascii_graphic() || *c == '#') {
        return Err(fail(format!(
            "the health path `{}` contains the character {wrong:?}",
            text.escape_debug()
        ))
        .help("percent-encode it, as in `%20`"));
    }
    if !kind.is_http() {
        return Err(fail(format!(
            "`{name}` has a health path, but the kind `{}` is not HTTP",
            kind.as_str()
        ))
        .help("remove it, or set `kind = \"http\"`"));
    }
    if ports.is_empty() {
        return Err(fail(format!("`{name}` has a health path, but no port"))
            .help("add one: `port = \"9100-9199\"`"));
    }
    Ok(())
}

/// Rejects a `NAME_health_url` that is also the URL of another service or port.
pub(super) fn health_keys(manifest: &Manifest) -> Result<(), Problem> {
    for (name, spec) in &manifest.services {
        let Some(path) = &spec.health else {
            continue;
        };
        let own = format!("{}_health", identifier(name));
        let same = manifest.services.iter().find_map(|(other, service)| {
            let main = service.ports.get_index_of("http").unwrap_or(0);
            let named = service.ports.keys().enumerate();
            let mut named = named.filter(|(index, _)| *index != main);
            let of_port = |port: &str| format!("{}_{}", identifier(other), identifier(port));
            if identifier(other) == own {
                return Some(format!("the service `{other}`"));
            }
            let (_, port) = named.find(|(_, port)| of_port(port) == own)?;
            Some(format!("the port `{port}` of `{other}`"))
        });
        if let Some(other) = same {
            return Err(Problem::at(
                path.span(),
                format!(
                    "the key `{own}_url` of the health path of `{name}` is also the key of {other}"
                ),
            )
            .help("rename one of them, or remove `health`"));
        }
    }
    Ok(())
}

/// Rejects a cycle of services that wait for each other. The message shows the cycle.
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
    let after = service.after.0.iter().map(|(other, _)| other);
    for other in after.chain(&service.only_if_empty) {
        if let Some(start) = path.iter().position(|seen| *seen == other.get_ref()) {
            let mut cycle: Vec<String> = path[start..].iter().map(|s| format!("`{s}`")).collect();
            cycle.push(format!("`{}`", other.get_ref()));
            return Err(Problem::at(
                other.span(),
                format!("services wait for each other: {}", cycle.join(" → ")),
            )
            .help("remove one of these `after` or `only_if_empty` entries"));
        }
        walk(manifest, other.get_ref(), path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}

/// Rejects two services whose range is the same single port: they cannot run together.
pub(super) fn single_ports(
    manifest: &Manifest,
    services: &IndexMap<String, PlannedService>,
) -> Result<(), Problem> {
    let mut single: IndexMap<u16, &str> = IndexMap::new();
    for (name, service) in services {
        for port in service.ports.iter().filter(|p| p.spec.range.size() == 1) {
            let number = port.spec.prefer;
            if let Some(other) = single.insert(number, name) {
                let span = manifest.services[name].command.span();
                let message = format!("`{other}` and `{name}` both require port {number}");
                return Err(
                    Problem::at(span, message).help("give one of them another port or a range")
                );
            }
        }
    }
    Ok(())
}

/// Expands every placeholder once, so that a misspelled one is reported before anything starts.
pub(super) fn placeholders(manifest: &Manifest) -> Result<(), Problem> {
    let names: Vec<&str> = manifest.services.keys().map(String::as_str).collect();
    // Preferences change which port a service gets, not whether it has one.
    let preferences = Preferences::default();
    let ports: IndexMap<&str, Vec<PlannedPort>> = manifest
        .services
        .iter()
        .map(|(name, spec)| {
            let kind = kind(name, spec);
            let only_port = || preferences.port_spec("", name, kind, spec.port.as_ref());
            Ok((name.as_str(), ports(name, spec, kind, only_port)?))
        })
        .collect::<Result<_, Problem>>()?;
    let lookup = |service: &str, property: Property<'_>, _: &str| {
        let ports = ports.get(service)?;
        let exists = match property {
            Property::Name
            | Property::Instance
            | Property::Project
            | Property::Branch
            | Property::Origins
            | Property::Host => true,
            Property::Port(None) | Property::Url(None) => !ports.is_empty(),
            Property::Port(Some(name)) | Property::Url(Some(name)) => {
                ports.iter().any(|port| port.name.as_deref() == Some(name))
            }
        };
        exists.then(String::new)
    };
    for (name, spec) in &manifest.services {
        let url = spec.database.as_ref().and_then(|one| one.url.as_ref());
        let env = spec.env.values().chain(spec.windows.env.values());
        for text in commands(spec).chain(env).chain(url) {
            template::expand(text.get_ref(), name, &names, lookup)
                .map_err(|error| placeholder_problem(manifest, text, error))?;
        }
    }
    Ok(())
}

/// Points at the placeholder itself, unless the text is written with escapes.
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
