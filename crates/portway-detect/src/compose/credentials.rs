//! What the containers of databases and brokers need to let clients in, from their environment and their
//! command.

use std::path::Path;

use indexmap::IndexMap;
use portway_project::credentials::Credentials;
use portway_project::dotenv;
use portway_project::kind::Kind;

use super::examples::existing;
use super::images;
use super::resolve::place;
use super::{Dir, File};

/// Returns the kind and the credentials of the service `name` in the compose file at `path`, relative to
/// `root`, if it runs a known image.
pub fn credentials(root: &Path, path: &str, name: &str) -> Option<(Kind, Credentials)> {
    let records = crate::records::Records::default();
    let root = Dir::open(root, "", &records);
    let file = File::at(&root, path)?;
    let dir = &file.dir;
    let service = file.compose.services.get(name)?;
    let kind = images::known(service.image.as_deref()?)?.kind;
    let mut environment = IndexMap::new();
    for env_file in &service.env_files {
        let path = existing(dir, env_file);
        if let Some((place, name)) = path.and_then(|path| place(dir, &path)) {
            let text = place.read(&name).unwrap_or_default();
            environment.extend(dotenv::parse_valid_lines(&text, &|_| None).0);
        }
    }
    environment.extend(service.environment.clone());
    let command = service.command.as_deref().unwrap_or_default();
    Some((kind, of(kind, &environment, command)))
}

/// Returns the credentials that a container of this kind has with an environment and a command.
fn of(kind: Kind, environment: &IndexMap<String, String>, command: &str) -> Credentials {
    let value = |names: &[&str]| {
        let mut values = names.iter().filter_map(|name| environment.get(*name));
        values.find(|value| !value.is_empty()).cloned()
    };
    let text = |names: &[&str]| value(names).unwrap_or_default();
    match kind {
        Kind::Postgres => {
            let user = value(&["POSTGRES_USER", "POSTGRESQL_USERNAME"]);
            let user = user.unwrap_or_else(|| "postgres".into());
            let database = value(&["POSTGRES_DB", "POSTGRESQL_DATABASE"]);
            Credentials {
                database: database.unwrap_or_else(|| user.clone()),
                password: text(&["POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD"]),
                user,
            }
        }
        Kind::Mysql => {
            let user = value(&["MYSQL_USER", "MARIADB_USER"]).filter(|user| user != "root");
            let password = match user {
                Some(_) => text(&["MYSQL_PASSWORD", "MARIADB_PASSWORD"]),
                None => text(&["MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"]),
            };
            Credentials {
                user: user.unwrap_or_else(|| "root".into()),
                password,
                database: text(&["MYSQL_DATABASE", "MARIADB_DATABASE"]),
            }
        }
        Kind::Redis => {
            let words = shlex::split(command).unwrap_or_default();
            let option = words.iter().position(|word| word == "--requirepass");
            let of_command = option.and_then(|at| words.get(at + 1).cloned());
            let of_one_word = || {
                // `sh -c "redis-server --requirepass PASSWORD"`
                let nested = words
                    .iter()
                    .find_map(|word| word.split_once("--requirepass "))?;
                nested.1.split_whitespace().next().map(str::to_owned)
            };
            let names = ["REDIS_PASSWORD", "VALKEY_PASSWORD"];
            let password = of_command.or_else(of_one_word);
            Credentials {
                password: password.unwrap_or_else(|| match command.is_empty() {
                    true => text(&names),
                    // Only the entrypoints of some images read it.
                    false => String::new(),
                }),
                ..Credentials::default()
            }
        }
        Kind::Mongodb => Credentials {
            user: text(&["MONGO_INITDB_ROOT_USERNAME", "MONGODB_ROOT_USER"]),
            password: text(&["MONGO_INITDB_ROOT_PASSWORD", "MONGODB_ROOT_PASSWORD"]),
            database: text(&["MONGO_INITDB_DATABASE", "MONGODB_DATABASE"]),
        },
        Kind::Amqp => Credentials {
            user: value(&["RABBITMQ_DEFAULT_USER"]).unwrap_or_else(|| "guest".into()),
            password: value(&["RABBITMQ_DEFAULT_PASS"]).unwrap_or_else(|| "guest".into()),
            database: String::new(),
        },
        _ => Credentials::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_come_from_the_environment_and_the_command() {
        let found = |kind, environment: &[(&str, &str)], command: &str| {
            let environment = environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let one = of(kind, &environment.collect(), command);
            format!("{} {} {}", one.user, one.password, one.database)
        };
        let postgres = [("POSTGRES_USER", "app"), ("POSTGRES_PASSWORD", "pw")];
        assert_eq!(found(Kind::Postgres, &postgres, ""), "app pw app");
        let trust = [
            ("POSTGRES_HOST_AUTH_METHOD", "trust"),
            ("POSTGRES_DB", "shop"),
        ];
        assert_eq!(found(Kind::Postgres, &trust, ""), "postgres  shop");
        let user = [
            ("MYSQL_USER", "app"),
            ("MYSQL_PASSWORD", "pw"),
            ("MYSQL_ROOT_PASSWORD", "root"),
            ("MYSQL_DATABASE", "shop"),
        ];
        assert_eq!(found(Kind::Mysql, &user, ""), "app pw shop");
        assert_eq!(found(Kind::Mysql, &user[2..], ""), "root root shop");
        let command = "redis-server --requirepass 's3 cret' --save ''";
        assert_eq!(found(Kind::Redis, &[], command), " s3 cret ");
        let nested = "sh -c 'redis-server --requirepass pw --port 1'";
        assert_eq!(found(Kind::Redis, &[], nested), " pw ");
        assert_eq!(found(Kind::Redis, &[("REDIS_PASSWORD", "pw")], ""), " pw ");
        assert_eq!(
            found(Kind::Redis, &[("REDIS_PASSWORD", "pw")], "redis-server"),
            "  "
        );
        assert_eq!(found(Kind::Amqp, &[], ""), "guest guest ");
    }
}
