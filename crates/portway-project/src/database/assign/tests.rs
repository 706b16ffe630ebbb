use std::path::Path;

use super::*;
use crate::database::database_name;
use crate::{AssignedPorts, Checkout, Manifest, Plan, WiringInput};

/// The result of [`assign`] for a manifest, with the variables of files and those that are inherited.
struct Case<'a> {
    manifest: &'a str,
    files: &'a [(&'a str, &'a str, &'a str)],
    inherited: &'a [(&'a str, &'a str)],
    is_worktree: bool,
}

impl Case<'_> {
    fn assign(&self) -> Result<(Wiring, Vec<AssignedDatabase>), DatabaseProblem> {
        let manifest = Manifest::parse(Path::new("/shop/portway.toml"), self.manifest).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let checkout = Checkout {
            root: "/shop-fix".into(),
            id: "abcdef123456".into(),
            git: None,
        };
        let mut ports = AssignedPorts::default();
        ports.0.insert("db".into(), vec![5433]);
        let none = IndexMap::new();
        let input = WiringInput {
            instance: "fix.shop",
            env_files: &IndexMap::new(),
            mappings: &IndexMap::new(),
            trust: &none,
            gateway: None,
            inner: None,
        };
        let mut wiring = Wiring::new(&plan, &ports, &checkout, &input);
        let mut files = Values::new();
        for (service, name, value) in self.files {
            let of_service = files.entry((*service).to_owned()).or_default();
            of_service.insert((*name).to_owned(), (*value).to_owned());
        }
        let assignment = Assignment {
            root: Path::new("/shop-fix"),
            main: Some(Path::new("/shop")),
            is_worktree: self.is_worktree,
            files: &files,
            inherited: &|name| {
                let found = self.inherited.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            },
            name: &|engine, _, template| database_name(engine, "fix.shop", template),
        };
        let databases = assign(&mut wiring, &assignment)?;
        Ok((wiring, databases))
    }
}

const DECLARED: &str = "[services.api]\ncommand='a'\ndatabase={template='shop_dev'}\n\
                        [services.migrate]\ncommand='m'\nport={prefer=9100,range='9100-9199'}\n";

fn env<'a>(wiring: &'a Wiring, service: &str, name: &str) -> Option<&'a str> {
    wiring.services[service].env.get(name).map(String::as_str)
}

#[test]
fn every_variable_that_refers_to_the_template_is_rewritten() {
    let files = [
        (
            "api",
            "DATABASE_URL",
            "postgres://app:pw@localhost:5432/shop_dev?a=b",
        ),
        (
            "api",
            "OTHER_URL",
            "postgres://app:pw@localhost:5432/shop_dev2",
        ),
        ("api", "REMOTE_URL", "postgres://app:pw@db.example/shop_dev"),
        (
            "migrate",
            "DIRECT_URL",
            "postgresql+psycopg://root@127.0.0.1/shop_dev",
        ),
    ];
    let case = Case {
        manifest: DECLARED,
        files: &files,
        inherited: &[],
        is_worktree: true,
    };
    let (wiring, databases) = case.assign().unwrap();
    assert_eq!(
        env(&wiring, "api", "DATABASE_URL"),
        Some("postgres://app:pw@localhost:5432/fix_shop_dev?a=b")
    );
    // A service that does not declare the database must not change the template either.
    assert_eq!(
        env(&wiring, "migrate", "DIRECT_URL"),
        Some("postgresql+psycopg://root@127.0.0.1/fix_shop_dev")
    );
    assert_eq!(env(&wiring, "api", "OTHER_URL"), None);
    assert_eq!(env(&wiring, "api", "REMOTE_URL"), None);
    assert_eq!(databases.len(), 1);
    let created = &databases[0].database;
    assert_eq!(created.name, "fix_shop_dev");
    assert_eq!(created.url, files[0].2);

    let (wiring, databases) = Case {
        is_worktree: false,
        ..case
    }
    .assign()
    .unwrap();
    assert!(databases.is_empty());
    assert_eq!(env(&wiring, "api", "DATABASE_URL"), None);
}

#[test]
fn the_declared_address_is_used_where_the_application_has_none() {
    let manifest = "[services.api]\ncommand='a'\n\
        database={template='shop_dev',url='postgres://app@localhost:{db.port}/',env=['DATABASE_URL','PGDATABASE']}\n\
        [services.db]\ncommand='d'\nkind='postgres'\n";
    let case = Case {
        manifest,
        files: &[("api", "PGDATABASE", "shop_dev")],
        inherited: &[],
        is_worktree: true,
    };
    let (wiring, databases) = case.assign().unwrap();
    let url = env(&wiring, "api", "DATABASE_URL");
    assert_eq!(url, Some("postgres://app@localhost:5433/fix_shop_dev"));
    assert_eq!(env(&wiring, "api", "PGDATABASE"), Some("fix_shop_dev"));
    assert_eq!(databases[0].server.as_ref().unwrap().port, "5433");

    let (wiring, _) = Case {
        is_worktree: false,
        ..case
    }
    .assign()
    .unwrap();
    let url = env(&wiring, "api", "DATABASE_URL");
    assert_eq!(url, Some("postgres://app@localhost:5433/shop_dev"));
    assert_eq!(env(&wiring, "api", "PGDATABASE"), None);
}

#[test]
fn inherited_variables_are_rewritten_for_every_service() {
    let url = "mysql://root@localhost/shop_dev";
    let case = Case {
        manifest: DECLARED,
        files: &[("api", "DATABASE_URL", "postgres://localhost/other")],
        inherited: &[("DATABASE_URL", url)],
        is_worktree: true,
    };
    let (wiring, _) = case.assign().unwrap();
    for service in ["api", "migrate"] {
        let own = env(&wiring, service, "DATABASE_URL");
        assert_eq!(own, Some("mysql://root@localhost/fix_shop_dev"));
    }
}

#[test]
fn an_unknown_server_is_an_error() {
    let error = |files: &[(&str, &str, &str)]| {
        let case = Case {
            manifest: DECLARED,
            files,
            inherited: &[],
            is_worktree: true,
        };
        case.assign().err().map(|error| error.message).unwrap()
    };
    assert_eq!(
        error(&[]),
        "the server of the database `shop_dev` of `api` is not known: `DATABASE_URL` has no value"
    );
    assert!(
        error(&[("api", "DATABASE_URL", "redis://x")])
            .ends_with("`DATABASE_URL` is not the address of a PostgreSQL or MySQL server")
    );
}

#[test]
fn files_of_sqlite_are_beside_the_code_or_the_template() {
    let paths = |template: &str| {
        sqlite_paths(
            template,
            Path::new("/shop-fix"),
            Some(Path::new("/shop")),
            "fix_shop_dev",
        )
        .map(|(from, to)| format!("{} {}", from.display(), to.display()))
    };
    for (template, expected) in [
        ("data/dev.db", "/shop/data/dev.db /shop-fix/data/dev.db"),
        ("./dev.db", "/shop/dev.db /shop-fix/dev.db"),
        ("/shop/dev.db", "/shop/dev.db /shop-fix/dev.db"),
        ("../data/dev.db", "/data/dev.db /data/fix_shop_dev.db"),
        ("/srv/dev.db", "/srv/dev.db /srv/fix_shop_dev.db"),
        ("/srv/data/dev", "/srv/data/dev /srv/data/fix_shop_dev"),
    ] {
        assert_eq!(paths(template).unwrap(), expected, "{template}");
    }
    let bare = sqlite_paths("dev.db", Path::new("/shop-fix"), None, "x");
    assert_eq!(bare, None);
}

#[test]
fn absolute_paths_of_sqlite_are_rewritten() {
    let files = [
        ("api", "DATABASE_URL", "sqlite:////shop/data/dev.db?mode=rw"),
        ("migrate", "DB", "/shop/data/dev.db.bak"),
    ];
    let case = Case {
        manifest: "[services.api]\ncommand='a'\ndatabase='data/dev.db'\n\
                   [services.migrate]\ncommand='m'\n",
        files: &files,
        inherited: &[],
        is_worktree: true,
    };
    let (wiring, databases) = case.assign().unwrap();
    let url = env(&wiring, "api", "DATABASE_URL");
    assert_eq!(url, Some("sqlite:////shop-fix/data/dev.db?mode=rw"));
    assert_eq!(env(&wiring, "migrate", "DB"), None);
    assert_eq!(databases[0].database.template, "/shop/data/dev.db");
}
