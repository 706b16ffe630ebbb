//! MySQL and MariaDB, through their clients and `mysqldump`.

use std::process::Command;

use portway_api::ErrorCode;
use portway_project::database::{DatabaseAddress, Engine, literal, quoted};

use super::{client, program_paths};
use crate::error::CommandError;

/// The package with the client programs.
const PACKAGE: &str = "default-mysql-client";

const CLIENTS: [&str; 2] = ["mysql", "mariadb"];
const DUMPERS: [&str; 2] = ["mysqldump", "mariadb-dump"];

/// A server, with the user and the password of an address.
pub(super) struct Mysql<'a> {
    address: &'a DatabaseAddress,
}

impl<'a> Mysql<'a> {
    pub(super) fn new(address: &'a DatabaseAddress) -> Self {
        Self { address }
    }

    /// Returns whether a database exists.
    pub(super) fn exists(&self, name: &str) -> Result<bool, CommandError> {
        let name = literal(Engine::Mysql, name);
        let rows = self.execute(&format!(
            "SELECT 'found' FROM information_schema.schemata WHERE schema_name = {name};\n"
        ))?;
        Ok(rows.trim() == "found")
    }

    /// Creates an empty database with the character set of the template. Fails if it exists.
    pub(super) fn create(&self, template: &str, to: &str) -> Result<(), CommandError> {
        let rows = self.execute(&format!(
            "SELECT CONCAT('CHARACTER SET ', default_character_set_name, ' COLLATE ', \
             default_collation_name) FROM information_schema.schemata WHERE schema_name = {};\n",
            literal(Engine::Mysql, template)
        ))?;
        self.execute(&format!("CREATE DATABASE {} {};\n", name(to), rows.trim()))?;
        Ok(())
    }

    /// Copies the content of the template to an empty database.
    pub(super) fn fill(&self, template: &str, to: &str) -> Result<(), CommandError> {
        let program = program_paths::find(&DUMPERS, PACKAGE)?;
        let is_mariadb = self.is_mariadb(&program);
        let mut dump = self.client(&program);
        dump.args([
            "--single-transaction",
            "--routines",
            "--triggers",
            "--hex-blob",
        ]);
        dump.arg("--no-tablespaces");
        if !is_mariadb {
            dump.args(["--set-gtid-purged=OFF", "--column-statistics=0"]);
        }
        dump.args(["--", template]);
        let mut load = self.client(&program_paths::find(&CLIENTS, PACKAGE)?);
        load.args(["--batch", "--", to]);
        let copied = client::pipe(dump, load)
            .map_err(|error| CommandError::cannot_run("mysqldump", error))?;
        copied.map_err(|failed| {
            let program = if failed.is_source {
                "mysqldump"
            } else {
                "mysql"
            };
            let message = format!(
                "cannot copy `{template}` with `{program}`: {}",
                self.first_error(&failed.stderr)
            );
            CommandError::new(ErrorCode::Failed, message).hint(format!(
                "as an administrator of the server, run `GRANT ALL ON *.* TO {}`",
                self.user()
            ))
        })
    }

    /// Drops a database if it exists.
    pub(super) fn drop(&self, database: &str) -> Result<(), CommandError> {
        self.execute(&format!("DROP DATABASE IF EXISTS {};\n", name(database)))?;
        Ok(())
    }

    fn user(&self) -> String {
        match self.address.user.as_str() {
            "" => "USER".to_owned(),
            user => literal(Engine::Mysql, user),
        }
    }

    /// Returns whether a dump program is MariaDB's, whose options differ.
    fn is_mariadb(&self, program: &std::path::Path) -> bool {
        let mut version = Command::new(program);
        version.arg("--version");
        client::run(version, "").is_ok_and(|output| output.stdout.contains("MariaDB"))
    }

    fn execute(&self, sql: &str) -> Result<String, CommandError> {
        let mut mysql = self.client(&program_paths::find(&CLIENTS, PACKAGE)?);
        mysql.args([
            "--batch",
            "--skip-column-names",
            "--raw",
            "--connect-timeout=10",
        ]);
        let output =
            client::run(mysql, sql).map_err(|error| CommandError::cannot_run("mysql", error))?;
        if output.is_success {
            return Ok(output.stdout);
        }
        Err(self.error(&self.first_error(&output.stderr)))
    }

    fn client(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new(program);
        let address = self.address;
        // The user's option files would override the password, and must not apply to another user.
        if address.password.is_some() {
            command.arg("--no-defaults");
        }
        let host = address.host.trim_matches(['[', ']']);
        if host.starts_with('/') {
            command.arg(format!("--socket={host}"));
        } else {
            // `localhost` is a socket for these programs.
            let host = match host {
                "" | "localhost" => "127.0.0.1",
                host => host,
            };
            command.args(["--protocol=TCP".to_owned(), format!("--host={host}")]);
            command.arg(format!("--port={}", address.server.port));
        }
        if !address.user.is_empty() {
            command.arg(format!("--user={}", address.user));
        }
        command
            .env_remove("MYSQL_HOST")
            .env_remove("MYSQL_TCP_PORT");
        if let Some(password) = address.password.as_ref().filter(|one| !one.is_empty()) {
            command.env("MYSQL_PWD", password);
        } else if address.password.is_some() {
            command.env_remove("MYSQL_PWD");
        }
        command.env("LC_ALL", "C");
        command
    }

    /// Returns the first error that a client program printed, without the password.
    fn first_error(&self, stderr: &str) -> String {
        let line = stderr
            .lines()
            .find(|line| line.contains("ERROR") || line.contains("rror"))
            .or_else(|| stderr.lines().next())
            .unwrap_or("it printed no error");
        let text = line.trim_start_matches("ERROR ");
        match &self.address.password {
            Some(password) if !password.is_empty() => text.replace(password.as_str(), "***"),
            _ => text.to_owned(),
        }
    }

    fn error(&self, message: &str) -> CommandError {
        let server = &self.address.server;
        let error = |text: String| CommandError::new(ErrorCode::Failed, text);
        let number = message.split([' ', ':']).next().unwrap_or_default();
        match number {
            "1044" | "1142" | "1227" => error(format!("{} may not do this on {server}: {message}", self.user()))
                .hint(format!(
                    "as an administrator of the server, run `GRANT ALL ON *.* TO {}`",
                    self.user()
                )),
            "1045" | "1698" => error(format!("{server} rejects {}: {message}", self.user())).hint(
                "fix the user and the password in the address of the database, or put the password into \
                 `~/.my.cnf`",
            ),
            "2002" | "2003" | "2005" | "2013" | "2026" => {
                error(format!("cannot connect to {server}: {message}")).hint(
                    "start the server; if it is a service of this project, name it in `after` of the \
                     services that use the database",
                )
            }
            _ => error(format!("{server} rejects a statement: {message}")),
        }
    }
}

fn name(name: &str) -> String {
    quoted(Engine::Mysql, name)
}
