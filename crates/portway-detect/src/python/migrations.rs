//! Migrations of Django, Alembic and Flask-Migrate.

use std::sync::LazyLock;

use regex_lite::Regex;

use super::application::{places, within};
use super::django;
use super::packages::Packages;
use super::venv::Environment;
use crate::migration::{
    MigratedDatabase, Migration, code, creator, has_literal_address, overrides_environment, resolve,
};
use crate::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Maximum number of files of settings that are read.
const MAX_SETTINGS: usize = 8;

/// Calls of applications that create their tables when they start.
const CREATORS: [&str; 6] = [
    "create_all(",
    "create_all)",
    "call_command(\"migrate\"",
    "call_command('migrate'",
    "command.upgrade(",
    "generate_schemas=True",
];

/// Returns how the project in `dir` creates the tables of its database. `service` runs in it.
pub(crate) fn migration(
    dir: &Dir<'_>,
    service: &DetectedService,
    context: &DetectContext<'_>,
) -> Option<Migration> {
    // Each service that runs Python has this variable.
    if !service.env.contains_key("PYTHONUNBUFFERED") {
        return None;
    }
    let packages = Packages::read(dir);
    let program = |package: &str, command: &str| {
        let environment = Environment::of(dir, packages.as_ref(), package, None, context);
        environment.program(command)
    };
    let found = django(dir, service, &|command| {
        let environment = Environment::of(dir, packages.as_ref(), "django", None, context);
        format!("{} {command}", environment.python)
    });
    if let Some(found) = found {
        return found;
    }
    let has = |package: &str| packages.as_ref().is_some_and(|all| all.has(package));
    let found = match has("flask-migrate") {
        true => flask(dir, service, &program),
        false => alembic(dir, &program),
    }?;
    let is_literal = |dir: &Dir<'_>| {
        let files = dir.files().filter(|name| name.ends_with(".py"));
        let mut texts = files.take(40).filter_map(|name| dir.read(name));
        texts.any(|text| has_literal_address(&text) || overrides_environment(&text))
    };
    let is_fixed = places(dir).iter().any(is_literal);
    (!is_fixed && creator(dir, &[".py"], &CREATORS).is_none()).then_some(found)
}

/// Returns the migration of a Django project; `None` if `dir` is none, and `Some(None)` if its database is not
/// known for certain.
fn django(
    dir: &Dir<'_>,
    service: &DetectedService,
    python: &dyn Fn(&str) -> String,
) -> Option<Option<Migration>> {
    let places = places(dir);
    let manage = django::manage(&places)?;
    let place = manage.place;
    let file = place.path_of("manage.py");
    let mut texts = settings(place, manage.settings());
    let all = texts.iter().map(|(_, text)| text).chain([&manage.text]);
    if all.into_iter().any(|text| overrides_environment(text)) {
        texts.clear();
    }
    let command = match service.command.rsplit_once("manage.py runserver") {
        // With the variables and the working directory of the server.
        Some((before, _)) if before.matches(['"', '\'']).count() % 2 == 0 => {
            format!("{before}manage.py migrate --noinput")
        }
        _ => python(&format!("{} migrate --noinput", quote(within(dir, &file)))),
    };
    let migration = database(place, &texts).map(|database| Migration {
        tool: "django",
        command,
        dir: None,
        evidence: format!("{file} creates the tables of Django's database"),
        database,
        env: &[],
    });
    let creator = migration
        .as_ref()
        .and_then(|_| creator(dir, &[".py"], &CREATORS[2..5]));
    Some(migration.filter(|_| creator.is_none()))
}

/// Returns the files of a Django project's settings and their code: this module, and those that it imports as
/// a whole.
fn settings(place: &Dir<'_>, module: Option<String>) -> Vec<(String, String)> {
    let mut pending: Vec<String> = module.into_iter().collect();
    let mut found: Vec<(String, String)> = Vec::new();
    while let Some(module) = pending.pop() {
        let path = module.replace('.', "/");
        let is_package = place.below(&path).is_some_and(|dir| dir.has("__init__.py"));
        let file = match is_package {
            true => format!("{path}/__init__.py"),
            false => format!("{path}.py"),
        };
        let (parent, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let text = place.below(parent).and_then(|dir| dir.read(name));
        let is_known = found.iter().any(|(known, _)| *known == file);
        let Some(text) = text.filter(|_| !is_known && found.len() < MAX_SETTINGS) else {
            continue;
        };
        let text = code(&text);
        let package = parent.replace('/', ".");
        for line in text.lines().map(str::trim) {
            let imported = line
                .strip_prefix("from ")
                .and_then(|rest| rest.split_once(" import *"));
            match imported.map(|(module, _)| module.trim()) {
                Some(module) if module.starts_with('.') => {
                    let name = module.trim_start_matches('.');
                    pending.push(format!("{package}.{name}").trim_matches('.').to_owned());
                }
                Some(module) => pending.push(module.to_owned()),
                None => {}
            }
        }
        found.push((file, text));
    }
    found
}

/// Calls that read the address of Django's database from the variable `DATABASE_URL`.
const URLS: [&str; 5] = [
    "dj_database_url",
    "env.db(",
    "env.db_url(",
    "env.dj_db_url(",
    "env.dj_db(",
];

/// Returns the database of these settings, if no other can be meant.
fn database(place: &Dir<'_>, texts: &[(String, String)]) -> Option<MigratedDatabase> {
    let has = |text: &str| texts.iter().any(|(_, code)| code.contains(text));
    let has_url =
        URLS.iter().any(|call| has(call)) && has("DATABASE_URL") || has("dj_database_url.config(");
    let postgres = has("db.backends.postgresql")
        || has("db.backends.postgis")
        || has("gis.db.backends.postgis");
    // The default of a variable that Portway sets.
    let is_default = has_url
        && texts.iter().any(|(_, text)| {
            let mut lines = text.lines().map(str::trim_start);
            lines.any(|line| line.starts_with("if ") && line.contains("DATABASE_URL"))
        });
    let mysql = has("db.backends.mysql");
    let sqlite = has("db.backends.sqlite3") && !is_default;
    match (sqlite, postgres || has_url, mysql) {
        (true, false, false) => file(place, texts).map(MigratedDatabase::File),
        (false, true, false) | (false, false, true) => {
            let is_literal = texts
                .iter()
                .any(|(_, text)| has_literal_address(&block(text)));
            let kind = match (postgres, mysql) {
                (true, _) => Some(Kind::Postgres),
                (_, true) => Some(Kind::Mysql),
                _ => None,
            };
            (!is_literal).then_some(MigratedDatabase::Server(kind))
        }
        _ => None,
    }
}

/// Returns the statement that sets `DATABASES`.
fn block(text: &str) -> String {
    let mut lines = text
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("DATABASES"));
    let first = lines.next().unwrap_or_default();
    let rest = lines.take_while(|line| !line.starts_with(|c: char| c.is_ascii_alphabetic()));
    [first]
        .into_iter()
        .chain(rest)
        .collect::<Vec<_>>()
        .join("\n")
}

static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["']NAME["']\s*:\s*([^\n]+)"#).unwrap_or_else(|error| unreachable!("{error}"))
});

static TEXTS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"["']([A-Za-z0-9_./-]+)["']"#).unwrap_or_else(|error| unreachable!("{error}"))
});

/// Returns the file of SQLite that settings name relative to `BASE_DIR`.
fn file(place: &Dir<'_>, texts: &[(String, String)]) -> Option<String> {
    let mut blocks = texts.iter().filter(|(_, text)| text.contains("DATABASES"));
    let (_, text) = blocks.next().filter(|_| blocks.next().is_none())?;
    let block = block(text);
    if block.matches("ENGINE").count() != 1 || block.contains("env") || block.contains("config(") {
        return None;
    }
    let value = NAME
        .captures(&block)?
        .get(1)?
        .as_str()
        .trim_end_matches(',')
        .trim();
    let is_joined = ["BASE_DIR /", "str(BASE_DIR /", "os.path.join(BASE_DIR,"]
        .iter()
        .any(|start| value.starts_with(start));
    let parts: Vec<&str> = TEXTS
        .captures_iter(value)
        .filter_map(|found| Some(found.get(1)?.as_str()))
        .collect();
    if !is_joined || parts.is_empty() {
        return None;
    }
    // Where `BASE_DIR` is: so many levels above the file of the settings.
    let (file, line) = texts.iter().find_map(|(file, text)| {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("BASE_DIR"))?;
        line.contains("__file__").then_some((file, line))
    })?;
    let levels = line.matches(".parent").count() + line.matches("dirname(").count();
    let above = file.split('/').count().checked_sub(levels)?;
    let base: Vec<&str> = file.split('/').take(above).collect();
    let base = resolve(place.path(), &base.join("/")).unwrap_or_default();
    resolve(&base, &parts.join("/"))
}

fn flask(
    dir: &Dir<'_>,
    service: &DetectedService,
    program: &dyn Fn(&str, &str) -> String,
) -> Option<Migration> {
    has_versions(&dir.sub("migrations")?)?;
    let command = match service.command.split_once(" run") {
        Some((before, _)) if before.contains("flask") => format!("{before} db upgrade"),
        _ => {
            // Without its name, Flask finds only these.
            dir.first_of(&["app.py", "wsgi.py"])?;
            program("flask", "flask db upgrade")
        }
    };
    Some(Migration {
        tool: "flask-migrate",
        command,
        dir: None,
        evidence: format!(
            "{} has the migrations of Flask-Migrate",
            dir.path_of("migrations/versions")
        ),
        database: MigratedDatabase::Server(None),
        env: &[],
    })
}

fn alembic(dir: &Dir<'_>, program: &dyn Fn(&str, &str) -> String) -> Option<Migration> {
    let ini = dir.read("alembic.ini")?;
    let value = |key: &str| {
        let mut lines = ini.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(name, _)| name.trim() == key)?;
        Some(value.trim().to_owned())
    };
    let location = value("script_location")?;
    let location = location.trim_start_matches("%(here)s/");
    let scripts = dir.below(location)?;
    has_versions(&scripts)?;
    let env = scripts
        .read("env.py")
        .map(|text| code(&text))
        .unwrap_or_default();
    let url = value("sqlalchemy.url").unwrap_or_default();
    let is_placeholder = url.is_empty() || url.starts_with("driver:") || url.contains("%(");
    let is_replaced = [
        "sqlalchemy.url\"",
        "sqlalchemy.url'",
        "environ",
        "getenv",
        "settings",
    ]
    .iter()
    .any(|sign| env.contains(sign));
    (is_placeholder || is_replaced).then(|| Migration {
        tool: "alembic",
        command: program("alembic", "alembic upgrade head"),
        dir: None,
        evidence: format!(
            "{} has the migrations of Alembic",
            scripts.path_of("versions")
        ),
        database: MigratedDatabase::Server(None),
        env: &[],
    })
}

/// Returns whether a directory of Alembic has migrations.
fn has_versions(scripts: &Dir<'_>) -> Option<()> {
    let versions = scripts.sub("versions")?;
    let mut files = versions.files();
    files
        .any(|name| name.ends_with(".py") && name != "__init__.py")
        .then_some(())
}
