//! The kind of a service: its protocol, and whether its users are browsers or programs.

use portway_ports::Protocol;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The protocol of a service, and whether people open it in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An HTTP service that programs call.
    Http,
    /// An HTTP service that serves web pages. `CORS_ORIGINS` contains its origins, and it may use
    /// another port if its forced port is in use.
    Frontend,
    /// Redis or Valkey.
    Redis,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// MongoDB.
    Mongodb,
    /// RabbitMQ or another AMQP broker.
    Amqp,
    /// NATS.
    Nats,
    /// Memcached.
    Memcached,
    /// Any other protocol over TCP.
    Tcp,
    /// Any protocol over UDP.
    Udp,
}

/// For each kind: parts of service names, and programs in commands, that identify it.
const IDENTIFIERS: [(Kind, &[&str], &[&str]); 8] = [
    (
        Kind::Frontend,
        &["frontend", "web", "ui", "client", "site", "www"],
        &["vite", "next", "nuxt", "astro"],
    ),
    (
        Kind::Redis,
        &["redis", "valkey"],
        &["redis-server", "valkey-server"],
    ),
    (
        Kind::Postgres,
        &["postgres", "postgresql", "pg"],
        &["postgres"],
    ),
    (Kind::Mysql, &["mysql", "mariadb"], &["mysqld", "mariadbd"]),
    (Kind::Mongodb, &["mongo", "mongodb"], &["mongod"]),
    (Kind::Amqp, &["rabbitmq", "amqp"], &["rabbitmq-server"]),
    (Kind::Nats, &["nats"], &["nats-server"]),
    (Kind::Memcached, &["memcached"], &["memcached"]),
];

/// Parts of the names of ports that speak HTTP, whatever their service speaks.
const HTTP_PORT_NAMES: [&str; 15] = [
    "http",
    "https",
    "web",
    "ui",
    "api",
    "admin",
    "console",
    "dashboard",
    "management",
    "mgmt",
    "metrics",
    "monitor",
    "monitoring",
    "health",
    "prometheus",
];

/// Parts of the names of ports that do not speak HTTP.
const TCP_PORT_NAMES: [&str; 6] = ["tcp", "grpc", "smtp", "debug", "debugger", "inspect"];

/// Usual ports of web interfaces of services that do not speak HTTP: RabbitMQ, NATS.
const HTTP_PORTS: [u16; 2] = [15672, 8222];

impl Kind {
    /// Infers the kind from a service's name or the program of its command. Default: HTTP.
    pub fn infer(name: &str, command: &str) -> Self {
        let has_name = |names: &[&str]| {
            name.split(['-', '_', '.'])
                .any(|part| names.contains(&part.to_ascii_lowercase().as_str()))
        };
        // The program may follow `npx` or `exec`, or be written with a path.
        let has_program = |programs: &[&str]| {
            command
                .split_whitespace()
                .take(2)
                .map(|word| word.rsplit('/').next().unwrap_or(word))
                .any(|program| programs.contains(&program))
        };
        IDENTIFIERS
            .into_iter()
            .find(|(_, names, _)| has_name(names))
            .or_else(|| {
                IDENTIFIERS
                    .into_iter()
                    .find(|(_, _, programs)| has_program(programs))
            })
            .map_or(Self::Http, |(kind, ..)| kind)
    }

    /// Its name as in the manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Frontend => "frontend",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
            Self::Amqp => "amqp",
            Self::Nats => "nats",
            Self::Memcached => "memcached",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The scheme of its URLs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Http | Self::Frontend => "http",
            Self::Redis => "redis",
            Self::Postgres => "postgresql",
            Self::Mysql => "mysql",
            Self::Mongodb => "mongodb",
            Self::Amqp => "amqp",
            Self::Nats => "nats",
            Self::Memcached => "memcached",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The protocol of its ports, unless the manifest sets another.
    pub fn protocol(self) -> Protocol {
        match self {
            Self::Udp => Protocol::Udp,
            _ => Protocol::Tcp,
        }
    }

    /// Returns the kind of one port of a service of this kind, so that its URL has the right scheme.
    /// `name` is the port's name, if it has one, and `preferred` its preferred number.
    pub fn of_port(self, name: Option<&str>, is_main: bool, preferred: u16) -> Self {
        let parts = || {
            let name = name.unwrap_or_default().to_ascii_lowercase();
            let parts = name.split(['-', '_', '.']).map(str::to_owned);
            parts.collect::<Vec<_>>()
        };
        let has = |names: &[&str]| parts().iter().any(|part| names.contains(&part.as_str()));
        if has(&HTTP_PORT_NAMES) {
            return if self.is_http() { self } else { Self::Http };
        }
        if has(&TCP_PORT_NAMES) {
            return Self::Tcp;
        }
        let mut identifiers = IDENTIFIERS.into_iter();
        if let Some((kind, ..)) = identifiers.find(|(kind, names, _)| !kind.is_http() && has(names))
        {
            return kind;
        }
        if is_main || self.is_http() {
            self
        } else if HTTP_PORTS.contains(&preferred) {
            Self::Http
        } else {
            Self::Tcp
        }
    }

    /// The port on which servers of this kind listen by default, unless it differs from program to
    /// program.
    pub fn usual_port(self) -> Option<u16> {
        match self {
            Self::Redis => Some(6379),
            Self::Postgres => Some(5432),
            Self::Mysql => Some(3306),
            Self::Mongodb => Some(27017),
            Self::Amqp => Some(5672),
            Self::Nats => Some(4222),
            Self::Memcached => Some(11211),
            Self::Http | Self::Frontend | Self::Tcp | Self::Udp => None,
        }
    }

    /// Whether its protocol is HTTP.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Frontend)
    }

    /// Whether a service of this kind and with this name serves pages that call other services: a frontend,
    /// or an HTTP service with the name of one, whatever its program is.
    pub fn serves_pages(self, service: &str) -> bool {
        self == Self::Frontend || (self == Self::Http && Self::infer(service, "") == Self::Frontend)
    }

    /// The `NAME` of the preference `ranges.NAME` that applies to a service without a port in the
    /// manifest. `None` if there is no such preference.
    pub fn range_name(self, service: &str) -> Option<&'static str> {
        match self {
            // A backend is an HTTP service like any other, except for its name.
            Self::Http if service == "backend" => Some("backend"),
            Self::Http | Self::Tcp | Self::Udp => None,
            _ => Some(self.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_has_its_own_kind() {
        for (kind, name, is_main, preferred, expected) in [
            (Kind::Amqp, None, true, 5672, Kind::Amqp),
            (Kind::Amqp, Some("amqp"), true, 5672, Kind::Amqp),
            (Kind::Amqp, Some("management"), false, 15672, Kind::Http),
            (Kind::Amqp, Some("x"), false, 15672, Kind::Http),
            (Kind::Amqp, Some("http"), true, 15672, Kind::Http),
            (Kind::Amqp, Some("stream"), false, 5552, Kind::Tcp),
            (Kind::Frontend, Some("hmr"), false, 24678, Kind::Frontend),
            (Kind::Http, Some("grpc"), false, 50051, Kind::Tcp),
            (Kind::Http, Some("metrics"), false, 9100, Kind::Http),
            (Kind::Tcp, Some("main"), true, 8080, Kind::Tcp),
        ] {
            let found = kind.of_port(name, is_main, preferred);
            assert_eq!(found, expected, "{kind:?} {name:?}");
        }
    }

    #[test]
    fn infers_the_kind_from_the_name_or_the_program() {
        for (name, command, kind) in [
            ("backend", "uvicorn app:app", Kind::Http),
            ("frontend", "npm run dev", Kind::Frontend),
            ("admin-ui", "npm run dev", Kind::Frontend),
            ("shop", "npx vite --port {port}", Kind::Frontend),
            ("redis", "redis-server --port {port}", Kind::Redis),
            ("cache", "/usr/bin/redis-server", Kind::Redis),
            ("db", "exec postgres -D data", Kind::Postgres),
            ("guide", "python3 -m http.server", Kind::Http),
        ] {
            assert_eq!(Kind::infer(name, command), kind, "{name}: {command}");
        }
    }
}
