//! Migrations of Prisma, Drizzle, Knex, TypeORM, Sequelize and MikroORM.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::manager::{Managed, workspace_of};
use super::migration_tools::{SCRIPTS, TOOLS, Tool, UNFIT};
use super::package::Package;
use super::workspace::members;
use crate::migration::{
    MigratedDatabase, Migration, code, creates_tables, creator, has_literal_address,
    overrides_environment, resolve,
};
use crate::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;

/// Maximum number of members of a workspace that are searched.
const MAX_MEMBERS: usize = 60;

/// Returns how the package in `dir`, or the member of its workspace with its database, creates the tables.
/// `service` runs in it.
pub(crate) fn migration(
    dir: &Dir<'_>,
    service: &DetectedService,
    context: &DetectContext<'_>,
) -> Option<Migration> {
    // A project of Nx has no package of its own.
    let dir = &dir.upwards().find(|at| at.has("package.json"))?;
    let package = Package::read(dir)?;
    if service.env.contains_key("PYTHONUNBUFFERED") || starts_with_migration(&package, service) {
        return None;
    }
    if let Some(found) = of_package(dir, &package, context) {
        return found.map(|found| Migration {
            dir: Some(dir.path().to_owned()).filter(|path| *path != service.dir),
            ..found
        });
    }
    let root = workspace_of(dir)?;
    for member in members(&root, MAX_MEMBERS) {
        // A project of Nx may have none.
        let name = member.json("package.json").unwrap_or_default();
        let name = name.get("name").and_then(|name| name.as_str());
        if member.path() == dir.path() || !name.is_some_and(|name| package.has(name)) {
            continue;
        }
        let found = Package::read(&member)
            .and_then(|package| of_package(&member, &package, context))
            .flatten();
        if let Some(found) = found {
            return Some(Migration {
                dir: Some(member.path().to_owned()),
                ..found
            });
        }
    }
    None
}

/// Returns whether the scripts that start a service create the tables.
fn starts_with_migration(package: &Package, service: &DetectedService) -> bool {
    let texts = scripts(package, service.command.clone());
    texts.iter().any(|text| creates_tables(text))
}

/// Returns a command and the scripts of the package that it runs, directly or through others.
fn scripts(package: &Package, command: String) -> Vec<String> {
    let mut texts = vec![command];
    for _ in 0..3 {
        let mut more = Vec::new();
        for (name, script) in &package.scripts {
            let is_run = texts.iter().any(|text| {
                let words: Vec<&str> = text.split([' ', ';', '"', '\'']).collect();
                let base = name.strip_prefix("pre").unwrap_or(name);
                words.contains(&name.as_str()) || words.contains(&base)
            });
            if is_run && !texts.contains(script) {
                more.push(script.clone());
            }
        }
        texts.extend(more);
    }
    texts
}

/// Returns the migration of a package; `None` if it has none, and `Some(None)` if it is not run.
fn of_package(
    dir: &Dir<'_>,
    package: &Package,
    context: &DetectContext<'_>,
) -> Option<Option<Migration>> {
    let managed = Managed::of(dir, package, context);
    let found = Found {
        dir,
        package,
        managed,
    };
    found
        .prisma()
        .or_else(|| found.drizzle())
        .or_else(|| found.others())
}

struct Found<'f, 'd> {
    dir: &'f Dir<'d>,
    package: &'f Package,
    managed: Managed,
}

static PROVIDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?s)datasource\s+\w+\s*\{[^}]*?provider\s*=\s*"(\w+)""#)
        .unwrap_or_else(|error| unreachable!("{error}"))
});

static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*url\s*=\s*"([^"]+)""#).unwrap_or_else(|error| unreachable!("{error}"))
});

static DIALECT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["']?(?:dialect|driver)["']?\s*:\s*["']([\w-]+)["']"#)
        .unwrap_or_else(|error| unreachable!("{error}"))
});

static OUT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["']?out["']?\s*:\s*["']([^"']+)["']"#)
        .unwrap_or_else(|error| unreachable!("{error}"))
});

impl Found<'_, '_> {
    fn prisma(&self) -> Option<Option<Migration>> {
        if !self.package.has("prisma") && !self.package.has("@prisma/client") {
            return None;
        }
        let configured = self.dir.json("package.json");
        let configured = configured
            .as_ref()
            .and_then(|package| package.get("prisma")?.get("schema")?.as_str())
            .map(|path| path.trim_start_matches("./"));
        let usual = [
            "prisma/schema.prisma",
            "prisma/schema/schema.prisma",
            "schema.prisma",
        ];
        let (path, schema) = configured
            .into_iter()
            .chain(usual)
            .find_map(|path| Some((path, super::files::read(self.dir, path)?)))?;
        let place = path.rsplit_once('/').map_or("", |(place, _)| place);
        let schema = code(&schema);
        let provider = PROVIDER.captures(&schema)?.get(1)?.as_str().to_owned();
        let url = URL.captures(&schema).and_then(|found| found.get(1));
        let file = self.dir.path_of(path);
        let migrations = self.dir.below(place.trim_end_matches("/schema"));
        let migrations = migrations.and_then(|dir| dir.sub("migrations"));
        let has_migrations = migrations.is_some_and(|dir| dir.dirs().next().is_some());
        let (sign, default) = match has_migrations {
            true => ("migrate deploy", "prisma migrate deploy"),
            false => ("db push", "prisma db push"),
        };
        let database = match (provider.as_str(), url) {
            ("sqlite", Some(url)) => {
                let place = self.dir.path_of(place);
                let path = url.as_str().strip_prefix("file:");
                path.and_then(|path| resolve(place.trim_end_matches('/'), path))
                    .map(MigratedDatabase::File)
            }
            ("postgresql" | "postgres", None) => {
                Some(MigratedDatabase::Server(Some(Kind::Postgres)))
            }
            ("mysql", None) => Some(MigratedDatabase::Server(Some(Kind::Mysql))),
            // The address is in the schema, or the database needs no tables.
            _ => None,
        };
        Some(database.map(|database| {
            Migration {
                tool: "prisma",
                command: self
                    .script(&[sign])
                    .unwrap_or_else(|| format!("{} {default}", self.managed.exec())),
                dir: None,
                evidence: format!("{file} describes the tables of the database"),
                database,
                env: &[],
            }
        }))
    }

    fn drizzle(&self) -> Option<Option<Migration>> {
        if !self.package.has("drizzle-kit") {
            return None;
        }
        let names = [
            "drizzle.config.ts",
            "drizzle.config.js",
            "drizzle.config.mjs",
            "drizzle.config.mts",
        ];
        let name = self.dir.first_of(&names)?;
        let config = code(&self.dir.read(name)?);
        let dialect = DIALECT.captures(&config)?.get(1)?.as_str().to_owned();
        let out = OUT.captures(&config).and_then(|found| found.get(1));
        let out = out.map_or("drizzle", |out| out.as_str());
        let migrations = self.dir.below(out.trim_start_matches("./"));
        let has_migrations =
            migrations.is_some_and(|dir| dir.files().any(|name| name.ends_with(".sql")));
        let kind = match dialect.as_str() {
            "postgresql" | "pg" => Some(Kind::Postgres),
            "mysql" | "mysql2" => Some(Kind::Mysql),
            _ => None,
        };
        let is_read = config.contains("env")
            && !has_literal_address(&config)
            && !overrides_environment(&config);
        let creators = [
            "drizzle-orm/node-postgres/migrator",
            "drizzle-orm/postgres-js/migrator",
            "drizzle-orm/mysql2/migrator",
        ];
        let (sign, default) = match has_migrations {
            true => (
                &["drizzle-kit migrate", "migrate"][..],
                "drizzle-kit migrate",
            ),
            false => (&["drizzle-kit push"][..], "drizzle-kit push"),
        };
        let runs_itself = || creator(self.dir, &[".ts", ".js", ".mjs"], &creators).is_some();
        Some(kind.filter(|_| is_read && !runs_itself()).map(|kind| {
            Migration {
                tool: "drizzle",
                command: self
                    .script(sign)
                    .unwrap_or_else(|| format!("{} {default}", self.managed.exec())),
                dir: None,
                evidence: format!("{} describes its migrations", self.dir.path_of(name)),
                database: MigratedDatabase::Server(Some(kind)),
                env: &[],
            }
        }))
    }

    fn others(&self) -> Option<Option<Migration>> {
        let is_used = |tool: &&Tool| tool.packages.iter().any(|name| self.package.has(name));
        let mut tools = TOOLS.iter().filter(is_used);
        tools.find_map(|tool| self.other(tool))
    }

    fn other(&self, tool: &Tool) -> Option<Option<Migration>> {
        let place = tool.places.iter().find(|place| {
            let files = self.dir.below(place);
            let is_migration = |name: &str| super::files::is_source(name) || name.ends_with(".sql");
            files.is_some_and(|dir| dir.files().any(is_migration))
        })?;
        let config = tool
            .configs
            .iter()
            .find_map(|path| super::files::read(self.dir, path));
        let config = config.map(|text| code(&text)).unwrap_or_default();
        let is_fixed = has_literal_address(&config)
            || overrides_environment(&config)
            || config.contains("sqlite");
        if is_fixed || creator(self.dir, &[".ts", ".js", ".mjs"], tool.creators).is_some() {
            return Some(None);
        }
        let is_found = !config.is_empty() || tool.configs.is_empty();
        let default = tool.run.filter(|_| is_found);
        let default = default.map(|run| format!("{} {run}", self.managed.exec()));
        let command = self.script(tool.signs).or(default)?;
        let kind = match (self.package.has("pg"), self.package.has("mysql2")) {
            (true, false) => Some(Kind::Postgres),
            (false, true) => Some(Kind::Mysql),
            _ => None,
        };
        Some(Some(Migration {
            tool: tool.name,
            command,
            dir: None,
            evidence: format!(
                "{} creates the tables of the database",
                self.dir.path_of(place)
            ),
            database: MigratedDatabase::Server(kind),
            env: &[],
        }))
    }

    /// Returns the command of the package's own script that contains one of `signs` and neither asks nor deletes.
    fn script(&self, signs: &[&str]) -> Option<String> {
        let name = SCRIPTS.into_iter().find(|name| {
            let script = self.package.scripts.get(*name);
            script.is_some_and(|script| {
                signs.iter().any(|sign| script.contains(sign))
                    && !UNFIT.iter().any(|word| script.contains(word))
            })
        })?;
        let command = self.managed.run(name, "");
        let mut texts = scripts(self.package, command.clone()).into_iter();
        (!texts.any(|text| overrides_environment(&text))).then_some(command)
    }
}
