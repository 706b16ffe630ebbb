//! Addresses of databases and brokers that need a login, in the variables that applications usually read.

use std::fmt;

use crate::kind::Kind;

/// What a service needs to let its clients in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The user; empty if the service has none.
    pub user: String,
    /// The password; empty if the service needs none.
    pub password: String,
    /// The database; empty for the default.
    pub database: String,
}

// The password must not reach a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

/// Returns the variables in which applications usually read the address of a service of this kind.
pub fn variables(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Postgres => &["DATABASE_URL", "POSTGRES_URL"],
        Kind::Mysql => &["DATABASE_URL", "MYSQL_URL"],
        Kind::Redis => &["REDIS_URL"],
        Kind::Mongodb => &["MONGODB_URI", "MONGODB_URL", "MONGO_URL"],
        Kind::Amqp => &["AMQP_URL", "RABBITMQ_URL"],
        _ => &[],
    }
}

/// Returns the address of a service of this kind on a port of this machine.
pub fn url(kind: Kind, port: u16, credentials: &Credentials) -> String {
    let Credentials {
        user,
        password,
        database,
    } = credentials;
    let login = match (user.as_str(), password.as_str()) {
        ("", "") => String::new(),
        (user, "") => format!("{}@", encoded(user)),
        (user, password) => format!("{}:{}@", encoded(user), encoded(password)),
    };
    let mut url = format!("{}://{login}localhost:{port}", kind.scheme());
    if !database.is_empty() {
        url.push_str(&format!("/{}", encoded(database)));
    }
    // The user is one of the database `admin`, whichever database is used.
    if kind == Kind::Mongodb && !user.is_empty() {
        if database.is_empty() {
            url.push('/');
        }
        url.push_str("?authSource=admin");
    }
    url
}

/// Percent-encodes everything but unreserved characters.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_contain_what_a_login_needs() {
        let of = |user: &str, password: &str, database: &str| Credentials {
            user: user.into(),
            password: password.into(),
            database: database.into(),
        };
        for (kind, credentials, expected) in [
            (
                Kind::Postgres,
                of("app", "p@ss/w?rd", "shop"),
                "postgresql://app:p%40ss%2Fw%3Frd@localhost:1/shop",
            ),
            (
                Kind::Mysql,
                of("root", "", "shop"),
                "mysql://root@localhost:1/shop",
            ),
            (Kind::Redis, of("", "s3", ""), "redis://:s3@localhost:1"),
            (Kind::Redis, of("", "", ""), "redis://localhost:1"),
            (
                Kind::Mongodb,
                of("root", "pw", ""),
                "mongodb://root:pw@localhost:1/?authSource=admin",
            ),
            (
                Kind::Mongodb,
                of("", "", "shop"),
                "mongodb://localhost:1/shop",
            ),
            (
                Kind::Amqp,
                of("guest", "guest", ""),
                "amqp://guest:guest@localhost:1",
            ),
        ] {
            assert_eq!(url(kind, 1, &credentials), expected);
        }
        assert!(!format!("{:?}", of("app", "hunter2", "")).contains("hunter2"));
    }
}
