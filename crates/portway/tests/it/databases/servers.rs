//! Database servers that run on their own, not started by Portway.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::{Sandbox, wait_until};

/// The user of servers that refuse to run as root.
const NOBODY: u32 = 65534;

/// A server that is stopped when the test ends.
pub struct Server {
    process: Child,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM ends the sessions of PostgreSQL only after their clients; SIGQUIT ends all at once.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = self.process.wait();
    }
}

/// Returns the newest directory with the programs of a PostgreSQL server.
fn postgres_programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("run `cargo xtask setup`");
    let newest = versions.map(|entry| entry.unwrap().path()).max();
    newest.unwrap().join("bin")
}

/// A command that does not run as root.
fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Creates a directory that a server may use.
fn directory(path: &Path) {
    fs::create_dir(path).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}{errors}");
    text
}

impl Server {
    /// Starts PostgreSQL with the administrator `admin`, who needs no password; all others do.
    pub fn postgres(sandbox: &Sandbox, port: u16) -> Self {
        let programs = postgres_programs();
        let data = sandbox.path("postgres");
        directory(&data);
        let mut initdb = unprivileged(programs.join("initdb"));
        initdb.args([
            "--username=admin",
            "--auth=trust",
            "--no-sync",
            "--no-locale",
        ]);
        run(into(initdb, &data));
        let access = "host all admin 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n\
                      host all all ::1/128 scram-sha-256\n";
        fs::write(data.join("pg_hba.conf"), access).unwrap();
        let mut postgres = unprivileged(programs.join("postgres"));
        postgres
            .args(["-F", "-c", "listen_addresses=127.0.0.1,::1", "-p"])
            .arg(port.to_string())
            .args(["-k", "", "-D"])
            .arg(&data)
            .stderr(fs::File::create(sandbox.path("postgres.log")).unwrap());
        let process = postgres.spawn().unwrap();
        let server = Self { process, port };
        wait_until("PostgreSQL is ready", || {
            server.try_psql("postgres", "SELECT 1").is_some()
        });
        server
    }

    fn psql_command(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.args([
            "-X",
            "-A",
            "-t",
            "-q",
            "-h",
            "127.0.0.1",
            "-U",
            "admin",
            "-p",
        ])
        .arg(self.port.to_string())
        .args(["-d", database, "-c", sql]);
        psql
    }

    fn try_psql(&self, database: &str, sql: &str) -> Option<String> {
        let output = self.psql_command(database, sql).output().unwrap();
        let is_success = output.status.success();
        is_success.then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Runs a statement as the administrator of PostgreSQL.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        run(self.psql_command(database, sql)).trim().to_owned()
    }

    /// Opens a session of PostgreSQL that stays connected to a database until it is dropped.
    pub fn session(&self, database: &str) -> Session {
        let mut psql = self.psql_command(database, "SELECT pg_sleep(600)");
        let session = Session(
            psql.stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        );
        wait_until("the session is connected", || {
            let sql = format!(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' \
                 AND query LIKE 'SELECT pg_sleep%'"
            );
            self.psql("postgres", &sql) == "1"
        });
        session
    }

    /// Ends the sessions of a database, some of whose clients may be gone already.
    pub fn disconnect(&self, database: &str) {
        let sessions = format!("FROM pg_stat_activity WHERE datname = '{database}'");
        self.psql(
            "postgres",
            &format!("SELECT pg_terminate_backend(pid) {sessions}"),
        );
        wait_until("no session is left", || {
            self.psql("postgres", &format!("SELECT count(*) {sessions}")) == "0"
        });
    }

    /// Starts MariaDB with an administrator `admin` whose password is `s3cret`.
    pub fn mariadb(sandbox: &Sandbox, port: u16) -> Self {
        let data = sandbox.path("mariadb");
        directory(&data);
        let mut install = unprivileged("mariadb-install-db");
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]);
        install.arg(format!("--datadir={}", data.display()));
        run(install);
        let init = data.join("init.sql");
        fs::write(
            &init,
            "CREATE USER admin@'%' IDENTIFIED BY 's3cret';\nGRANT ALL ON *.* TO admin@'%';\n\
             CREATE DATABASE shop_dev CHARACTER SET utf8mb4;\nCREATE TABLE shop_dev.t (x INT);\n\
             INSERT INTO shop_dev.t VALUES (1), (2);\n",
        )
        .unwrap();
        let mut server = unprivileged("mariadbd");
        server
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--port={port}"))
            .arg(format!("--socket={}/m.sock", data.display()))
            .arg(format!("--init-file={}", init.display()))
            .args(["--bind-address=127.0.0.1", "--innodb-flush-method=nosync"])
            .stderr(fs::File::create(sandbox.path("mariadb.log")).unwrap());
        let process = server.spawn().unwrap();
        let server = Self { process, port };
        wait_until("MariaDB is ready", || {
            let mut ready = server.mysql_command("shop_dev", "SELECT 1");
            ready.output().unwrap().status.success()
        });
        server
    }

    fn mysql_command(&self, database: &str, sql: &str) -> Command {
        let mut mysql = Command::new("mysql");
        mysql
            .args([
                "--no-defaults",
                "--protocol=TCP",
                "-h",
                "127.0.0.1",
                "-u",
                "admin",
                "-P",
            ])
            .arg(self.port.to_string())
            .args(["-N", "-B", "-e", sql, database])
            .env("MYSQL_PWD", "s3cret");
        mysql
    }

    /// Runs a statement as the administrator of MariaDB.
    pub fn mysql(&self, database: &str, sql: &str) -> String {
        run(self.mysql_command(database, sql)).trim().to_owned()
    }
}

fn into(mut command: Command, directory: &Path) -> Command {
    command.arg("-D").arg(directory);
    command
}

/// A session of a client.
pub struct Session(Child);

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
