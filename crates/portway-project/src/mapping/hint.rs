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

/// Parts of names that stand for a kind.
const KINDS: [(Kind, &[&str]); 7] = [
    (Kind::Postgres, &["postgres", "postgresql", "pg", "psql"]),
    (Kind::Mysql, &["mysql", "mariadb"]),
    (Kind::Redis, &["redis", "valkey"]),
    (Kind::Mongodb, &["mongo", "mongodb"]),
    (Kind::Amqp, &["amqp", "rabbitmq", "rabbit"]),
    (Kind::Nats, &["nats"]),
    (Kind::Memcached, &["memcached", "memcache"]),
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

/// Returns whether a URL with this scheme can refer to a port of this kind.
pub(super) fn scheme_fits(scheme: &str, kind: Kind) -> bool {
    match kind_of_scheme(scheme) {
        Some(wanted) => kind == wanted,
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

/// Returns the main ports that the name of a variable refers to: of the service with that name, or else
/// of the kind, or else of the role that it names.
pub(super) fn endpoints<'a>(variable: &str, endpoints: &'a [Endpoint]) -> Vec<&'a Endpoint> {
    let parts = parts(variable);
    let has = |known: &[&str]| parts.iter().any(|part| known.contains(&part.as_str()));
    let main = || endpoints.iter().filter(|one| one.name.is_none());
    let named = |one: &&Endpoint| {
        let service = self::parts(&one.service);
        service.iter().all(|part| parts.contains(part))
    };
    let length = |one: &Endpoint| self::parts(&one.service).len();
    let longest = main().filter(named).map(length).max();
    if let Some(longest) = longest {
        let is_longest = |one: &&Endpoint| length(one) == longest;
        return main().filter(named).filter(is_longest).collect();
    }
    if let Some((kind, _)) = KINDS.iter().find(|(_, names)| has(names)) {
        return main().filter(|one| one.kind == *kind).collect();
    }
    if has(&SQL) {
        let is_sql = |one: &&Endpoint| matches!(one.kind, Kind::Postgres | Kind::Mysql);
        return main().filter(is_sql).collect();
    }
    let telling: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !NEUTRAL.contains(part))
        .collect();
    let all = |known: &[&str]| !telling.is_empty() && telling.iter().all(|one| known.contains(one));
    if all(&BACKEND) {
        return main().filter(|one| one.kind == Kind::Http).collect();
    }
    if all(&PAGE) {
        return main().filter(|one| one.kind == Kind::Frontend).collect();
    }
    Vec::new()
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
