//! Migrations that run only if their database is empty, with real databases.

use std::fs;

use crate::containers::project;
use crate::engine::{Engine, with_engine};
use crate::sandbox::Sandbox;

/// A service with a migration of the container's database.
fn manifest(client: &str, image: &str) -> String {
    format!(
        "[project]\nname = \"PROJECT\"\n\
         [services.db]\nkind = \"{image}\"\ncommand = \"portway compose run --publish {{host}}:{{port}}:PORT db\"\n\
         port = \"%0\"\nmap_env = false\ncompose = {{ file = \"compose.yaml\", service = \"db\" }}\n\
         ready = {{ exec = \"portway compose exec READY\", timeout = \"2m\" }}\n\
         [services.migrate]\ncommand = '{client}'\nonly_if_empty = \"db\"\n\
         [services.api]\ncommand = \"%service serve {{port}}\"\nport = \"%1\"\nafter = {{ migrate = \"finished\" }}\n"
    )
}

#[test]
fn a_migration_runs_once_on_postgresql_and_never_on_a_database_with_tables() {
    with_engine(|engine| {
        let compose = "
services:
  db:
    image: postgres:16
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: 'p w$$', POSTGRES_DB: shop }
    volumes: [data:/var/lib/postgresql/data]
volumes: {data: {}}
";
        let text = manifest("sh migrate.sh", "postgres")
            .replace("PROJECT", "emptypg")
            .replace(":PORT", ":5432")
            .replace("READY", "pg_isready -q -h 127.0.0.1");
        let sandbox = project("emptypg", compose).manifest(&text);
        // It fails after its first table, until the file exists.
        sandbox.write(
            "migrate.sh",
            "psql -q \"$DATABASE_URL\" -c 'CREATE TABLE items (id int)' && test -f whole",
        );
        let tables = || {
            let exec = [
                "exec",
                "--",
                "sh",
                "-c",
                "psql -Atc '\\dt' \"$DATABASE_URL\" | wc -l",
            ];
            engine
                .run(&sandbox, &exec)
                .success()
                .stdout()
                .trim()
                .to_owned()
        };
        let logs = || {
            engine
                .run(&sandbox, &["logs", "migrate"])
                .success()
                .stdout()
        };

        engine
            .run(&sandbox, &["plan"])
            .success()
            .stdout_has("runs     only if `db` has no tables");
        // The service starts although the migration failed.
        let up = engine.run(&sandbox, &["up", "--detach"]);
        assert_ne!(up.exit_code(), 0);
        engine.run(&sandbox, &["wait", "api"]).success();
        engine.run(&sandbox, &["ps"]).stdout_has("failed");
        assert_eq!(tables(), "1");
        // What it left is not changed.
        engine.run(&sandbox, &["down"]);
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert!(logs().contains("skipped: `db` already has tables, and an earlier run of this command did not complete"), "{}", logs());
        engine.run(&sandbox, &["down"]).success();

        // An empty database gets its tables, and the next start leaves them alone.
        sandbox.write("whole", "");
        remove_volumes(engine, "emptypg");
        for line in ["migrate completed", "skipped: `db` already has tables"] {
            engine.run(&sandbox, &["up", "--detach"]).success();
            assert_eq!(tables(), "1");
            assert_eq!(
                logs().contains("skipped: `db` already has tables\n"),
                line.starts_with("skipped"),
                "{}",
                logs()
            );
            engine.run(&sandbox, &["down"]).success();
        }

        // A table in another database of the server counts, and so does an application that uses another server.
        remove_volumes(engine, "emptypg");
        sandbox.write("portway.toml", &sandbox.expand(&text.replace("[services.migrate]", "[services.other]\ncommand = '''psql -q \"$DATABASE_URL\" -c \"CREATE DATABASE other\" -c \"\\c other\" -c \"CREATE TABLE t (x int)\"'''\nafter = [\"db\"]\n[services.migrate]\nafter = { other = \"completed\" }")));
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert!(
            logs().contains("skipped: `db` already has tables"),
            "{}",
            logs()
        );
        assert_eq!(tables(), "0");
        engine.run(&sandbox, &["down"]).success();
        remove_volumes(engine, "emptypg");
        sandbox.write("portway.toml", &sandbox.expand(&text));
        sandbox.write(
            ".env",
            "MAIN_DATABASE_URL=postgres://app@db.example.com/shop\n",
        );
        engine.run(&sandbox, &["up", "--detach"]).success();
        assert!(logs().contains("skipped: `MAIN_DATABASE_URL` refers to PostgreSQL at db.example.com:5432 instead of `db`"), "{}", logs());
        assert_eq!(tables(), "0");
        engine.run(&sandbox, &["down"]).success();
        remove_volumes(engine, "emptypg");
    });
}

fn remove_volumes(engine: &Engine, name: &str) {
    let filter = format!("name={name}");
    let list = engine.docker(&["volume", "ls", "--quiet", "--filter", &filter]);
    for volume in list.lines() {
        engine.docker(&["volume", "rm", "--force", volume]);
    }
}

#[test]
fn a_migration_runs_on_an_empty_mysql_database() {
    with_engine(|engine| {
        let compose = "
services:
  db:
    image: mysql:8
    environment: { MYSQL_USER: app, MYSQL_PASSWORD: pw, MYSQL_DATABASE: shop, MYSQL_ROOT_PASSWORD: root }
    volumes: [data:/var/lib/mysql]
volumes: {data: {}}
";
        let client = "mysql --no-defaults --protocol=TCP -h 127.0.0.1 -P {db.port} -u app -ppw shop -e \"CREATE TABLE t (x INT)\"";
        let text = manifest(client, "mysql")
            .replace("PROJECT", "emptymy")
            .replace(":PORT", ":3306")
            .replace("READY", "mysqladmin ping -h 127.0.0.1");
        let sandbox = project("emptymy", compose).manifest(&text);
        for is_empty in [true, false] {
            engine.run(&sandbox, &["up", "--detach"]).success();
            let logs = engine
                .run(&sandbox, &["logs", "migrate"])
                .success()
                .stdout();
            assert_eq!(
                logs.contains("skipped: `db` already has tables"),
                !is_empty,
                "{logs}"
            );
            engine.run(&sandbox, &["down"]).success();
        }
        remove_volumes(engine, "emptymy");
    });
}

#[test]
fn a_migration_creates_a_file_of_sqlite_and_leaves_one_with_tables_alone() {
    let sandbox = Sandbox::new().manifest(
        "[services.migrate]\ncommand = \"sh migrate.sh\"\nonly_if_empty = \"data/dev.db\"\n\
         [services.api]\ncommand = \"%service serve {port}\"\nport = \"%0\"\nafter = { migrate = \"completed\" }",
    );
    let file = sandbox.project().join("data/dev.db");
    let sql = "import sqlite3; sqlite3.connect(\"data/dev.db\").execute(\"CREATE TABLE t (x)\")";
    sandbox.write(
        "migrate.sh",
        &format!("mkdir -p data && python3 -c '{sql}'"),
    );
    sandbox.run(&["up", "--detach"]).success();
    let first = fs::read(&file).unwrap();
    assert!(!first.is_empty());
    for command in ["plan", "ps"] {
        let text = sandbox.run(&[command]).success();
        text.stdout_has("only if `data/dev.db` has no tables");
    }
    let status = sandbox.status();
    assert_eq!(status["services"][0]["only_if_empty"], "data/dev.db");
    let plan = sandbox.run(&["plan", "--json"]).success().json();
    assert_eq!(plan["services"][0]["only_if_empty"], "data/dev.db");
    sandbox.run(&["down"]).success();
    sandbox.run(&["up", "--detach"]).success();
    sandbox
        .run(&["logs", "migrate"])
        .success()
        .stdout_has("skipped: `data/dev.db` already has tables");
    sandbox.run(&["down"]).success();
    assert_eq!(fs::read(&file).unwrap(), first);
    // Without a clear answer, it does not run.
    fs::write(
        &file,
        "this is a text, which is no database, but long enough",
    )
    .unwrap();
    sandbox.run(&["up", "--detach"]).success();
    sandbox
        .run(&["logs", "migrate"])
        .success()
        .stdout_has("skipped: cannot tell whether `data/dev.db` is empty: file is not a database");
    sandbox.run(&["down"]).success();
}
