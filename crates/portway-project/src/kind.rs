//! What kind of server a service is: its URL's scheme, its usual ports, who calls it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a service speaks, and whether people look at it in a browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Speaks HTTP and serves programs.
    Http,
    /// Speaks HTTP and serves the pages: its origins go into `CORS_ORIGINS`, and a port that was
    /// forced on it may give way.
    Frontend,
    /// Redis or Valkey.
    Redis,
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// MongoDB.
    Mongodb,
    /// RabbitMQ and other AMQP brokers.
    Amqp,
    /// NATS.
    Nats,
    /// Memcached.
    Memcached,
    /// Anything else that speaks over TCP.
    Tcp,
}

/// Names and programs by which a kind is known. The first column is matched against the service's
/// name and its parts, the second against the first words of its command.
const KNOWN: [(Kind, &[&str], &[&str]); 8] = [
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

impl Kind {
    /// The kind that a service's name or its command's program tells, HTTP where neither does.
    pub fn infer(name: &str, command: &str) -> Self {
        let by_name = |known: &[&str]| {
            name.split(['-', '_', '.'])
                .any(|part| known.contains(&part.to_ascii_lowercase().as_str()))
        };
        // A program may stand behind `npx`, `exec` or a path; further than that nobody guesses.
        let by_program = |known: &[&str]| {
            command
                .split_whitespace()
                .take(2)
                .map(|word| word.rsplit('/').next().unwrap_or(word))
                .any(|program| known.contains(&program))
        };
        KNOWN
            .into_iter()
            .find(|(_, names, _)| by_name(names))
            .or_else(|| {
                KNOWN
                    .into_iter()
                    .find(|(_, _, programs)| by_program(programs))
            })
            .map_or(Self::Http, |(kind, ..)| kind)
    }

    /// Its name as the manifest writes it.
    pub fn word(self) -> &'static str {
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
        }
    }

    /// Whether it speaks HTTP, so that a browser may call it.
    pub fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Frontend)
    }

    /// The name under which the preferences (`ranges.NAME`) have the ports of a service that names
    /// none. `None` for a kind without usual ports; `backend` is known by its name alone.
    pub fn range_name(self, service: &str) -> Option<&'static str> {
        match self {
            Self::Http if service == "backend" => Some("backend"),
            Self::Http | Self::Tcp => None,
            _ => Some(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_programs_tell_the_kind() {
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
