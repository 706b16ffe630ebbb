//! Libraries with migrations, and the scripts that run them.

/// A library whose migrations a command runs.
pub(super) struct Tool {
    /// The packages that have it, and the package with its program.
    pub(super) packages: &'static [&'static str],
    pub(super) name: &'static str,
    /// Its files with the address of the database.
    pub(super) configs: &'static [&'static str],
    /// Directories with migrations.
    pub(super) places: &'static [&'static str],
    /// The command that runs them, if the tool finds its configuration without options.
    pub(super) run: Option<&'static str>,
    /// What a script that runs them contains.
    pub(super) signs: &'static [&'static str],
    /// Calls of applications that create the tables when they start.
    pub(super) creators: &'static [&'static str],
}

/// Directories with migrations that several tools share.
const MIGRATIONS: [&str; 9] = [
    "migrations",
    "src/migrations",
    "src/migration",
    "src/database/migrations",
    "src/db/migrations",
    "db/migrations",
    "database/migrations",
    "app/db/migrations",
    "server/migrations",
];

/// The libraries, in the order in which they are looked for.
pub(super) const TOOLS: [Tool; 5] = [
    Tool {
        packages: &["knex"],
        name: "knex",
        configs: &["knexfile.ts", "knexfile.js", "knexfile.cjs", "knexfile.mjs"],
        places: &MIGRATIONS,
        run: Some("knex migrate:latest"),
        signs: &["migrate:latest"],
        creators: &["migrate.latest("],
    },
    Tool {
        packages: &["typeorm"],
        name: "typeorm",
        configs: &[],
        places: &MIGRATIONS,
        run: None,
        signs: &["migration:run"],
        creators: &["synchronize: true", "migrationsRun: true", "runMigrations("],
    },
    Tool {
        packages: &["sequelize", "sequelize-cli"],
        name: "sequelize",
        configs: &[
            "config/config.js",
            "config/database.js",
            "config/config.json",
        ],
        places: &MIGRATIONS,
        run: Some("sequelize-cli db:migrate"),
        signs: &["db:migrate"],
        creators: &[".sync(", "umzug"],
    },
    Tool {
        packages: &["@mikro-orm/core", "@mikro-orm/cli"],
        name: "mikro-orm",
        configs: &[],
        places: &MIGRATIONS,
        run: Some("mikro-orm migration:up"),
        signs: &["migration:up"],
        creators: &["getMigrator()", "getSchemaGenerator()", "updateSchema("],
    },
    // A script of the project's own.
    Tool {
        packages: &["pg", "postgres", "mysql2"],
        name: "migrations",
        configs: &[],
        places: &MIGRATIONS,
        run: None,
        signs: &["migrat"],
        creators: &["migrate("],
    },
];

/// Names of scripts that run migrations, the most exact first.
pub(super) const SCRIPTS: [&str; 22] = [
    "db:migrate:deploy",
    "migrate:deploy",
    "prisma:migrate:deploy",
    "prisma:deploy",
    "db:deploy",
    "db:migrate",
    "migrate:up",
    "migrate:latest",
    "migration:run",
    "migrations:run",
    "migration:up",
    "typeorm:migration:run",
    "db:migration:run",
    "db:migrate:up",
    "prisma:migrate",
    "db-migrate",
    "migrate",
    "db:push",
    "prisma:push",
    "db-push",
    "drizzle:push",
    "db:migrations:run",
];

/// What makes a script unfit: it asks, deletes, writes migrations, or starts other things.
pub(super) const UNFIT: [&str; 16] = [
    "reset",
    "fresh",
    "drop",
    "revert",
    "undo",
    "rollback",
    "down",
    "migrate dev",
    "generate",
    "create",
    "docker",
    "--force",
    "data-loss",
    "studio",
    "watch",
    "prod",
];
