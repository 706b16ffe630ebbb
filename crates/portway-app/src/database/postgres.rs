//! PostgreSQL, through `psql` and `pg_dump`.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use portway_api::ErrorCode;
use portway_project::database::{DatabaseAddress, Engine, literal, quoted};

use super::{client, program_paths};
use crate::error::CommandError;

/// How long to wait until no other session is connected to a template.
const SESSIONS_TIMEOUT: Duration = Duration::from_secs(1);

/// How often to check.
const RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// How long a connection may take, in seconds.
const CONNECT_TIMEOUT: &str = "10";

/// The package with the client programs.
const PACKAGE: &str = "postgresql-client";

/// Databases that every server has, to connect to while another one is created.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

const OBJECT_IN_USE: &str = "55006";
const UNDEFINED_DATABASE: &str = "3D000";
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Why a statement or a connection failed.
struct Failure {
    /// The code of SQL; `None` if the connection failed.
    code: Option<String>,
    /// The message of the server or the client.
    message: String,
}

/// A server, with the user and the password of an address.
pub(super) struct Postgres<'a> {
    address: &'a DatabaseAddress,
}

impl<'a> Postgres<'a> {
    pub(super) fn new(address: &'a DatabaseAddress) -> Self {
        Self { address }
    }

    /// Returns the comment of a database; `None` if it does not exist.
    pub(super) fn comment(&self, name: &str) -> Result<Option<String>, CommandError> {
        let name = literal(Engine::Postgres, name);
        let rows = self.execute(&format!(
            "SELECT 'found:' || coalesce(shobj_description(oid, 'pg_database'), '') \
             FROM pg_database WHERE datname = {name};\n"
        ))?;
        Ok(rows.trim().strip_prefix("found:").map(str::to_owned))
    }

    /// Copies a database, by files or, while other sessions are connected to it, by statements. Returns
    /// how.
    pub(super) fn copy(&self, template: &str, to: &str) -> Result<&'static str, CommandError> {
        if !self.has_sessions(template)? {
            let create = format!(
                "CREATE DATABASE {} TEMPLATE {};\n",
                name(to),
                name(template)
            );
            match self.try_execute(&create)? {
                Ok(_) => return Ok("copied its files"),
                Err(failure) if failure.code.as_deref() == Some(OBJECT_IN_USE) => {}
                Err(failure) => return Err(self.error(failure, template)),
            }
        }
        let rows = self.execute(&format!(
            "SELECT format('CREATE DATABASE %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L;', \
             {}, pg_encoding_to_char(encoding), datcollate, datctype) \
             FROM pg_database WHERE datname = {};\n",
            literal(Engine::Postgres, to),
            literal(Engine::Postgres, template),
        ))?;
        self.execute(&rows)?;
        self.dump(template, to)?;
        Ok("copied it with `pg_dump`, because other sessions use it")
    }

    /// Returns whether sessions stay connected to a database. The server itself waits five seconds
    /// before it rejects a statement because of them.
    fn has_sessions(&self, database: &str) -> Result<bool, CommandError> {
        let count = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = {};\n",
            literal(Engine::Postgres, database)
        );
        let deadline = Instant::now() + SESSIONS_TIMEOUT;
        loop {
            if self.execute(&count)?.trim() == "0" {
                return Ok(false);
            }
            if Instant::now() > deadline {
                return Ok(true);
            }
            thread::sleep(RETRY_INTERVAL);
        }
    }

    fn dump(&self, template: &str, to: &str) -> Result<(), CommandError> {
        let mut dump = self.client(&["pg_dump"], template)?;
        // Only an administrator may comment on extensions.
        dump.args(["--no-password", "--no-comments"]);
        let mut load = self.psql(to)?;
        load.args(["--single-transaction", "-f", "-"]);
        let started = client::pipe(dump, load);
        let failed = started.map_err(|error| CommandError::cannot_run("pg_dump", error))?;
        failed.map_err(|failed| {
            let cause = self.first_error(&failed.stderr).message;
            let program = if failed.is_source { "pg_dump" } else { "psql" };
            let message = format!("cannot copy `{template}` with `{program}`: {cause}");
            CommandError::new(ErrorCode::Failed, message).hint(format!(
                "close the other sessions of `{template}`, for example `portway down` in the main checkout, \
                 and start again: Portway then copies the files"
            ))
        })
    }

    /// Gives a database that nothing else uses a comment and its final name.
    pub(super) fn rename(&self, from: &str, to: &str, comment: &str) -> Result<(), CommandError> {
        let comment = literal(Engine::Postgres, comment);
        self.execute(&format!(
            "COMMENT ON DATABASE {} IS {comment};\n",
            name(from)
        ))?;
        let rename = format!("ALTER DATABASE {} RENAME TO {};\n", name(from), name(to));
        let renamed = self.try_execute(&rename)?;
        renamed
            .map(|_| ())
            .map_err(|failure| self.error(failure, from))
    }

    /// Drops a database if it exists.
    pub(super) fn drop(&self, database: &str) -> Result<(), CommandError> {
        let drop = format!("DROP DATABASE IF EXISTS {};\n", name(database));
        let dropped = self.try_execute(&drop)?;
        dropped
            .map(|_| ())
            .map_err(|failure| self.error(failure, database))
    }

    fn execute(&self, sql: &str) -> Result<String, CommandError> {
        let rows = self.try_execute(sql)?;
        rows.map_err(|failure| self.error(failure, &self.address.name))
    }

    /// Runs statements while connected to a database that exists on every server.
    fn try_execute(&self, sql: &str) -> Result<Result<String, Failure>, CommandError> {
        let mut last = Failure {
            code: None,
            message: String::new(),
        };
        for database in MAINTENANCE {
            let mut psql = self.psql(database)?;
            psql.args(["-f", "-"]);
            let output =
                client::run(psql, sql).map_err(|error| CommandError::cannot_run("psql", error))?;
            if output.is_success {
                return Ok(Ok(output.stdout));
            }
            last = self.first_error(&output.stderr);
            let no_database = format!("database \"{database}\" does not exist");
            if last.code.is_some() || !last.message.contains(&no_database) {
                break;
            }
        }
        Ok(Err(last))
    }

    fn psql(&self, database: &str) -> Result<Command, CommandError> {
        let mut psql = self.client(&["psql"], database)?;
        psql.args([
            "--no-psqlrc",
            "--no-password",
            "--quiet",
            "--no-align",
            "--tuples-only",
        ]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=verbose"]);
        Ok(psql)
    }

    /// Returns a client program that connects to a database.
    fn client(&self, program: &[&str], database: &str) -> Result<Command, CommandError> {
        let mut command = Command::new(program_paths::find(program, PACKAGE)?);
        command.args(["--dbname", database]);
        for name in ["PGSERVICE", "PGHOSTADDR", "PGDATABASE", "PGHOST", "PGPORT"] {
            command.env_remove(name);
        }
        let address = self.address;
        command.env("PGPORT", &address.server.port);
        if !address.host.is_empty() {
            let host = address.host.trim_matches(['[', ']']);
            command.env("PGHOST", host);
        }
        if !address.user.is_empty() {
            command.env("PGUSER", &address.user);
        }
        if let Some(password) = &address.password {
            command.env("PGPASSWORD", password);
        }
        for (option, variable) in [
            ("sslmode", "PGSSLMODE"),
            ("sslrootcert", "PGSSLROOTCERT"),
            ("sslcert", "PGSSLCERT"),
            ("sslkey", "PGSSLKEY"),
        ] {
            let found = address.options.iter().find(|(name, _)| name == option);
            if let Some((_, value)) = found {
                command.env(variable, value);
            }
        }
        command.env("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT);
        command.env("PGAPPNAME", "portway").env("LC_ALL", "C");
        Ok(command)
    }

    /// Returns the first error that a client program printed, without the password.
    fn first_error(&self, stderr: &str) -> Failure {
        let line = stderr
            .lines()
            .find(|line| line.contains("rror") || line.contains("FATAL"))
            .or_else(|| stderr.lines().next())
            .unwrap_or("it printed no error");
        let text = match &self.address.password {
            Some(password) if !password.is_empty() => line.replace(password.as_str(), "***"),
            _ => line.to_owned(),
        };
        // `psql:<stdin>:1: ERROR:  42501: permission denied to create database`
        let parts: Vec<&str> = text.split(": ").map(str::trim).collect();
        let is_code = |part: &&str| {
            part.len() == 5
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
                && part.bytes().any(|b| b.is_ascii_digit())
        };
        if let Some(at) = parts.iter().position(is_code) {
            return Failure {
                code: Some(parts[at].to_owned()),
                message: parts[at + 1..].join(": "),
            };
        }
        let known = ["failed: ", "error: ", "ERROR: ", "FATAL: "];
        let after = known
            .iter()
            .filter_map(|mark| text.split_once(mark).map(|(_, after)| after))
            .min_by_key(|after| after.len());
        Failure {
            code: None,
            message: after.unwrap_or(&text).trim().to_owned(),
        }
    }

    /// Returns the error of a failure while `database` was created or dropped.
    fn error(&self, failure: Failure, database: &str) -> CommandError {
        let server = &self.address.server;
        let user = match self.address.user.as_str() {
            "" => "this user".to_owned(),
            user => format!("`{user}`"),
        };
        let Failure { code, message } = failure;
        let error = |text: String| CommandError::new(ErrorCode::Failed, text);
        match code.as_deref() {
            Some(INSUFFICIENT_PRIVILEGE) => error(format!(
                "{user} may not do this on {server}: {message}"
            ))
            .hint(format!(
                "as an administrator of the server, run `ALTER ROLE {0} CREATEDB` and \
                 `ALTER DATABASE {1} OWNER TO {0}`",
                name(&self.address.user),
                name(database),
            )),
            Some(OBJECT_IN_USE) => error(format!(
                "`{database}` is in use on {server}: {message}"
            ))
            .hint("close the programs that are connected to it, and try again"),
            Some(UNDEFINED_DATABASE) => error(message)
                .hint("create it, or fix `template` of the `database` in `portway.toml`"),
            Some(code) => error(format!("{server} rejects a statement: {message} ({code})")),
            None if is_rejected(&message) => error(format!("{server} rejects {user}: {message}"))
                .hint(
                    "fix the user and the password in the address of the database, or put the password \
                     into `~/.pgpass`",
                ),
            None => error(format!("cannot connect to {server}: {message}")).hint(
                "start the server; if it is a service of this project, name it in `after` of the services \
                 that use the database",
            ),
        }
    }
}

fn is_rejected(message: &str) -> bool {
    [
        "authentication failed",
        "no password supplied",
        "role ",
        "pg_hba.conf",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

fn name(name: &str) -> String {
    quoted(Engine::Postgres, name)
}
