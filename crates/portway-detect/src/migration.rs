//! What the readers say about the tables of a database: which command creates them, and in which database.

use crate::paths::join;
use std::sync::LazyLock;

use portway_project::kind::Kind;
use regex_lite::Regex;

use super::{DetectedService, Dir};

/// A command that creates the tables of a database.
pub(super) struct Migration {
    /// The framework or tool, in lower case.
    pub(super) tool: &'static str,
    /// The shell command.
    pub(super) command: String,
    /// Its directory relative to the root, if it differs from that of the service that needs the tables.
    pub(super) dir: Option<String>,
    /// What shows that the project has it, as a sentence.
    pub(super) evidence: String,
    /// The database.
    pub(super) database: MigratedDatabase,
    /// Further environment variables.
    pub(super) env: &'static [(&'static str, &'static str)],
}

/// The database that a command changes.
pub(super) enum MigratedDatabase {
    /// A server of this kind; `None` if the files do not say which.
    Server(Option<Kind>),
    /// A file of SQLite, relative to the root.
    File(String),
}

/// Commands and calls that create tables, in commands, scripts and code that runs at the start.
const CREATES: [&str; 31] = [
    "alembic upgrade",
    "artisan migrate",
    "automigrate",
    "command.upgrade(",
    "create_all(",
    "create_db_and_tables",
    "db push",
    "db upgrade",
    "db-migrate",
    "db.createall",
    "db:migrate",
    "db:prepare",
    "db:push",
    "db:setup",
    "drizzle-kit migrate",
    "drizzle-kit push",
    "ecto.migrate",
    "ecto.setup",
    "flask_migrate.upgrade",
    "knex migrate",
    "manage.py migrate",
    "migrate deploy",
    "migrate dev",
    "migrate:deploy",
    "migrate:latest",
    "migrate:run",
    "migration:run",
    "migration:up",
    "prisma:migrate",
    "prisma:push",
    "sequelize-cli db:",
];

/// Returns whether a command, or a script that runs at the start, creates tables itself.
pub(super) fn creates_tables(text: &str) -> bool {
    let lines = text.lines().filter(|line| !is_comment(line));
    lines.map(str::to_lowercase).any(|line| {
        let is_named = line
            .split([' ', ';', '&', '|', '"', '\''])
            .any(|word| matches!(word, "migrate" | "migrations" | "migrate.sh" | "db:deploy"));
        is_named || CREATES.iter().any(|known| line.contains(known))
    })
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["#", "//", "*", "/*", "--"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// Returns the code of a file without lines that are comments.
pub(super) fn code(text: &str) -> String {
    let lines = text.lines().filter(|line| !is_comment(line));
    lines.collect::<Vec<_>>().join("\n")
}

/// Words by which code reads its configuration.
const READS: [&str; 7] = [
    "env", "config(", "config[", "config.", "settings", "secrets", "{",
];

static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"["'](postgres|postgresql|mysql|mysql2|mariadb|sqlite)(\+[a-z0-9]+)?:/+[^"'/]"#;
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}"))
});

static HOST: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?i)^\s*["']?(host|hostname|server)["']?\s*(:|=>|=)\s*["'][^"'$]+["']"#;
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}"))
});

/// Returns whether a file of code names the address of a database so that no variable can change it.
pub(super) fn has_literal_address(text: &str) -> bool {
    text.lines().filter(|line| !is_comment(line)).any(|line| {
        let lower = line.to_ascii_lowercase();
        let is_read = READS.iter().any(|word| lower.contains(word));
        // A field with a type is one of settings, which the environment overrides.
        let is_field = line.starts_with(char::is_whitespace) && line.contains(": str");
        !is_read && !is_field && (ADDRESS.is_match(line) || HOST.is_match(line))
    })
}

/// Returns whether a command or code lets a file override the variables of its environment, so that those which
/// Portway sets have no effect.
pub(super) fn overrides_environment(text: &str) -> bool {
    text.lines().filter(|line| !is_comment(line)).any(|line| {
        let words: Vec<&str> = line
            .split([' ', ';', '&', '(', ')', '"', '\'', '$'])
            .collect();
        let has = |word: &str| words.contains(&word);
        let reads = ["dotenv", "env.", "_env("]
            .iter()
            .any(|word| line.contains(word));
        let in_code = ["override=True", "overwrite=True", "override: true"];
        (has("env-cmd") && !has("--no-override"))
            || (line.contains("dotenv") && (has("-o") || has("--override") || has("--overload")))
            || (has("source") || has(".") || has("cat"))
                && words.iter().any(|word| word.contains(".env"))
            || (reads && in_code.iter().any(|option| line.contains(option)))
    })
}

/// Returns the path of a file relative to the root; `None` if it is outside, or the root itself.
pub(super) fn resolve(dir: &str, path: &str) -> Option<String> {
    join(dir, path).filter(|path| !path.is_empty())
}

/// Maximum numbers of directories and of files in each that are searched for code that creates tables.
const MAX_DIRS: usize = 120;
const MAX_FILES: usize = 60;

/// Returns the file below `dir` whose code creates the tables when the application starts. `ends` are the ends
/// of names of source files, `signs` the calls.
pub(super) fn creator(dir: &Dir<'_>, ends: &[&str], signs: &[&str]) -> Option<String> {
    let is_other = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["test", "migrat", "seed", "alembic", "script", "management"]
            .iter()
            .any(|part| name.contains(part))
    };
    let mut pending = vec![dir.below("")?];
    let mut searched = 0;
    while let Some(dir) = pending.pop() {
        searched += 1;
        if searched > MAX_DIRS {
            return None;
        }
        let files = dir
            .files()
            .filter(|name| ends.iter().any(|end| name.ends_with(end)) && !is_other(name));
        for file in files.take(MAX_FILES) {
            let text = dir.read(file).map(|text| code(&text)).unwrap_or_default();
            if signs.iter().any(|sign| text.contains(sign)) {
                return Some(dir.path_of(file));
            }
        }
        pending.extend(dir.subs().filter(|sub| !is_other(sub.name())));
    }
    None
}

impl DetectedService {
    /// Returns whether its own start creates tables, with the scripts of the project that it runs.
    pub(super) fn creates_tables(&self, dir: &Dir<'_>) -> bool {
        let texts = [Some(&self.command), self.prepare.as_ref()];
        texts.into_iter().flatten().any(|text| {
            let mut scripts = text
                .split([' ', ';', '"', '\''])
                .filter(|word| word.ends_with(".sh"));
            creates_tables(text)
                || scripts.any(|script| {
                    let script = script.trim_start_matches("./");
                    let (place, name) = script.rsplit_once('/').unwrap_or(("", script));
                    let text = dir.below(place).and_then(|dir| dir.read(name));
                    text.is_some_and(|text| creates_tables(&text))
                })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_commands_that_create_tables() {
        for text in [
            "python manage.py migrate && python manage.py runserver",
            "prisma migrate dev && next dev",
            "#!/bin/sh\nset -e\nalembic upgrade head\nexec uvicorn app:app",
            "npm run db:migrate && node server.js",
            "./migrate && ./server",
        ] {
            let text = text.replace("./migrate", "sh -c migrate");
            assert!(creates_tables(&text), "{text}");
        }
        for text in [
            "npm run dev",
            "# alembic upgrade head\nuvicorn app:app",
            "bin/rails server",
        ] {
            assert!(!creates_tables(text), "{text}");
        }
    }

    #[test]
    fn recognizes_addresses_that_no_variable_changes() {
        for text in [
            "URL = \"postgresql://user:password@localhost/app\"",
            "engine = create_engine('sqlite:///./app.db')",
            "        'HOST': 'localhost',",
            "    host: '127.0.0.1',",
        ] {
            assert!(has_literal_address(text), "{text}");
        }
        for text in [
            "# URL = \"postgresql://localhost/app\"",
            "URL = os.environ.get(\"URL\", \"postgresql://localhost/app\")",
            "    database_url: str = \"postgresql://localhost/app\"",
            "        'HOST': os.environ.get('DB_HOST', 'localhost'),",
            "    host: process.env.DB_HOST ?? 'localhost',",
            "URL = f\"postgresql://{user}@{host}/app\"",
            "for scheme in (\"postgres://\", \"postgresql://\"):",
        ] {
            assert!(!has_literal_address(text), "{text}");
        }
    }

    #[test]
    fn recognizes_files_that_override_the_environment() {
        for text in [
            "env-cmd -- ts-node cli.js migration:run",
            "dotenv -o -e .env -- prisma db push",
            "set -a; source .env; prisma db push",
            ". ./.env && knex migrate:latest",
            "export $(cat .env | xargs) && alembic upgrade head",
            "load_dotenv(override=True)",
            "environ.Env.read_env(BASE_DIR / '.env', overwrite=True)",
            "dotenv.config({ override: true })",
        ] {
            assert!(overrides_environment(text), "{text}");
        }
        for text in [
            "env-cmd --no-override -- ts-node cli.js migration:run",
            "dotenv -e .env -- prisma db push",
            "node --env-file=.env migrate.js",
            "load_dotenv()",
            "# load_dotenv(override=True)",
            "python manage.py migrate",
        ] {
            assert!(!overrides_environment(text), "{text}");
        }
    }

    #[test]
    fn paths_stay_within_the_checkout() {
        assert_eq!(resolve("a/b", "../c.db").as_deref(), Some("a/c.db"));
        assert_eq!(resolve("", "./dev.db").as_deref(), Some("dev.db"));
        assert_eq!(resolve("a", "../../x.db"), None);
        assert_eq!(resolve("", "/var/x.db"), None);
    }
}
