//! Addresses of databases in the forms that applications use, and the database's name in them.

mod pairs;
mod percent;

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use percent::decode;

/// A kind of database server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Returns the name of the product.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }

    /// Returns the longest name of a database, in bytes.
    pub fn max_name(self) -> usize {
        match self {
            Self::Mysql => 64,
            Self::Postgres | Self::Sqlite => 63,
        }
    }

    fn default_port(self) -> &'static str {
        match self {
            Self::Postgres => "5432",
            Self::Mysql => "3306",
            Self::Sqlite => "",
        }
    }

    /// Returns the engine that a scheme without its driver means.
    fn of_scheme(scheme: &str, port: &str) -> Option<Self> {
        Some(match scheme.to_ascii_lowercase().as_str() {
            "postgres" | "postgresql" | "pgsql" | "postgis" => Self::Postgres,
            "mysql" | "mysql2" | "mariadb" | "trilogy" => Self::Mysql,
            "ecto" if port == "3306" => Self::Mysql,
            "ecto" => Self::Postgres,
            _ => return None,
        })
    }
}

/// A server, without what is needed to log in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Server {
    /// Its kind.
    pub engine: Engine,
    /// Its host; `localhost` for every name of this machine, or the directory or path of a Unix socket.
    pub host: String,
    /// Its port, which is a placeholder in a plan.
    pub port: String,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, host, port } = self;
        match host.starts_with('/') {
            true => write!(f, "{} at `{host}`", engine.label()),
            false => write!(f, "{} at {host}:{port}", engine.label()),
        }
    }
}

/// The address of a database.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseAddress {
    /// The server.
    pub server: Server,
    /// The host as the address names it; empty if it names none.
    pub host: String,
    /// The user; empty if the address names none.
    pub user: String,
    /// The password, if the address contains it.
    pub password: Option<String>,
    /// The name of the database; empty if the address names none.
    pub name: String,
    /// Further options, such as `sslmode`.
    pub options: Vec<(String, String)>,
    /// The whole text.
    text: String,
    /// Where the name is in the text.
    name_at: Range<usize>,
    /// What to write before the name if the text has none.
    separator: &'static str,
}

// Neither the text nor the password may reach a log.
impl fmt::Debug for DatabaseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseAddress")
            .field("server", &self.server)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl DatabaseAddress {
    /// Parses a URL (also of JDBC), a DSN of Go's MySQL driver, the keywords of libpq or those of ADO.NET.
    /// Returns `None` for other texts and for files.
    pub fn parse(text: &str) -> Option<Self> {
        url(text)
            .or_else(|| go_dsn(text))
            .or_else(|| pairs::parse(text))
    }

    /// Returns the address of a server. It names no database.
    pub fn of_server(server: Server, user: String, password: Option<String>) -> Self {
        Self {
            host: server.host.clone(),
            server,
            user,
            password,
            name: String::new(),
            options: Vec::new(),
            text: String::new(),
            name_at: 0..0,
            separator: "",
        }
    }

    /// Returns the address with another name of the database. Nothing else changes.
    pub fn with_name(&self, name: &str) -> String {
        let (before, after) = (
            &self.text[..self.name_at.start],
            &self.text[self.name_at.end..],
        );
        let separator = if self.name_at.is_empty() {
            self.separator
        } else {
            ""
        };
        format!("{before}{separator}{name}{after}")
    }
}

/// Returns a host in the form in which two addresses are compared.
fn normalized(host: &str) -> String {
    match host.to_ascii_lowercase().as_str() {
        "" | "localhost" | "127.0.0.1" | "0.0.0.0" | "::1" | "[::1]" | "host.docker.internal" => {
            "localhost".into()
        }
        other => other.to_owned(),
    }
}

/// Returns the value of the first of several options.
fn option<'a>(options: &'a [(String, String)], names: &[&str]) -> Option<&'a str> {
    let is_it = |name: &str| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let found = options.iter().find(|(name, _)| is_it(name));
    found.map(|(_, value)| value.as_str())
}

/// Parses `[jdbc:]SCHEME[+DRIVER]://[USER[:PASSWORD]@][HOST][:PORT][/NAME][?OPTIONS]`.
fn url(text: &str) -> Option<DatabaseAddress> {
    let colon = text.find("://")?;
    let scheme = &text[..colon];
    let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
    let scheme = scheme.split('+').next().unwrap_or(scheme);
    let from = colon + "://".len();
    let rest = &text[from..];
    let user_end = user_end(rest);
    let authority_from = user_end.map_or(0, |at| at + 1);
    let authority_end = rest[authority_from..]
        .find(['/', '?', '#'])
        .map_or(rest.len(), |at| authority_from + at);
    let (host, port) = host_and_port(&rest[authority_from..authority_end]);
    let after = &rest[authority_end..];
    let path_end = after.find(['?', '#']).unwrap_or(after.len());
    let path = &after[..path_end];
    let query = after[path_end..].strip_prefix('?').unwrap_or("");
    let query = query.split('#').next().unwrap_or(query);
    let options: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let engine = Engine::of_scheme(scheme, port)?;
    let (mut user, mut password) = (String::new(), None);
    if let Some(end) = user_end {
        let (name, secret) = match rest[..end].split_once(':') {
            Some((name, secret)) => (name, Some(secret)),
            None => (&rest[..end], None),
        };
        user = decode(name);
        password = secret.map(decode);
    }
    if user.is_empty() {
        user = option(&options, &["user"]).unwrap_or_default().to_owned();
    }
    if password.is_none() {
        password = option(&options, &["password"]).map(str::to_owned);
    }
    let host = match option(&options, &["host", "socket", "unix_socket"]) {
        Some(socket) if host.is_empty() || socket.starts_with('/') => socket.to_owned(),
        _ => decode(host),
    };
    let port = match (port, option(&options, &["port"])) {
        ("", Some(port)) => port,
        ("", None) => engine.default_port(),
        (port, _) => port,
    };
    let slash = usize::from(path.starts_with('/'));
    let name_from = from + authority_end + slash;
    let name = &path[slash..];
    Some(DatabaseAddress {
        server: Server {
            engine,
            host: normalized(&host),
            port: port.to_owned(),
        },
        host,
        user,
        password,
        name: decode(name),
        options,
        text: text.to_owned(),
        name_at: name_from..name_from + name.len(),
        separator: if slash == 0 { "/" } else { "" },
    })
}

/// Returns where the user and the password end, after which `@` follows. Most drivers accept passwords that
/// contain `/` and `?` without encoding.
fn user_end(rest: &str) -> Option<usize> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if let Some(end) = authority.rfind('@') {
        return Some(end);
    }
    let (_, port) = authority.split_once(':')?;
    let is_port = port.starts_with('{') || port.bytes().all(|digit| digit.is_ascii_digit());
    rest.rfind('@').filter(|_| !is_port)
}

/// Splits an authority without its user. The port may be a placeholder.
fn host_and_port(authority: &str) -> (&str, &str) {
    if authority.starts_with('[') {
        return match authority.split_once(']') {
            Some((host, port)) => (
                &authority[..=host.len()],
                port.strip_prefix(':').unwrap_or(""),
            ),
            None => (authority, ""),
        };
    }
    authority.rsplit_once(':').unwrap_or((authority, ""))
}

/// Parses `USER:PASSWORD@tcp(HOST:PORT)/NAME?OPTIONS` and `USER:PASSWORD@unix(PATH)/NAME`.
fn go_dsn(text: &str) -> Option<DatabaseAddress> {
    let (open, is_socket) = match text.rfind("@tcp(") {
        Some(at) => (at, false),
        None => (text.rfind("@unix(")?, true),
    };
    let inside_from = open + if is_socket { "@unix(" } else { "@tcp(" }.len();
    let close = inside_from + text[inside_from..].find(")/")?;
    let inside = &text[inside_from..close];
    let (host, port) = match is_socket {
        true => (inside, ""),
        false => host_and_port(inside),
    };
    let (user, password) = match text[..open].split_once(':') {
        Some((user, password)) => (user, Some(password.to_owned())),
        None => (&text[..open], None),
    };
    let name_from = close + ")/".len();
    let name_to = text[name_from..]
        .find('?')
        .map_or(text.len(), |at| name_from + at);
    Some(DatabaseAddress {
        server: Server {
            engine: Engine::Mysql,
            host: normalized(host),
            port: match port {
                "" => Engine::Mysql.default_port(),
                port => port,
            }
            .to_owned(),
        },
        host: host.to_owned(),
        user: user.to_owned(),
        password,
        name: text[name_from..name_to].to_owned(),
        options: Vec::new(),
        text: text.to_owned(),
        name_at: name_from..name_to,
        separator: "",
    })
}

#[cfg(test)]
mod tests;
