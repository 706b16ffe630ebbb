//! The migrations of each framework and tool.

use super::{POSTGRES, does_not_migrate, migrates};

const FASTAPI: (&str, &str) = ("main.py", "from fastapi import FastAPI\napp = FastAPI()\n");
const ALEMBIC: (&str, &str) = ("requirements.txt", "fastapi\nuvicorn\nalembic\n");
const INI: (&str, &str) = (
    "alembic.ini",
    "[alembic]\nscript_location = %(here)s/alembic\nsqlalchemy.url = driver://user:pass@localhost/dbname\n",
);
const ENV: (&str, &str) = (
    "alembic/env.py",
    "config.set_main_option(\"sqlalchemy.url\", settings.database_url)\n",
);
const VERSION: (&str, &str) = ("alembic/versions/1_first.py", "def upgrade(): pass\n");

#[test]
fn alembic_upgrades_to_the_head() {
    let files = [FASTAPI, ALEMBIC, INI, ENV, VERSION, POSTGRES];
    migrates(&files, ".venv/bin/alembic upgrade head", "db");
    let without = |index: usize| {
        let mut files = files.to_vec();
        files.remove(index);
        files
    };
    does_not_migrate(&without(2));
    does_not_migrate(&without(4));
    for (name, text) in [
        (
            "alembic.ini",
            "[alembic]\nscript_location = alembic\nsqlalchemy.url = postgresql://app@localhost/app\n",
        ),
        ("models.py", "Base.metadata.create_all(bind=engine)\n"),
        (
            "database.py",
            "URL = \"postgresql://user:password@localhost/app\"\n",
        ),
    ] {
        let mut files = files.to_vec();
        files.retain(|(known, _)| *known != name);
        files.push((name, text));
        if name == "alembic.ini" {
            files.retain(|(known, _)| *known != ENV.0);
        }
        does_not_migrate(&files);
    }
    // Comments and tests count as nothing.
    let harmless = [
        ("db.py", "# Base.metadata.create_all(engine)\n"),
        ("tests/conftest.py", "Base.metadata.create_all(engine)\n"),
    ];
    migrates(
        &[&files[..], &harmless].concat(),
        ".venv/bin/alembic upgrade head",
        "db",
    );
}

#[test]
fn flask_migrate_upgrades_with_the_application_of_the_server() {
    let files = [
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("requirements.txt", "flask\nflask-migrate\n"),
        ("migrations/env.py", "from flask import current_app\n"),
        ("migrations/versions/1.py", "def upgrade(): pass\n"),
        POSTGRES,
    ];
    migrates(&files, ".venv/bin/flask --app app db upgrade", "db");
    let created = (
        "models.py",
        "with app.app_context():\n    db.create_all()\n",
    );
    does_not_migrate(&[&files[..], &[created]].concat());
}

const SCHEMA: &str =
    "datasource db {\n  provider = \"postgresql\"\n  url = env(\"DATABASE_URL\")\n}\n";

fn package(dependencies: &str, scripts: &str) -> String {
    format!(
        "{{\"scripts\": {{\"dev\": \"node server.js\"{scripts}}}, \"dependencies\": {{\"express\": \"4\", {dependencies}}}}}"
    )
}

const SERVER: (&str, &str) = (
    "server.js",
    "require('express')().listen(process.env.PORT || 3000)\n",
);

#[test]
fn prisma_deploys_migrations_or_pushes_the_schema() {
    let prisma = "\"prisma\": \"6\"";
    let migration = ("prisma/migrations/1_first/migration.sql", "");
    for (scripts, with_migrations, command) in [
        ("", true, "npm exec -- prisma migrate deploy"),
        ("", false, "npm exec -- prisma db push"),
        (
            ", \"db:deploy\": \"dotenv -- prisma migrate deploy\"",
            true,
            "npm run db:deploy",
        ),
        (
            ", \"db:push\": \"prisma db push\"",
            false,
            "npm run db:push",
        ),
        // A file overrides the variables of Portway.
        (
            ", \"db:push\": \"env-cmd -- prisma db push\"",
            false,
            "npm exec -- prisma db push",
        ),
        // It asks, or deletes.
        (
            ", \"db:migrate\": \"prisma migrate dev\"",
            true,
            "npm exec -- prisma migrate deploy",
        ),
        (
            ", \"db:push\": \"prisma db push --force-reset\"",
            false,
            "npm exec -- prisma db push",
        ),
    ] {
        let package = package(prisma, scripts);
        let mut files = vec![
            SERVER,
            ("package.json", &package),
            ("prisma/schema.prisma", SCHEMA),
            POSTGRES,
        ];
        if with_migrations {
            files.push(migration);
        }
        migrates(&files, command, "db");
    }
    let plain = package(prisma, "");
    let sqlite = SCHEMA
        .replace("postgresql", "sqlite")
        .replace("env(\"DATABASE_URL\")", "\"file:./dev.db\"");
    let files = [
        SERVER,
        ("package.json", &plain),
        ("prisma/schema.prisma", &sqlite),
    ];
    migrates(&files, "npm exec -- prisma db push", "prisma/dev.db");
    for schema in [
        SCHEMA.replace("postgresql", "mongodb"),
        SCHEMA.replace(
            "env(\"DATABASE_URL\")",
            "\"postgresql://db.example.com/app\"",
        ),
        sqlite.replace("\"file:./dev.db\"", "env(\"DATABASE_URL\")"),
    ] {
        does_not_migrate(&[
            SERVER,
            ("package.json", &plain),
            ("prisma/schema.prisma", &schema),
            POSTGRES,
        ]);
    }
    // Its path may be in `package.json`, and it may say nothing about the address.
    let elsewhere = plain.replace(
        "\"scripts\"",
        "\"prisma\": {\"schema\": \"./db/schema.prisma\"}, \"scripts\"",
    );
    let schema = SCHEMA.replace("  url = env(\"DATABASE_URL\")\n", "");
    let files = [
        SERVER,
        ("package.json", &elsewhere),
        ("db/schema.prisma", &schema),
        POSTGRES,
    ];
    migrates(&files, "npm exec -- prisma db push", "db");
    // The server's own script does it.
    let own = "{\"scripts\": {\"predev\": \"prisma migrate deploy\", \"dev\": \"node server.js\"}, \"dependencies\": {\"express\": \"4\", \"prisma\": \"6\"}}";
    does_not_migrate(&[
        SERVER,
        ("package.json", own),
        ("prisma/schema.prisma", SCHEMA),
        POSTGRES,
        migration,
    ]);
}

#[test]
fn the_schema_may_be_in_another_member_of_the_workspace() {
    let files = [
        (
            "package.json",
            "{\"workspaces\": [\"apps/*\", \"packages/*\"]}",
        ),
        ("package-lock.json", "{}"),
        (
            "apps/api/package.json",
            "{\"scripts\": {\"dev\": \"node server.js\"}, \"dependencies\": {\"express\": \"4\", \"@shop/db\": \"*\"}}",
        ),
        ("apps/api/server.js", SERVER.1),
        (
            "packages/db/package.json",
            "{\"name\": \"@shop/db\", \"dependencies\": {\"prisma\": \"6\"}}",
        ),
        ("packages/db/prisma/schema.prisma", SCHEMA),
        POSTGRES,
    ];
    let migrate = migrates(&files, "npm exec -- prisma db push", "db");
    assert_eq!(migrate.dir, "packages/db");
    assert_eq!(migrate.prepare_dir.as_deref(), Some(""));
}

#[test]
fn drizzle_migrates_or_pushes() {
    let plain = package("\"drizzle-kit\": \"1\"", "");
    let config = "export default defineConfig({\n  dialect: 'postgresql',\n  out: './drizzle',\n  dbCredentials: { url: process.env.DATABASE_URL! },\n})\n";
    let files = [
        SERVER,
        ("package.json", &plain),
        ("drizzle.config.ts", config),
        POSTGRES,
    ];
    migrates(&files, "npm exec -- drizzle-kit push", "db");
    let sql = ("drizzle/0000_first.sql", "");
    migrates(
        &[&files[..], &[sql]].concat(),
        "npm exec -- drizzle-kit migrate",
        "db",
    );
    let script = package(
        "\"drizzle-kit\": \"1\"",
        ", \"db:migrate\": \"tsx src/migrate.ts\"",
    );
    let own = [
        SERVER,
        ("package.json", &script),
        ("drizzle.config.ts", config),
        POSTGRES,
        sql,
    ];
    migrates(&own, "npm run db:migrate", "db");
    let literal = config.replace("process.env.DATABASE_URL!", "'postgres://localhost/app'");
    does_not_migrate(&[
        SERVER,
        ("package.json", &plain),
        ("drizzle.config.ts", &literal),
        POSTGRES,
    ]);
}

#[test]
fn other_libraries_run_their_migrations() {
    let migration = ("migrations/1_first.js", "");
    for (dependency, config, scripts, command) in [
        (
            "knex",
            Some((
                "knexfile.js",
                "module.exports = { connection: process.env.DATABASE_URL }",
            )),
            "",
            "npm exec -- knex migrate:latest",
        ),
        (
            "typeorm",
            None,
            ", \"migration:run\": \"typeorm migration:run -d data.js\"",
            "npm run migration:run",
        ),
        (
            "sequelize",
            Some((
                "config/config.js",
                "module.exports = { url: process.env.DATABASE_URL }",
            )),
            "",
            "npm exec -- sequelize-cli db:migrate",
        ),
        (
            "@mikro-orm/core",
            None,
            "",
            "npm exec -- mikro-orm migration:up",
        ),
    ] {
        let package = package(&format!("\"{dependency}\": \"1\""), scripts);
        let mut files = vec![SERVER, ("package.json", &package), POSTGRES];
        files.extend(config);
        does_not_migrate(&files);
        files.push(migration);
        migrates(&files, command, "db");
        if dependency == "typeorm" {
            files.push(("data.js", "new DataSource({ synchronize: true })"));
            does_not_migrate(&files);
        }
    }
    let sqlite = package("\"knex\": \"1\"", "");
    let config = (
        "knexfile.js",
        "module.exports = { development: { client: 'sqlite3' }, production: { connection: process.env.DATABASE_URL } }",
    );
    does_not_migrate(&[
        SERVER,
        ("package.json", &sqlite),
        config,
        migration,
        POSTGRES,
    ]);
}

#[test]
fn rails_prepares_its_database() {
    let files = |config: &'static str| {
        [
            ("Gemfile", "gem 'rails'"),
            ("bin/rails", ""),
            (
                "config/application.rb",
                "class Application < Rails::Application",
            ),
            ("db/schema.rb", ""),
            ("config/database.yml", config),
        ]
    };
    let postgres = files(
        "default: &default\n  adapter: postgresql\ndevelopment:\n  <<: *default\n  database: shop\n",
    );
    let migrate = migrates(
        &[&postgres[..], &[POSTGRES]].concat(),
        "bin/rails db:prepare",
        "db",
    );
    assert_eq!(migrate.env["SKIP_TEST_DATABASE"], "1");
    does_not_migrate(&postgres);
    let sqlite = files(
        "default: &default\n  adapter: sqlite3\ndevelopment:\n  <<: *default\n  database: storage/development.sqlite3\n",
    );
    migrates(
        &sqlite,
        "bin/rails db:prepare",
        "storage/development.sqlite3",
    );
}

#[test]
fn laravel_migrates_with_its_env_file() {
    let files = [
        ("artisan", ""),
        (
            "composer.json",
            "{\"require\": {\"laravel/framework\": \"12\"}}",
        ),
        ("database/migrations/1.php", ""),
    ];
    let command = "php artisan migrate --force --no-interaction";
    let pgsql = (
        ".env",
        "DB_CONNECTION=pgsql\nDB_HOST=127.0.0.1\nDB_PORT=5432\n",
    );
    migrates(&[&files[..], &[pgsql, POSTGRES]].concat(), command, "db");
    let sqlite = (".env", "DB_CONNECTION=sqlite\n");
    migrates(
        &[&files[..], &[sqlite]].concat(),
        command,
        "database/database.sqlite",
    );
    does_not_migrate(&[&files[..], &[POSTGRES]].concat());
}

#[test]
fn ecto_is_set_up_if_a_variable_has_its_address() {
    let mix = (
        "mix.exs",
        "def application do\n [mod: {Shop.Application, []}]\nend\ndefp deps do\n [{:phoenix, \"~> 1.8\"}, {:postgrex, \">= 0.0.0\"}]\nend\ndefp aliases do\n [\"ecto.setup\": [\"ecto.create\"]]\nend",
    );
    let dev = |host: &str| {
        format!(
            "config :shop, Shop.Repo,\n  username: \"postgres\",\n  hostname: {host}\n\nconfig :shop, ShopWeb.Endpoint, http: []\n"
        )
    };
    let read = dev("System.get_env(\"DB_HOST\", \"localhost\")");
    let migration = ("priv/repo/migrations/1_first.exs", "");
    migrates(
        &[mix, ("config/dev.exs", &read), migration, POSTGRES],
        "mix ecto.setup",
        "db",
    );
    let literal = dev("\"localhost\"");
    does_not_migrate(&[mix, ("config/dev.exs", &literal), migration, POSTGRES]);
}
