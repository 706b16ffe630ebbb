//! What the name of a variable and the scheme of a URL say about the service that they refer to.

use super::Endpoint;
use crate::kind::Kind;

/// Parts of names that say nothing about the service.
const NEUTRAL: [&str; 33] = [
    "vite",
    "next",
    "nuxt",
    "react",
    "app",
    "expo",
    "ng",
    "gatsby",
    "public",
    "private",
    "internal",
    "external",
    "local",
    "dev",
    "development",
    "default",
    "base",
    "url",
    "uri",
    "urls",
    "host",
    "hosts",
    "hostname",
    "port",
    "endpoint",
    "address",
    "addr",
    "dsn",
    "origin",
    "origins",
    "v1",
    "v2",
    "target",
];

/// Parts of names that stand for any SQL database.
const SQL: [&str; 3] = ["database", "db", "sql"];

/// Parts of names that stand for a backend, and for a page.
const BACKEND: [&str; 4] = ["api", "backend", "server", "service"];
const PAGE: [&str; 6] = ["frontend", "web", "client", "ui", "site", "website"];

/// Parts of names that stand for a kind, with its name in a sentence.
const KINDS: [(Kind, &str, &[&str]); 7] = [
    (
        Kind::Postgres,
        "PostgreSQL",
        &["postgres", "postgresql", "pg", "psql"],
    ),
    (Kind::Mysql, "MySQL", &["mysql", "mariadb"]),
    (Kind::Redis, "Redis", &["redis", "valkey"]),
    (Kind::Mongodb, "MongoDB", &["mongo", "mongodb"]),
    (Kind::Amqp, "RabbitMQ", &["amqp", "rabbitmq", "rabbit"]),
    (Kind::Nats, "NATS", &["nats"]),
    (Kind::Memcached, "memcached", &["memcached", "memcache"]),
];

/// Schemes and the kind that they stand for. Other schemes, such as `http`, stand for no database.
const SCHEMES: [(&str, Kind); 12] = [
    ("postgres", Kind::Postgres),
    ("postgresql", Kind::Postgres),
    ("mysql", Kind::Mysql),
    ("mysql2", Kind::Mysql),
    ("mariadb", Kind::Mysql),
    ("redis", Kind::Redis),
    ("rediss", Kind::Redis),
    ("valkey", Kind::Redis),
    ("mongodb", Kind::Mongodb),
    ("amqp", Kind::Amqp),
    ("amqps", Kind::Amqp),
    ("nats", Kind::Nats),
];

fn kind_of_scheme(scheme: &str) -> Option<Kind> {
    let mut schemes = SCHEMES.iter();
    let found = schemes.find(|(name, _)| name.eq_ignore_ascii_case(scheme));
    found.map(|(_, kind)| *kind)
}

/// Schemes of protocols that are neither HTTP nor those of a known kind.
const NO_PAGES: [&str; 8] = [
    "ftp", "imap", "ldap", "ldaps", "mqtt", "sftp", "smtp", "smtps",
];

fn is_no_page(scheme: &str) -> bool {
    NO_PAGES
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
}

/// Returns whether a scheme is one of HTTP.
pub(super) fn is_http(scheme: &str) -> bool {
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(scheme))
}

/// Returns whether a URL with this scheme can refer to a port of this kind.
pub(super) fn scheme_fits(scheme: &str, kind: Kind) -> bool {
    match kind_of_scheme(scheme) {
        Some(wanted) => kind == wanted,
        None if is_no_page(scheme) => matches!(kind, Kind::Tcp | Kind::Udp),
        None => kind.is_http() || matches!(kind, Kind::Tcp | Kind::Udp),
    }
}

/// Returns the port of a URL with this scheme and without a port.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        scheme => kind_of_scheme(scheme)?.usual_port(),
    }
}

/// Prefixes that frameworks prescribe. They say nothing about the service.
const PREFIXES: [&str; 11] = [
    "NEXT_PUBLIC_",
    "NUXT_PUBLIC_",
    "EXPO_PUBLIC_",
    "REACT_APP_",
    "VUE_APP_",
    "NG_APP_",
    "GATSBY_",
    "PUBLIC_",
    "NEXT_",
    "NUXT_",
    "VITE_",
];

/// Returns the name of a variable without the prefixes of frameworks.
fn without_prefixes(variable: &str) -> &str {
    let mut rest = variable;
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    rest
}

/// What the name of a variable says about the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its name.
    Service,
    /// Its kind, such as "an API".
    Kind(&'static str),
}

/// Returns the main ports that the name of a variable refers to: of the service with that name, or else
/// of the kind, or else of the role that it names.
pub(super) fn endpoints<'a>(variable: &str, endpoints: &'a [Endpoint]) -> Vec<&'a Endpoint> {
    let parts = parts(without_prefixes(variable));
    let named = by_service(&parts, endpoints, |_| true);
    match named.is_empty() {
        true => by_role(&parts, endpoints).map_or_else(Vec::new, |(_, found)| found),
        false => named,
    }
}

/// Returns the main ports that the whole name of a variable stands for, and what it says about them.
pub(super) fn meant<'a>(
    variable: &str,
    endpoints: &'a [Endpoint],
) -> Option<(Role, Vec<&'a Endpoint>)> {
    let parts = parts(without_prefixes(variable));
    // `AUTH_SERVICE_URL` stands for a service `auth`, and `AUTH_API_URL` not for a service `api`.
    let is_whole = |service: &[String]| {
        let mut rest = parts.iter().map(String::as_str);
        rest.all(|part| {
            NEUTRAL.contains(&part)
                || BACKEND.contains(&part)
                || PAGE.contains(&part)
                || service.iter().any(|own| own == part)
        })
    };
    let named = by_service(&parts, endpoints, is_whole);
    match named.is_empty() {
        true => by_role(&parts, endpoints).map(|(what, found)| (Role::Kind(what), found)),
        false => Some((Role::Service, named)),
    }
}

/// Returns the main ports of the services whose names are in the name of a variable, those with the longest
/// names. `accepts` gets the parts of the service's name.
fn by_service<'a>(
    parts: &[String],
    endpoints: &'a [Endpoint],
    accepts: impl Fn(&[String]) -> bool,
) -> Vec<&'a Endpoint> {
    let named = endpoints.iter().filter(|one| one.name.is_none());
    let named = named.map(|one| (self::parts(&one.service), one));
    let named: Vec<_> = named
        .filter(|(service, _)| service.iter().all(|part| parts.contains(part)) && accepts(service))
        .collect();
    let longest = named.iter().map(|(service, _)| service.len()).max();
    let longest = named
        .into_iter()
        .filter(|(service, _)| Some(service.len()) == longest);
    longest.map(|(_, one)| one).collect()
}

/// Returns the main ports of the kind or of the role that the name of a variable says, and what it says.
fn by_role<'a>(
    parts: &[String],
    endpoints: &'a [Endpoint],
) -> Option<(&'static str, Vec<&'a Endpoint>)> {
    let has = |known: &[&str]| parts.iter().any(|part| known.contains(&part.as_str()));
    let main = || endpoints.iter().filter(|one| one.name.is_none());
    if let Some((kind, what, _)) = KINDS.iter().find(|(_, _, names)| has(names)) {
        return Some((what, main().filter(|one| one.kind == *kind).collect()));
    }
    if has(&SQL) {
        let is_sql = |one: &&Endpoint| matches!(one.kind, Kind::Postgres | Kind::Mysql);
        return Some(("a database", main().filter(is_sql).collect()));
    }
    let telling: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !NEUTRAL.contains(part))
        .collect();
    let all = |known: &[&str]| !telling.is_empty() && telling.iter().all(|one| known.contains(one));
    let is_page = |one: &&Endpoint| one.kind.serves_pages(&one.service);
    if all(&BACKEND) {
        let is_backend = |one: &&Endpoint| one.kind == Kind::Http && !is_page(one);
        return Some(("an API", main().filter(is_backend).collect()));
    }
    if all(&PAGE) {
        return Some(("a page", main().filter(is_page).collect()));
    }
    None
}

/// Splits a name into its parts in lower case: `authApi_URL` into `auth`, `api` and `url`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for character in name.chars() {
        let splits = !character.is_ascii_alphanumeric();
        if splits || (was_lower && character.is_ascii_uppercase()) {
            parts.push(String::new());
        }
        if let Some(last) = parts.last_mut().filter(|_| !splits) {
            last.push(character.to_ascii_lowercase());
        }
        was_lower = character.is_ascii_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services() -> Vec<Endpoint> {
        let one = |service: &str, kind| Endpoint {
            service: service.into(),
            name: None,
            kind,
            usual: vec![],
            hosts: vec![],
            container: None,
            is_plain_http: false,
        };
        vec![
            one("api", Kind::Http),
            one("auth-api", Kind::Http),
            one("web", Kind::Frontend),
            one("db", Kind::Postgres),
            one("cache", Kind::Redis),
        ]
    }

    #[test]
    fn a_name_refers_to_a_service_a_kind_or_a_role() {
        let services = services();
        for (name, expected) in [
            ("VITE_API_URL", &["api"][..]),
            ("AUTH_API_URL", &["auth-api"]),
            ("authApiUrl", &["auth-api"]),
            ("BACKEND_URL", &["api", "auth-api"]),
            ("FRONTEND_ORIGIN", &["web"]),
            ("DATABASE_URL", &["db"]),
            ("PGHOST", &[]),
            ("PG_HOST", &["db"]),
            ("REDIS_URL", &["cache"]),
            ("OLLAMA_SERVER_URL", &[]),
            ("APP_URL", &[]),
            ("", &[]),
        ] {
            let found: Vec<&str> = endpoints(name, &services)
                .iter()
                .map(|one| one.service.as_str())
                .collect();
            assert_eq!(found, expected, "{name}");
        }
    }
}
