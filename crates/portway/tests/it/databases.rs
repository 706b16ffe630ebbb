//! Databases of worktrees, on real servers.

#[path = "databases/servers.rs"]
mod servers;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::sandbox::{Sandbox, http_get};
use servers::Server;

/// A service, the migration it waits for, and the database of both.
const MANIFEST: &str = "
[project]
name = \"shop\"

[worktree]
copy = [\".env\"]

[services.migrate]
command = 'psql \"$DATABASE_URL\" -q -c \"INSERT INTO migrations DEFAULT VALUES\"'
env_file = \".env\"

[services.backend]
command = \"%service serve {port}\"
port = \"%0-%9\"
after = { migrate = \"completed\" }
env_file = \".env\"
database = { template = \"shop_dev\" }
";

/// A git repository with these files, of which git ignores `.env`.
fn repository(manifest: &str, env: &str) -> Sandbox {
    let sandbox = Sandbox::new().manifest(manifest);
    let project = sandbox.project().to_owned();
    fs::remove_dir_all(project.join(".git")).unwrap();
    sandbox.write(".gitignore", ".env\n*.db*\n.ports.json\n");
    sandbox.git(&project, &["init", "-q", "-b", "main"]);
    sandbox.git(&project, &["add", "."]);
    sandbox.git(&project, &["commit", "-qm", "first"]);
    sandbox.write(".env", env);
    sandbox
}

fn worktree(sandbox: &Sandbox, branch: &str) -> String {
    let dir = sandbox.path(branch).display().to_string();
    let add = ["worktree", "add", "-q", "-b", branch, &dir];
    sandbox.git(sandbox.project(), &add);
    dir
}

fn remove_worktree(sandbox: &Sandbox, dir: &str) {
    let remove = ["worktree", "remove", "--force", dir];
    sandbox.git(sandbox.project(), &remove);
}

fn url_of_backend(sandbox: &Sandbox, dir: &str) -> String {
    let port = sandbox.run(&["-C", dir, "port", "backend"]).success();
    let port = port.stdout().trim().parse().unwrap();
    http_get(port, "/env/DATABASE_URL").unwrap()
}

/// Fails if a file below `dir` contains a text.
fn assert_nowhere(dir: &Path, text: &str) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            assert_nowhere(&path, text);
        } else if kind.is_file() {
            let content = fs::read(&path).unwrap();
            let found = content
                .windows(text.len())
                .any(|part| part == text.as_bytes());
            assert!(!found, "{} contains `{text}`", path.display());
        }
    }
}

/// The only record of databases.
fn record(sandbox: &Sandbox) -> std::path::PathBuf {
    let instances = fs::read_dir(sandbox.state().join("instances")).unwrap();
    let mut files = instances.map(|entry| entry.unwrap().path().join("databases.json"));
    files.find(|file| file.is_file()).expect("a record")
}

#[test]
fn each_worktree_gets_a_copy_of_a_postgresql_database() {
    let sandbox = repository(
        MANIFEST,
        "DATABASE_URL=postgresql://app:s3cret@localhost:%20/shop_dev?application_name=a\n",
    );
    let server = Server::postgres(&sandbox, sandbox.port(20));
    server.psql(
        "postgres",
        "CREATE ROLE app LOGIN CREATEDB PASSWORD 's3cret'",
    );
    server.psql("postgres", "CREATE DATABASE shop_dev OWNER app");
    let table = "SET ROLE app; CREATE TABLE migrations (id SERIAL, at TIMESTAMPTZ DEFAULT now()); \
                 CREATE INDEX ON migrations (at)";
    server.psql("shop_dev", table);
    let rows = |database: &str| server.psql(database, "SELECT count(*) FROM migrations");

    // The main checkout uses the template, and needs no step for it.
    sandbox.run(&["up", "--detach"]).success();
    let main = sandbox.expand("postgresql://app:s3cret@localhost:%20/shop_dev?application_name=a");
    assert_eq!(url_of_backend(&sandbox, "."), main);
    let listed = sandbox.run(&["ps"]).success().stdout();
    assert!(!listed.contains("database"), "{listed}");
    sandbox.run(&["down"]).success();
    assert_eq!(rows("shop_dev"), "1");

    let fix = worktree(&sandbox, "fix-login");
    let own = main.replace("/shop_dev?", "/fix_login_shop_dev?");
    sandbox.run(&["-C", &fix, "up", "--detach"]).success();
    assert_eq!(url_of_backend(&sandbox, &fix), own);
    // The database was created before the migration, which did not run on the template.
    assert_eq!(
        (rows("shop_dev"), rows("fix_login_shop_dev")),
        ("1".into(), "2".into())
    );
    sandbox.run(&["-C", &fix, "logs", "database"]).success().stdout_has(
        "created the database `fix_login_shop_dev` from the template `shop_dev` (copied its files)",
    );
    let plan = sandbox.run(&["-C", &fix, "plan"]).success();
    plan.stdout_has("`shop_dev` is `fix_login_shop_dev` in this worktree");
    let explain = ["-C", &fix, "env", "backend", "--explain"];
    sandbox.run(&explain).success().stdout_has(&format!(
        "DATABASE_URL={own}  .env:1, `shop_dev` is `fix_login_shop_dev`"
    ));
    // A later start keeps it, also on another branch.
    sandbox.run(&["-C", &fix, "down"]).success();
    sandbox.git(Path::new(&fix), &["switch", "-q", "-c", "renamed"]);
    sandbox.run(&["-C", &fix, "up", "--detach"]).success();
    assert_eq!(url_of_backend(&sandbox, &fix), own);
    assert_eq!(rows("fix_login_shop_dev"), "3");
    sandbox.run(&["-C", &fix, "down"]).success();

    let record = record(&sandbox);
    assert_eq!(
        record.metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_nowhere(&sandbox.state(), "s3cret");

    // A deleted checkout: only listed without consent, and never the template.
    remove_worktree(&sandbox, &fix);
    sandbox
        .run(&["prune"])
        .success()
        .stdout_has("stale database `fix_login_shop_dev`");
    let manifest = sandbox.read("portway.toml");
    sandbox.write("portway.toml", "broken =");
    let refused = sandbox.run(&["prune", "--yes"]).success();
    refused.stdout_has("did not drop the database `fix_login_shop_dev`: the template cannot be");
    sandbox.write(
        "portway.toml",
        &manifest.replace("\"shop_dev\"", "\"fix_login_shop_dev\""),
    );
    let refused = sandbox.run(&["prune", "--yes"]).success();
    refused.stdout_has("the manifest names it as a template");
    assert_eq!(rows("fix_login_shop_dev"), "3");
    sandbox.write("portway.toml", &manifest);
    let dropped = sandbox.run(&["prune", "--yes"]).success();
    dropped.stdout_has("dropped the database `fix_login_shop_dev`");
    let names = server.psql("postgres", "SELECT datname FROM pg_database ORDER BY 1");
    assert_eq!(names, "postgres\nshop_dev\ntemplate0\ntemplate1");
    assert!(!record.exists());
    sandbox
        .run(&["prune", "--yes"])
        .success()
        .stderr_has("nothing to prune");

    // While sessions use the template, it is copied by statements.
    let busy = worktree(&sandbox, "busy");
    let session = server.session("shop_dev");
    sandbox.run(&["-C", &busy, "up", "--detach"]).success();
    drop(session);
    let out = sandbox.run(&["-C", &busy, "logs", "database"]).success();
    out.stdout_has("copied it with `pg_dump`, because other sessions use it");
    assert_eq!(rows("busy_shop_dev"), "2");
    sandbox.run(&["-C", &busy, "down"]).success();

    // Errors name the cause and a way out.
    let taken = worktree(&sandbox, "taken");
    server.psql("postgres", "CREATE DATABASE taken_shop_dev");
    let fails = |dir: &str| {
        let failed = sandbox.run(&["-C", dir, "up", "--detach"]).code(5);
        sandbox.run(&["-C", dir, "down"]);
        failed
    };
    let errors = fails(&taken)
        .stderr_has("`taken_shop_dev` exists already")
        .stderr_has("and Portway did not create it")
        .stderr_has("help: if it is not needed, drop it: `dropdb taken_shop_dev`")
        .stderr();
    assert!(!errors.contains("s3cret"), "{errors}");
    assert_eq!(
        server.psql("postgres", "SELECT count(*) FROM pg_database"),
        "6"
    );
    server.psql("postgres", "DROP DATABASE taken_shop_dev");
    server.psql("postgres", "ALTER ROLE app NOCREATEDB");
    fails(&taken)
        .stderr_has("`app` may not do this on PostgreSQL at localhost:")
        .stderr_has("ALTER ROLE \"app\" CREATEDB");
    server.psql("postgres", "ALTER ROLE app CREATEDB PASSWORD 'other'");
    fails(&taken)
        .stderr_has("rejects `app`")
        .stderr_has("password authentication failed");
    server.psql("postgres", "ALTER ROLE app PASSWORD 's3cret'");
    server.disconnect("shop_dev");
    server.psql("postgres", "ALTER DATABASE shop_dev RENAME TO moved");
    fails(&taken).stderr_has("there is no database `shop_dev` on PostgreSQL at localhost:");
    drop(server);
    fails(&taken)
        .stderr_has("cannot connect to PostgreSQL at localhost:")
        .stderr_has("help: start the server");
}

#[test]
fn the_server_may_be_a_service_of_the_project() {
    let sandbox = repository(
        "[project]\nname = 'shop'\n\
         [services.db]\ncommand = \"%service serve {port}\"\nkind = \"postgres\"\nport = \"%20-%29\"\n\
         [services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         database = { template = \"shop_dev\", url = \"postgresql://app@localhost:{db.port}/\" }\n",
        "",
    );
    let dir = worktree(&sandbox, "fix");
    let plan = sandbox
        .run(&["-C", &dir, "plan", "--json"])
        .success()
        .json();
    let services = plan["services"].as_array().unwrap();
    let after = |name: &str| {
        let service = services.iter().find(|one| one["name"] == name);
        service.unwrap()["after"].clone()
    };
    assert_eq!(after("database"), serde_json::json!(["db"]));
    assert_eq!(after("backend"), serde_json::json!(["database"]));
    let env = sandbox.run(&["-C", &dir, "env", "backend"]).success();
    let own = env.stdout_has("DATABASE_URL=postgresql://app@localhost:");
    own.stdout_has("/fix_shop_dev\n");
}

#[test]
fn each_worktree_gets_a_copy_of_a_mysql_database() {
    let sandbox = repository(
        "[project]\nname = \"shop\"\n[worktree]\ncopy = [\".env\"]\n\
         [services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         database = { template = \"shop_dev\", env = [\"DATABASE_URL\", \"DB_NAME\"] }\n",
        "DATABASE_URL=mysql://admin:s3cret@localhost:%20/shop_dev\nDB_NAME=shop_dev\n",
    );
    let server = Server::mariadb(&sandbox, sandbox.port(20));
    let dir = worktree(&sandbox, "fix");
    sandbox.run(&["-C", &dir, "up", "--detach"]).success();
    let url = sandbox.expand("mysql://admin:s3cret@localhost:%20/fix_shop_dev");
    assert_eq!(url_of_backend(&sandbox, &dir), url);
    let env = sandbox.run(&["-C", &dir, "env", "backend"]).success();
    env.stdout_has("DB_NAME=fix_shop_dev");
    assert_eq!(server.mysql("fix_shop_dev", "SELECT sum(x) FROM t"), "3");
    server.mysql("fix_shop_dev", "INSERT INTO t VALUES (4)");
    sandbox.run(&["-C", &dir, "down"]).success();
    sandbox.run(&["-C", &dir, "up", "--detach"]).success();
    assert_eq!(server.mysql("fix_shop_dev", "SELECT sum(x) FROM t"), "7");
    assert_eq!(server.mysql("shop_dev", "SELECT sum(x) FROM t"), "3");
    sandbox.run(&["-C", &dir, "down"]).success();
    assert_nowhere(&sandbox.state(), "s3cret");

    remove_worktree(&sandbox, &dir);
    let dropped = sandbox.run(&["prune", "--yes"]).success();
    dropped.stdout_has("dropped the database `fix_shop_dev` (MySQL at localhost:");
    let names = server.mysql("shop_dev", "SHOW DATABASES LIKE '%shop%'");
    assert_eq!(names, "shop_dev");
}

#[test]
fn each_worktree_gets_a_copy_of_a_sqlite_file() {
    let sandbox = repository(
        "[project]\nname = \"shop\"\n\
         [services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         database = \"data/dev.db\"\n\
         env = { DATABASE_URL = \"sqlite:///data/dev.db\" }\n",
        "",
    );
    let python = |code: &str| {
        let mut python = sandbox.command("python3");
        python.args(["-c", code]);
        sandbox
            .run_command(python)
            .success()
            .stdout()
            .trim()
            .to_owned()
    };
    fs::create_dir(sandbox.project().join("data")).unwrap();
    python(
        "import sqlite3\nc = sqlite3.connect('data/dev.db')\nc.execute('CREATE TABLE t (x)')\n\
         c.execute('INSERT INTO t VALUES (42)')\nc.commit()",
    );
    let dir = worktree(&sandbox, "fix");
    sandbox.run(&["-C", &dir, "up", "--detach"]).success();
    let read = format!(
        "import sqlite3\nprint(sqlite3.connect('{dir}/data/dev.db').execute('SELECT x FROM t').fetchone()[0])"
    );
    assert_eq!(python(&read), "42");
    sandbox.run(&["-C", &dir, "down"]).success();
    sandbox.run(&["-C", &dir, "up", "--detach"]).success();
    sandbox.run(&["-C", &dir, "down"]).success();
    // It was deleted with the worktree; the template stays.
    remove_worktree(&sandbox, &dir);
    sandbox.run(&["prune", "--yes"]).success();
    assert!(sandbox.project().join("data/dev.db").is_file());
}
