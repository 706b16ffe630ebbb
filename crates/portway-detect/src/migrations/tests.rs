//! Which checkouts get a migration, and which do not.

mod frameworks;

use crate::fixture::checkout;
use crate::{DetectedService, Detection};

const POSTGRES: (&str, &str) = (
    "compose.yaml",
    "services:\n  db:\n    image: postgres:16\n    ports: ['5432:5432']\n",
);

const MANAGE: (&str, &str) = (
    "manage.py",
    "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")",
);

const REQUIREMENTS: (&str, &str) = ("requirements.txt", "django\npsycopg\n");

const FROM_URL: (&str, &str) = (
    "shop/settings.py",
    "BASE_DIR = Path(__file__).resolve().parent.parent\n\
     DATABASES = {'default': dj_database_url.config()}\n",
);

fn detect(files: &[(&str, &str)]) -> Detection {
    checkout(
        files,
        &[
            "docker", "python3", "npm", "node", "ruby", "bundle", "php", "mix",
        ],
    )
}

fn service<'d>(found: &'d Detection, name: &str) -> &'d DetectedService {
    let mut all = found.services.iter();
    all.find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no `{name}` in {:#?}", found.services))
}

/// Asserts that a checkout gets the service `migrate` with this command for this database, and returns both.
#[track_caller]
fn migrates(files: &[(&str, &str)], command: &str, database: &str) -> DetectedService {
    let found = detect(files);
    let migrate = service(&found, "migrate").clone();
    assert_eq!(migrate.command, command);
    let key = format!("only_if_empty = \"{database}\"");
    assert!(migrate.more.contains(&key), "{migrate:#?}");
    migrate
}

#[track_caller]
fn does_not_migrate(files: &[(&str, &str)]) {
    let found = detect(files);
    let added = found
        .services
        .iter()
        .find(|one| one.more.iter().any(|line| line.contains("only_if_empty")));
    assert_eq!(added, None);
    assert!(!found.services.is_empty());
}

#[test]
fn the_server_waits_for_a_migration_with_its_environment() {
    let worker = (
        "shop/celery.py",
        "from celery import Celery\napp = Celery('shop')\n",
    );
    let found = detect(&[
        MANAGE,
        ("requirements.txt", "django\ncelery\n"),
        FROM_URL,
        worker,
        (
            "compose.yaml",
            "services:\n  db:\n    image: postgres:16\n    ports: ['5432:5432']\n  cache:\n    image: redis:7\n    ports: ['6379:6379']\n",
        ),
    ]);
    let migrate = service(&found, "migrate");
    let backend = service(&found, "backend");
    assert_eq!(
        migrate.command,
        ".venv/bin/python manage.py migrate --noinput"
    );
    assert_eq!(migrate.prepare, backend.prepare);
    assert!(migrate.prepare.is_some());
    assert_eq!(migrate.env["PYTHONUNBUFFERED"], "1");
    assert_eq!(migrate.port, None);
    let ready = |name: &str| (name.to_owned(), "ready");
    assert_eq!(migrate.after, [ready("db"), ready("cache")]);
    let finished = ("migrate".to_owned(), "finished");
    assert!(backend.after.contains(&finished));
    assert!(service(&found, "worker").after.contains(&finished));
    let text = found.manifest("p");
    assert!(!text.contains("does not touch"), "{text}");
    assert!(text.contains("only_if_empty = \"db\""), "{text}");
}

#[test]
fn a_migration_needs_a_database_that_portway_starts() {
    migrates(
        &[MANAGE, REQUIREMENTS, FROM_URL, POSTGRES],
        ".venv/bin/python manage.py migrate --noinput",
        "db",
    );
    // Nothing starts the database.
    does_not_migrate(&[MANAGE, REQUIREMENTS, FROM_URL]);
    // Two servers: either can be meant.
    let two = (
        "compose.yaml",
        "services:\n  a:\n    image: postgres:16\n    ports: ['5432:5432']\n  b:\n    image: postgres:16\n    ports: ['5433:5432']\n",
    );
    does_not_migrate(&[MANAGE, REQUIREMENTS, FROM_URL, two]);
    // One of them is for tests.
    let for_tests = (
        "compose.yaml",
        two.1.replace("  b:", "  b_test:").leak() as &str,
    );
    let python = ".venv/bin/python manage.py migrate --noinput";
    migrates(&[MANAGE, REQUIREMENTS, FROM_URL, for_tests], python, "a");
    // The database of the settings is of another kind.
    let mysql = (
        "shop/settings.py",
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.mysql', 'HOST': os.environ['DB_HOST']}}\n",
    );
    does_not_migrate(&[MANAGE, REQUIREMENTS, mysql, POSTGRES]);
    // No variable changes the address.
    let literal = (
        "shop/settings.py",
        "DATABASES = {\n  'default': {\n    'ENGINE': 'django.db.backends.postgresql',\n    'HOST': 'db.example.com',\n  }\n}\n",
    );
    does_not_migrate(&[MANAGE, REQUIREMENTS, literal, POSTGRES]);
}

#[test]
fn nothing_is_added_where_the_start_creates_the_tables() {
    let base = [MANAGE, REQUIREMENTS, FROM_URL];
    let with = |file: (&'static str, &'static str)| [&base[..], &[file]].concat();
    let db = "  db:\n    image: postgres:16\n    ports: ['5432:5432']\n";
    let command = format!(
        "services:\n{db}  web:\n    build: .\n    command: sh -c 'python manage.py migrate && python manage.py runserver 0.0.0.0:8000'\n    ports: ['8000:8000']\n"
    );
    let sibling = format!(
        "services:\n{db}  web:\n    build: .\n    command: python manage.py runserver 0.0.0.0:8000\n    ports: ['8000:8000']\n  migrations:\n    build: .\n    command: python manage.py migrate\n"
    );
    let dockerfile = ("Dockerfile", "FROM python\n");
    let sibling = with(("compose.yaml", sibling.leak()));
    does_not_migrate(&[&sibling[..], &[dockerfile]].concat());
    // The server runs directly, without the command of its container.
    let command = with(("compose.yaml", command.leak()));
    let python = ".venv/bin/python manage.py migrate --noinput";
    migrates(&[&command[..], &[dockerfile]].concat(), python, "db");
    let procfile = with(("Procfile.dev", "web: ./start.sh $PORT\n"));
    let script = (
        "start.sh",
        "#!/bin/sh\npython manage.py migrate\nexec python manage.py runserver $1\n",
    );
    does_not_migrate(&[&procfile[..], &[script, POSTGRES]].concat());
}

#[test]
fn files_of_sqlite_are_named_where_the_settings_are_certain() {
    let settings = |database: &str| {
        format!(
            "BASE_DIR = Path(__file__).resolve().parent.parent\nDATABASES = {{\n    'default': {{\n        'ENGINE': 'django.db.backends.sqlite3',\n        'NAME': {database},\n    }}\n}}\n"
        )
    };
    let python = ".venv/bin/python manage.py migrate --noinput";
    for (name, file) in [
        ("BASE_DIR / 'db.sqlite3'", "db.sqlite3"),
        ("BASE_DIR / \"data\" / \"app.db\"", "data/app.db"),
        ("os.path.join(BASE_DIR, 'db.sqlite3')", "db.sqlite3"),
        ("str(BASE_DIR / 'db.sqlite3')", "db.sqlite3"),
    ] {
        let text = settings(name);
        migrates(
            &[MANAGE, REQUIREMENTS, ("shop/settings.py", &text)],
            python,
            file,
        );
    }
    // In a directory below the root, and with settings that import others.
    let text =
        settings("BASE_DIR / 'db.sqlite3'").replace(".parent.parent", ".parent.parent.parent");
    let files = [
        (
            "api/manage.py",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.dev')",
        ),
        ("api/requirements.txt", "django\n"),
        ("api/shop/settings/__init__.py", ""),
        ("api/shop/settings/base.py", &text),
        (
            "api/shop/settings/dev.py",
            "from .base import *\nDEBUG = True\n",
        ),
    ];
    migrates(&files, python, "api/db.sqlite3");
    for name in [
        "os.environ.get('DB', BASE_DIR / 'db.sqlite3')",
        "DATA / 'db.sqlite3'",
        "'/var/lib/app.db'",
    ] {
        let text = settings(name);
        does_not_migrate(&[MANAGE, REQUIREMENTS, ("shop/settings.py", &text)]);
    }
    // The variable that Portway sets decides.
    let decided = "if 'DATABASE_URL' in os.environ:\n    DATABASES = {'default': dj_database_url.config()}\nelse:\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n";
    migrates(
        &[
            MANAGE,
            REQUIREMENTS,
            ("shop/settings.py", decided),
            POSTGRES,
        ],
        python,
        "db",
    );
    // Which one applies depends on the environment.
    let both = settings("BASE_DIR / 'db.sqlite3'")
        + "if X:\n    DATABASES = {'default': dj_database_url.config()}\n";
    does_not_migrate(&[MANAGE, REQUIREMENTS, ("shop/settings.py", &both), POSTGRES]);
}
