//! Addresses in two variables: `DB_HOST` and `DB_PORT`.

use super::address::is_this_machine;
use super::value::{MappedValue, Part};
use super::{AppVariable, Context, Endpoint, MappedVariable, Origin, hint, named};

/// The last parts of names of variables with a host.
const HOSTS: [&str; 5] = ["HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS"];

/// The name of this machine in containers. Outside of them, it often resolves to nothing.
const OF_CONTAINERS: &str = "host.docker.internal";

/// Names of databases and similar that precede `HOST` and `PORT` without a separator.
const GLUED: [&str; 14] = [
    "CACHE",
    "DATABASE",
    "DB",
    "MAIL",
    "MARIADB",
    "MEMCACHED",
    "MONGO",
    "MONGODB",
    "MYSQL",
    "PG",
    "POSTGRES",
    "RABBITMQ",
    "REDIS",
    "SMTP",
];

/// Maps a variable that contains only a host or only a port.
pub(super) fn map(
    context: &Context<'_>,
    variable: &AppVariable,
) -> Option<(MappedValue, Vec<String>)> {
    let (prefix, last) = split(&variable.name)?;
    let value = variable.value.trim();
    if value.is_empty() {
        return map_empty(context, variable, (prefix, last));
    }
    if last.eq_ignore_ascii_case("PORT") {
        let port: u16 = value.parse().ok().filter(|port| *port > 0)?;
        let (endpoint, meaning) = port_owner(context, &variable.name, (prefix, last), port)?;
        // Code of other programs in the checkout has such defaults too.
        if !endpoint.usual.contains(&port) && variable.origin == Origin::Code {
            return None;
        }
        return Some((MappedValue::of(port_of(endpoint)), vec![meaning]));
    }
    if is_host_name(last) {
        if context.is_off(value) {
            let host = MappedValue::literal(super::context::LOCALHOST);
            return Some((host, vec![super::context::off_meaning(value)]));
        }
        if value.eq_ignore_ascii_case(OF_CONTAINERS) {
            let endpoint = beside_port(context, &variable.name, prefix)?;
            let meaning = format!("`{value}` is this machine, which runs {}", endpoint.label());
            let service = endpoint.service.clone();
            return Some((MappedValue::of(Part::Host { service }), vec![meaning]));
        }
        let endpoint = context.by_alias(value)?;
        let meaning = super::context::host_name(value, endpoint);
        let service = endpoint.service.clone();
        return Some((MappedValue::of(Part::Host { service }), vec![meaning]));
    }
    None
}

/// Parts of names of variables for another database than that of development.
const OTHERS: [&str; 6] = ["PROD", "PRODUCTION", "REPLICA", "SHADOW", "STAGING", "TEST"];

/// Maps a host or a port that an example file leaves to the user, if it is that of the only database, broker or
/// similar that its name means. The two parts are those of its name.
fn map_empty(
    context: &Context<'_>,
    variable: &AppVariable,
    (prefix, last): (&str, &str),
) -> Option<(MappedValue, Vec<String>)> {
    let is_other = |part: &str| OTHERS.contains(&part.to_ascii_uppercase().as_str());
    if variable.origin != Origin::Example || prefix.split('_').any(is_other) {
        return None;
    }
    let of_kind = hinted(context, &variable.name, prefix).into_iter();
    let mut of_kind = of_kind.filter(|one| one.kind.usual_port().is_some());
    let only = of_kind.next().filter(|_| of_kind.next().is_none())?;
    let service = only.service.clone();
    let part = match last {
        last if is_host_name(last) => Part::Host { service },
        last if last.eq_ignore_ascii_case("PORT") => port_of(only),
        _ => return None,
    };
    let meaning = format!(
        "it is empty there, and {} is the one it names",
        only.label()
    );
    Some((MappedValue::of(part), vec![meaning]))
}

/// Adds the port to each host that was mapped, if the application has no variable for the port: it would
/// use the service's usual port.
pub(super) fn add_missing_ports(context: &Context<'_>, variables: &mut Vec<MappedVariable>) {
    let mut more = Vec::new();
    for variable in &*variables {
        let [Part::Host { service }] = &variable.value.parts[..] else {
            continue;
        };
        let Some((prefix, last)) = split(&variable.name) else {
            continue;
        };
        let name = format!("{prefix}{}", like(last, "port"));
        let endpoint = default_port(context.endpoints, service, prefix);
        if let Some(endpoint) = endpoint.filter(|_| !context.by_name.contains_key(name.as_str())) {
            more.push(MappedVariable {
                name,
                value: MappedValue::of(port_of(endpoint)),
                place: variable.place.clone(),
                meaning: variable.meaning.clone(),
            });
        }
    }
    variables.extend(more);
}

/// Parts of names of variables that stand for the protocol of mail.
const MAIL: [&str; 4] = ["smtp", "mail", "email", "mailer"];

/// Returns the port of a service to which a client connects if only its host is set.
fn default_port<'a>(
    endpoints: &'a [Endpoint],
    service: &str,
    prefix: &str,
) -> Option<&'a Endpoint> {
    let mut own = endpoints.iter().filter(|one| one.service == service);
    let is_mail = prefix
        .split('_')
        .any(|part| MAIL.contains(&part.to_ascii_lowercase().as_str()));
    match is_mail {
        // Its main port is often that of a web page.
        true => own.find(|one| !one.kind.is_http() || one.name.as_deref() == Some("smtp")),
        false => own.next(),
    }
}

/// Splits a name into its last part and what is before it, with the separator: `DB_` and `PORT`.
/// Names without one are split behind the name of a database, as libpq and hosting providers write them
/// (`PGPORT`, `REDISHOST`), and before a capital letter (`dbHost`).
fn split(name: &str) -> Option<(&str, &str)> {
    let glued = GLUED.into_iter().find_map(|prefix| {
        let last = name.strip_prefix(prefix)?;
        ["PORT", "HOST"].contains(&last).then_some((prefix, last))
    });
    if glued.is_some() {
        return glued;
    }
    if let Some(at) = name.rfind('_').filter(|at| *at > 0) {
        return Some(name.split_at(at + 1));
    }
    let at = name.rfind(|c: char| c.is_ascii_uppercase())?;
    let is_camel = name[..at].ends_with(|c: char| c.is_ascii_lowercase());
    is_camel.then(|| name.split_at(at))
}

/// Returns `word`, which is in lower case, in the spelling of `last`: `PORT` like `HOST`, `Port` like `Host`.
fn like(last: &str, word: &str) -> String {
    let mut letters = last.chars().map(|c| c.is_ascii_uppercase());
    match (letters.next(), letters.next()) {
        (Some(true), Some(true)) => word.to_ascii_uppercase(),
        (Some(true), _) => format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]),
        _ => word.to_owned(),
    }
}

fn is_host_name(last: &str) -> bool {
    HOSTS.iter().any(|known| last.eq_ignore_ascii_case(known))
}

/// Returns the port to which a variable with a host of this machine belongs: that of the variable with the
/// number beside it, or else the one that its name says.
fn beside_port<'a>(context: &Context<'a>, name: &str, prefix: &str) -> Option<&'a Endpoint> {
    let number = ["PORT", "Port", "port"].into_iter().find_map(|last| {
        let name = format!("{prefix}{last}");
        let variable = context.by_name.get(name.as_str())?;
        Some((name, variable.value.trim().parse().ok()?))
    });
    if let Some((name, port)) = number {
        let last = &name[prefix.len()..];
        return port_owner(context, &name, (prefix, last), port).map(|(endpoint, _)| endpoint);
    }
    match hinted(context, name, prefix)[..] {
        [only] => Some(only),
        _ => None,
    }
}

/// Returns the part of a name that says which service it refers to.
fn service_part<'n>(name: &'n str, prefix: &'n str) -> &'n str {
    match GLUED.contains(&prefix) {
        true => prefix,
        false => name,
    }
}

/// Returns the ports that the name of a variable refers to.
fn hinted<'a>(context: &Context<'a>, name: &str, prefix: &str) -> Vec<&'a Endpoint> {
    hint::endpoints(service_part(name, prefix), context.endpoints)
}

/// Returns the port that a variable with a number stands for, and why. The two parts are those of its name.
fn port_owner<'a>(
    context: &Context<'a>,
    name: &str,
    (prefix, last): (&str, &str),
    port: u16,
) -> Option<(&'a Endpoint, String)> {
    let hosts = HOSTS.iter().map(|host| like(last, &host.to_lowercase()));
    let host = hosts.into_iter().find_map(|last| {
        let variable = context.by_name.get(format!("{prefix}{last}").as_str())?;
        Some(variable.value.trim()).filter(|value| !value.is_empty())
    });
    if let Some(host) = host {
        if let Some(endpoint) = context.by_alias_and_port(host, Some(port)) {
            let meaning = match endpoint.usual.contains(&port) {
                true => super::context::number(port, endpoint),
                false => super::context::host_name(host, endpoint),
            };
            return Some((endpoint, meaning));
        }
        if !is_this_machine(host) {
            return None;
        }
    }
    let hinted = hinted(context, name, prefix);
    let usual = context
        .endpoints
        .iter()
        .filter(|one| one.usual.contains(&port));
    let usual: Vec<&Endpoint> = usual.collect();
    let fitting: Vec<&Endpoint> = usual
        .iter()
        .copied()
        .filter(|one| hinted.is_empty() || hinted.contains(one))
        .collect();
    // A container with a page, such as that of a mail server, has other ports as well.
    let is_sure = |one: &Endpoint| one.container.is_none() || one.kind.usual_port().is_some();
    match fitting[..] {
        [only] => Some((only, super::context::number(port, only))),
        [] if usual.is_empty() => {
            let name = service_part(name, prefix);
            named::endpoint(name, port, context.owner, context.endpoints, is_sure)
        }
        _ => None,
    }
}

fn port_of(endpoint: &Endpoint) -> Part {
    Part::Port {
        service: endpoint.service.clone(),
        name: endpoint.name.clone(),
    }
}
