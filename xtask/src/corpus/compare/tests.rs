use portway_api::ServicePlan;

use super::*;

fn planned(name: &str, dir: &str, command: &str, port: u16, after: &[&str]) -> ServicePlan {
    let service = serde_json::json!({
        "name": name,
        "dir": dir,
        "command": command,
        "kind": "http",
        "ports": [{ "prefer": port, "range": "" }],
        "after": after,
    });
    serde_json::from_value(service).unwrap_or_else(|error| panic!("{error}"))
}

fn expected(name: &str, dir: &str, runs: &str, port: u16) -> Expected {
    Expected {
        name: name.to_owned(),
        dir: vec![dir.to_owned()],
        runs: vec![runs.to_owned()],
        port: Some(port),
        after: Vec::new(),
        need: Need::Required,
    }
}

fn shop() -> (Vec<Expected>, Vec<ServicePlan>) {
    let mut api = expected("api", "api", "uvicorn", 8000);
    api.after = vec!["db".to_owned()];
    let mut db = expected("db", "", "postgres", 5432);
    db.need = Need::Present;
    let services = vec![
        planned("server", "api", "uvicorn main:app", 8000, &["migrate"]),
        planned("migrate", "api", "alembic upgrade head", 0, &["postgres"]),
        planned("postgres", "", "run postgres", 5432, &[]),
    ];
    let mut migrations = expected("migrations", "api", "alembic", 0);
    migrations.need = Need::Allowed;
    (vec![api, db, migrations], services)
}

#[test]
fn accepts_a_plan_as_expected() {
    let (expected, services) = shop();
    assert_eq!(differences(&expected, &services), [""; 0]);
}

#[test]
fn accepts_an_optional_database() {
    let (expected, mut services) = shop();
    services[2].optional = true;
    assert_eq!(differences(&expected, &services), [""; 0]);
}

#[test]
fn reports_each_difference() {
    type Change = fn(&mut Vec<ServicePlan>);
    let cases: [(Change, &str); 7] = [
        (|s| drop(s.remove(0)), "`api` is not found"),
        (|s| s[0].dir = "web".into(), "`api` is not found"),
        (|s| s[0].command = "uvicorns".into(), "`api` is not found"),
        (|s| s[0].optional = true, "`server` is optional"),
        (
            |s| s[0].ports[0].prefer = 3000,
            "the port of `server` is 3000 instead of 8000",
        ),
        (|s| s[1].after.clear(), "`server` is not after `postgres`"),
        (
            |s| s.push(planned("docs", "docs", "mkdocs", 8000, &[])),
            "`docs` (`mkdocs`) is not a service",
        ),
    ];
    for (change, difference) in cases {
        let (expected, mut services) = shop();
        change(&mut services);
        let found = differences(&expected, &services);
        assert!(found.iter().any(|d| d == difference), "{found:?}");
    }
}

#[test]
fn tells_services_with_the_same_program_apart_by_port() {
    let mut test_db = expected("test database", "", "postgres", 5433);
    test_db.dir.clear();
    let mut db = expected("db", "", "postgres", 5432);
    db.dir.clear();
    let services = vec![
        planned("test", "", "run postgres", 5433, &[]),
        planned("db", "", "run postgres", 5432, &[]),
    ];
    assert_eq!(differences(&[db, test_db], &services), [""; 0]);
}

#[test]
fn expects_nothing_of_a_library() {
    let mut docs = planned("docs", "docs", "mkdocs serve", 8000, &[]);
    docs.optional = true;
    assert_eq!(differences(&[], &[docs.clone()]), [""; 0]);
    docs.optional = false;
    assert_eq!(differences(&[], &[docs.clone()]).len(), 1);
    // What creates the tables of an empty database is no service of the project.
    docs.only_if_empty = Some("db".to_owned());
    assert_eq!(differences(&[], &[docs]), [""; 0]);
}

#[test]
fn rejects_an_optional_tool_that_would_start() {
    let mut admin = expected("admin", "", "adminer", 8080);
    admin.need = Need::Optional;
    let service = planned("adminer", "", "run adminer", 8080, &[]);
    assert_eq!(
        differences(&[admin], &[service]),
        ["`adminer` is not optional"]
    );
}
