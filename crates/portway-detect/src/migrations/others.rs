//! Migrations of Rails, Laravel and Ecto.

use crate::migration::{MigratedDatabase, Migration, code, resolve};
use crate::{DetectContext, DetectedService, Dir};
use portway_project::kind::Kind;

/// Returns how the Rails application in `dir` creates its tables. The variable `DATABASE_URL` overrides the
/// address in its configuration.
pub(super) fn rails(
    dir: &Dir<'_>,
    service: &DetectedService,
    _: &DetectContext<'_>,
) -> Option<Migration> {
    let config = dir.sub("config")?;
    let application = config.read("application.rb")?;
    let has_tables = dir.sub("db").is_some_and(|db| {
        db.has("schema.rb") || db.has("structure.sql") || db.sub("migrate").is_some()
    });
    let is_ruby = ["rails", "sidekiq", "puma", "foreman"]
        .iter()
        .any(|word| service.command.contains(word));
    if !application.contains("Rails::Application") || !has_tables || !is_ruby {
        return None;
    }
    let text = code(&config.read("database.yml")?);
    let has = |adapter: &str| text.contains(&format!("adapter: {adapter}"));
    let database = match (
        has("postgresql") || has("postgis"),
        has("mysql2") || has("trilogy"),
        has("sqlite3"),
    ) {
        (true, false, false) => MigratedDatabase::Server(Some(Kind::Postgres)),
        (false, true, false) => MigratedDatabase::Server(Some(Kind::Mysql)),
        (false, false, true) => {
            let mut lines = text
                .lines()
                .skip_while(|line| *line != "development:")
                .skip(1);
            let name = lines
                .find_map(|line| line.trim().strip_prefix("database:"))?
                .trim();
            MigratedDatabase::File(resolve(dir.path(), name).filter(|_| !name.contains('<'))?)
        }
        _ => return None,
    };
    let program = match dir.sub("bin").is_some_and(|bin| bin.has("rails")) {
        true => "bin/rails".to_owned(),
        false => "bundle exec rails".to_owned(),
    };
    Some(Migration {
        tool: "rails",
        command: format!("{program} db:prepare"),
        dir: None,
        evidence: format!("{} has the tables of its database", dir.path_of("db")),
        database,
        env: &[("SKIP_TEST_DATABASE", "1")],
    })
}

/// Returns how the Laravel application in `dir` creates its tables.
pub(super) fn laravel(
    dir: &Dir<'_>,
    service: &DetectedService,
    _: &DetectContext<'_>,
) -> Option<Migration> {
    let database = dir.sub("database").filter(|_| dir.has("artisan"))?;
    database.sub("migrations")?;
    let variables = dir
        .dotenv(".env")
        .filter(|_| service.command.contains("artisan"))?;
    let value = |name: &str| variables.get(name).map(String::as_str);
    let database = match value("DB_CONNECTION")? {
        "pgsql" => MigratedDatabase::Server(Some(Kind::Postgres)),
        "mysql" | "mariadb" => MigratedDatabase::Server(Some(Kind::Mysql)),
        "sqlite" if value("DB_DATABASE").is_none() && value("DB_URL").is_none() => {
            MigratedDatabase::File(dir.path_of("database/database.sqlite"))
        }
        _ => return None,
    };
    Some(Migration {
        tool: "laravel",
        command: "php artisan migrate --force --no-interaction".into(),
        dir: None,
        evidence: format!("{} has migrations", dir.path_of("database/migrations")),
        database,
        env: &[],
    })
}

/// Returns how the Phoenix application in `dir` creates its tables.
pub(super) fn ecto(
    dir: &Dir<'_>,
    service: &DetectedService,
    _: &DetectContext<'_>,
) -> Option<Migration> {
    let text = code(&dir.read("mix.exs")?);
    dir.below("priv/repo/migrations")
        .filter(|_| service.command.contains("mix "))?;
    let kind = match (text.contains(":postgrex"), text.contains(":myxql")) {
        (true, false) => Kind::Postgres,
        (false, true) => Kind::Mysql,
        _ => return None,
    };
    let config = dir.sub("config")?;
    let dev = code(&config.read("dev.exs").unwrap_or_default());
    let mut repo = dev.lines().skip_while(|line| !line.contains(".Repo,"));
    let first = repo.next()?;
    let rest = repo.take_while(|line| !line.trim().is_empty());
    let reads = [first].into_iter().chain(rest).any(|line| {
        (line.contains("url:") || line.contains("hostname:")) && line.contains("System.")
    });
    let command = match text.contains("\"ecto.setup\":") {
        true => "mix ecto.setup",
        false => "mix do ecto.create --quiet, ecto.migrate",
    };
    reads.then(|| Migration {
        tool: "ecto",
        command: command.into(),
        dir: None,
        evidence: format!("{} has migrations", dir.path_of("priv/repo/migrations")),
        database: MigratedDatabase::Server(Some(kind)),
        env: &[],
    })
}
