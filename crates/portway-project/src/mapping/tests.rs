mod containers;
mod pairs;

use super::*;
use crate::kind::Kind;

pub(super) fn endpoint(service: &str, kind: Kind, usual: &[u16]) -> Endpoint {
    Endpoint {
        service: service.into(),
        name: None,
        kind,
        usual: usual.to_vec(),
        hosts: vec![service.into()],
        container: None,
        is_plain_http: false,
    }
}

fn shop() -> Vec<Endpoint> {
    vec![
        endpoint("api", Kind::Http, &[8000]),
        endpoint("web", Kind::Frontend, &[5173]),
        endpoint("db", Kind::Postgres, &[5433, 5432]),
        endpoint("redis", Kind::Redis, &[6379]),
    ]
}

fn variable(name: &str, value: &str, origin: Origin) -> AppVariable {
    AppVariable {
        name: name.into(),
        value: value.into(),
        place: Place {
            file: ".env".into(),
            line: 1,
        },
        origin,
    }
}

/// Maps variables of a `.env` file of `api`.
fn mapped(pairs: &[(&str, &str)]) -> Mapping {
    mapped_among(&shop(), pairs)
}

/// Maps variables of a `.env` file of `api`, beside these services.
pub(super) fn mapped_among(services: &[Endpoint], pairs: &[(&str, &str)]) -> Mapping {
    let variables: Vec<AppVariable> = pairs
        .iter()
        .map(|(name, value)| variable(name, value, Origin::File))
        .collect();
    Mapping::new("api", &variables, services, false, &[])
}

pub(super) fn templates(mapping: &Mapping) -> Vec<(String, String)> {
    let all = mapping.variables.iter();
    all.map(|one| (one.name.clone(), one.value.template()))
        .collect()
}

#[test]
fn a_service_without_tls_is_not_called_with_it() {
    let mut services = shop();
    services[0].is_plain_http = true;
    let value = "https://localhost:8000/x;https://localhost:5173/;http://localhost:8000";
    let mapping = mapped_among(&services, &[("BASES", value)]);
    let expected = "{api.url}/x;https://localhost:{web.port}/;{api.url}";
    assert_eq!(templates(&mapping)[0].1, expected);
    let meaning = mapping.variables[0].meaning.join(", ");
    assert!(meaning.contains("8000 is `api`"), "{meaning}");
    assert!(meaning.contains("without TLS"), "{meaning}");
}

#[test]
fn replaces_only_host_and_port() {
    for (name, value, expected) in [
        ("VITE_API_URL", "http://localhost:8000", "{api.url}"),
        (
            "LOGIN_URL",
            "https://id.example.com/?redirect_uri=http%3A%2F%2Flocalhost%3a8000%2Fcb&x=1",
            "https://id.example.com/?redirect_uri=http%3A%2F%2Flocalhost%3a{api.port}%2Fcb&x=1",
        ),
        (
            "LOGIN_URL",
            "http://web/?to=http%3A%2F%2Fapi%3A8000",
            "{web.url}/?to=http%3A%2F%2F{api.host}%3A{api.port}",
        ),
        (
            "VITE_API_URL",
            "http://localhost:8000/v1?x={port}#a",
            "{api.url}/v1?x={port}#a",
        ),
        (
            "X",
            "http://127.0.0.1:8000/",
            "http://127.0.0.1:{api.port}/",
        ),
        (
            "X",
            "https://localhost:8000",
            "https://localhost:{api.port}",
        ),
        (
            "X",
            "ws://localhost:8000/ws",
            "ws://localhost:{api.port}/ws",
        ),
        ("X", "http://0.0.0.0:8000", "{api.url}"),
        ("X", "http://api:8000/x", "{api.url}/x"),
        (
            "X",
            "http://host.docker.internal:8000",
            "http://{api.host}:{api.port}",
        ),
        (
            "DATABASE_URL",
            "postgresql://app:secret@localhost:5432/shop",
            "postgresql://app:secret@localhost:{db.port}/shop",
        ),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://app:s%40@db/shop?ssl=no",
            "postgresql+asyncpg://app:s%40@{db.host}:{db.port}/shop?ssl=no",
        ),
        (
            "SPRING_URL",
            "jdbc:postgresql://db:5432/x",
            "jdbc:{db.url}/x",
        ),
        (
            "X",
            "redis://:pw@localhost:6379/0",
            "redis://:pw@localhost:{redis.port}/0",
        ),
        ("X", "redis://localhost", "{redis.url}"),
        ("BIND", "0.0.0.0:8000", "{api.host}:{api.port}"),
        (
            "BROKERS",
            "db:5432,localhost:6379",
            "{db.host}:{db.port},localhost:{redis.port}",
        ),
        // The name says which service is meant.
        ("VITE_WEB_URL", "http://localhost:3333", "{web.url}"),
        (
            "DB_URL",
            "postgres://localhost:5999/x",
            "postgres://localhost:{db.port}/x",
        ),
    ] {
        let mapping = mapped(&[(name, value)]);
        let expected = vec![(name.to_owned(), expected.to_owned())];
        assert_eq!(templates(&mapping), expected, "{value}");
        assert_eq!(mapping.kept, Vec::<String>::new(), "{value}");
    }
}

#[test]
fn a_value_that_refers_to_no_service_stays() {
    for (name, value, is_kept) in [
        ("DATABASE_URL", "postgres://db.example.com:5432/x", true),
        ("DATABASE_URL", "sqlite:///./app.db", true),
        ("DB_HOST", "db.example.com", true),
        ("NAME", "shop", true),
        ("POSTGRES_IMAGE", "db:16", true),
        ("EMPTY", "", false),
        ("OLLAMA_SERVER_URL", "http://localhost:11434", false),
        ("MYSQL_URL", "mysql://localhost:3306/x", false),
    ] {
        let mapping = mapped(&[(name, value)]);
        assert_eq!(templates(&mapping), [], "{name}={value}");
        assert_eq!(!mapping.kept.is_empty(), is_kept, "{name}={value}");
    }
    assert_eq!(
        mapped(&[("PORT", "8000"), ("HOST", "db")]),
        Mapping::default()
    );
}

#[test]
fn adds_the_origins_of_the_instance_to_a_list() {
    for (name, value, expected) in [
        (
            "CORS_ORIGINS",
            "http://localhost:5173",
            Some("http://localhost:5173,{web.url},{origins}"),
        ),
        (
            "ALLOWED_ORIGINS",
            "http://localhost:5173, https://shop.example",
            Some("http://localhost:5173,https://shop.example,{web.url},{origins}"),
        ),
        (
            "BACKEND_CORS_ORIGINS",
            "[\"http://localhost\", \"http://localhost:5173\"]",
            Some("[\"http://localhost\",\"http://localhost:5173\",\"{web.url}\",\"{origins}\"]"),
        ),
        ("CORS_ORIGINS", "[]", Some("[\"{origins}\"]")),
        ("CORS_ORIGIN", "http://localhost:5173", Some("{web.url}")),
        (
            "CORS_ORIGINS",
            "http://127.0.0.1:8000; http://localhost:9999/",
            Some(
                "http://127.0.0.1:8000;http://localhost:9999/;http://127.0.0.1:{api.port};{origins}",
            ),
        ),
        ("CORS_ORIGINS", "*", None),
    ] {
        let found = templates(&mapped(&[(name, value)]));
        let expected = expected.map(|expected| (name.to_owned(), expected.to_owned()));
        assert_eq!(found, Vec::from_iter(expected), "{name}={value}");
    }
}

#[test]
fn the_port_of_two_services_is_the_named_one_or_the_owners() {
    let mut services = shop();
    services.push(endpoint("auth", Kind::Http, &[8000]));
    let map = |owner: &str, name: &str| {
        let variables = [variable(name, "http://localhost:8000", Origin::File)];
        templates(&Mapping::new(owner, &variables, &services, false, &[]))
    };
    let one = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(map("web", "AUTH_URL"), one("AUTH_URL", "{auth.url}"));
    assert_eq!(map("api", "SELF_URL"), one("SELF_URL", "{api.url}"));
    assert_eq!(map("web", "OTHER_URL"), []);
}

#[test]
fn a_file_in_use_takes_precedence_over_examples_and_code() {
    let all = [
        variable("A_URL", "http://far.example", Origin::File),
        variable("A_URL", "http://localhost:8000", Origin::Documented),
        variable("B_URL", "http://localhost:8000", Origin::Code),
        variable("B_URL", "http://localhost:5173", Origin::File),
        variable("B_URL", "http://localhost:8000/x", Origin::File),
    ];
    let mapping = Mapping::new("web", &all, &shop(), true, &[]);
    assert_eq!(
        templates(&mapping),
        [("B_URL".to_owned(), "{api.url}/x".to_owned())]
    );
    assert_eq!(mapping.kept, ["A_URL"]);
}

#[test]
fn examples_apply_only_on_request_and_report_what_is_missing() {
    let all = [
        variable(
            "DATABASE_URL",
            "mysql://u:p@localhost:3306/app",
            Origin::Example,
        ),
        variable("FRONTEND_URL", "http://localhost:5173", Origin::Example),
        variable("TITLE", "Shop", Origin::Example),
        variable("API_KEY", "your-key-here", Origin::Example),
        variable("EMPTY", "", Origin::Example),
    ];
    for (uses_examples, expected) in [
        (false, &["FRONTEND_URL"][..]),
        (true, &["FRONTEND_URL", "TITLE", "API_KEY"]),
    ] {
        let mapping = Mapping::new("api", &all, &shop(), uses_examples, &[]);
        let names: Vec<&str> = mapping
            .variables
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, expected);
        let missing: Vec<&str> = mapping
            .missing
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(missing, ["DATABASE_URL", "API_KEY", "EMPTY"]);
    }
}

#[test]
fn says_what_the_ports_stand_for() {
    let mapping = mapped(&[(
        "X",
        "http://localhost:8000,http://localhost:8000,redis://redis",
    )]);
    assert_eq!(
        mapping.variables[0].meaning,
        ["8000 is `api`", "`redis` is the host name of `redis`"]
    );
}

#[test]
fn a_name_alone_says_nothing_about_defaults_in_code() {
    for (origin, port, expected) in [
        (Origin::File, "8110", Some("named after `api`")),
        (Origin::File, "8000", Some("8000 is `api`")),
        (Origin::Code, "8110", None),
        (Origin::Code, "8000", Some("8000 is `api`")),
    ] {
        let variables = [variable("API_PORT", port, origin)];
        let mapping = Mapping::new("web", &variables, &shop(), false, &[]);
        let meaning = mapping.variables.first().map(|one| one.meaning[0].as_str());
        assert_eq!(meaning, expected, "{origin:?} {port}");
    }
}

#[test]
fn says_truly_why_a_value_is_mapped() {
    let variables = [
        variable("API_URL", "http://localhost:7070", Origin::File),
        variable("WEB_PORT", "7071", Origin::File),
        variable("CACHE", "redis://localhost/1", Origin::File),
        variable("OTHER", "http://api:7072", Origin::File),
    ];
    let meaning = |owner: &str| {
        let mapping = Mapping::new(owner, &variables, &shop(), false, &[]);
        let all = mapping.variables.into_iter();
        all.map(|one| (one.name, one.meaning.join("; ")))
            .collect::<Vec<_>>()
    };
    let cache = (
        "CACHE".to_owned(),
        "`redis://` without a port is `redis`".to_owned(),
    );
    let other = (
        "OTHER".to_owned(),
        "`api` is the host name of `api`".to_owned(),
    );
    let api = ("API_URL".to_owned(), "named after `api`".to_owned());
    let web = ("WEB_PORT".to_owned(), "named after `web`".to_owned());
    assert_eq!(meaning("web"), [api.clone(), cache.clone(), other.clone()]);
    assert_eq!(meaning("api"), [web.clone(), cache.clone(), other.clone()]);
    assert_eq!(meaning("worker"), [api, web, cache, other]);
}

#[test]
fn a_url_in_a_variable_that_portway_sets_itself_is_mapped() {
    let mapping = mapped(&[("HOST", "http://localhost:8000"), ("PORT", "8000")]);
    assert_eq!(
        templates(&mapping),
        [("HOST".to_owned(), "{api.url}".to_owned())]
    );
    let mapping = mapped(&[("HOST", "https://shop.example")]);
    assert_eq!(mapping.kept, ["HOST"]);
    assert_eq!(mapped(&[("HOST", "0.0.0.0")]), Mapping::default());
}

#[test]
fn a_variable_of_an_example_beside_a_file_in_use_is_reported_and_not_set() {
    let all = [
        variable("A_URL", "http://localhost:8000", Origin::Documented),
        variable("NAME", "shop", Origin::Documented),
        variable("B_URL", "http://localhost:8000/b", Origin::Documented),
        variable("B_URL", "http://localhost:8000/code", Origin::Code),
    ];
    let mapping = Mapping::new("web", &all, &shop(), true, &[]);
    let set = [("B_URL".to_owned(), "{api.url}/code".to_owned())];
    assert_eq!(templates(&mapping), set);
    let missing: Vec<&str> = mapping
        .missing
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(missing, ["A_URL"]);
}
