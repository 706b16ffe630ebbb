//! Commands that run only if a database is empty: which database, and whether variables refer to another one.

use serde::{Deserialize, Serialize};

use super::address::{DatabaseAddress, Engine};

/// A database that must have no tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyDatabase {
    /// All databases of the server in the container of a service.
    Container {
        /// The service.
        service: String,
        /// The kind of server.
        engine: Engine,
    },
    /// A file of SQLite, relative to the project's root.
    File(String),
}

impl EmptyDatabase {
    /// Returns the service or the file, as the manifest names it.
    pub fn name(&self) -> &str {
        match self {
            Self::Container { service, .. } => service,
            Self::File(file) => file,
        }
    }
}

/// Hosts that mean this machine.
const LOCAL: [&str; 7] = [
    "",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "::1",
    "[::1]",
    "host.docker.internal",
];

/// Parts of names of variables with the address of a database, and the engine that each means.
const NAMES: [(&str, Option<Engine>); 9] = [
    ("DB", None),
    ("DATABASE", None),
    ("SQL", None),
    ("POSTGRES", Some(Engine::Postgres)),
    ("POSTGRESQL", Some(Engine::Postgres)),
    ("PG", Some(Engine::Postgres)),
    ("PGHOST", Some(Engine::Postgres)),
    ("MYSQL", Some(Engine::Mysql)),
    ("MARIADB", Some(Engine::Mysql)),
];

/// Parts of names of variables with databases that a migration of the application does not use.
const OTHERS: [&str; 5] = ["TEST", "TESTING", "SHADOW", "REPLICA", "READONLY"];

/// Returns where a variable of an application refers to if that is a database, but not the server of `engine` on
/// one of the `ports` of this machine: another server, or a file of SQLite.
pub fn refers_elsewhere(name: &str, value: &str, engine: Engine, ports: &[u16]) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let parts: Vec<&str> = upper.split('_').collect();
    let value = value.trim();
    if value.is_empty() || parts.iter().any(|part| OTHERS.contains(part)) {
        return None;
    }
    let is_own = |port: &str| port.parse().is_ok_and(|port| ports.contains(&port));
    if let Some(address) = DatabaseAddress::parse(value) {
        let server = address.server;
        let is_it = server.engine == engine && server.host == "localhost" && is_own(&server.port);
        return (server.engine == engine && !is_it).then(|| server.to_string());
    }
    let of_engine = NAMES
        .iter()
        .filter(|(name, _)| parts.contains(name))
        .find(|(_, of)| of.is_none_or(|of| of == engine));
    of_engine?;
    let scheme = value.to_ascii_lowercase();
    if ["sqlite:", "sqlite3:", "sqlite+", "file:"]
        .iter()
        .any(|start| scheme.starts_with(start))
    {
        return Some("a file of SQLite".into());
    }
    match *parts.last()? {
        "HOST" | "HOSTNAME" | "SERVER" | "ADDR" | "PGHOST" => {
            (!LOCAL.contains(&scheme.as_str())).then(|| format!("`{value}`"))
        }
        "PORT" => (!is_own(value)).then(|| format!("port {value}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_variables_of_other_databases() {
        let elsewhere = |name, value| refers_elsewhere(name, value, Engine::Postgres, &[5433]);
        for (name, value) in [
            ("DATABASE_URL", "postgres://u:p@localhost:5433/app"),
            (
                "DATABASE_URL",
                "postgresql+asyncpg://u:p@127.0.0.1:5433/app",
            ),
            ("TEST_DATABASE_URL", "postgres://localhost/test"),
            ("DB_HOST", "localhost"),
            ("DB_HOST", ""),
            ("DB_PORT", "5433"),
            ("MYSQL_HOST", "db.example.com"),
            ("REDIS_URL", "redis://localhost:6379"),
            ("DB_NAME", "app"),
            ("SMTP_HOST", "mail.example.com"),
            ("PORT", "8000"),
        ] {
            assert_eq!(elsewhere(name, value), None, "{name}={value}");
        }
        for (name, value, place) in [
            (
                "DATABASE_URL",
                "postgres://u:p@db.example.com/app",
                "PostgreSQL at db.example.com:5432",
            ),
            (
                "PRIMARY",
                "postgres://localhost/app",
                "PostgreSQL at localhost:5432",
            ),
            ("DATABASE_URL", "sqlite:///app.db", "a file of SQLite"),
            ("POSTGRES_SERVER", "db.example.com", "`db.example.com`"),
            ("PGHOST", "/run/postgresql", "`/run/postgresql`"),
            ("DB_PORT", "5432", "port 5432"),
        ] {
            assert_eq!(
                elsewhere(name, value).as_deref(),
                Some(place),
                "{name}={value}"
            );
        }
    }
}
