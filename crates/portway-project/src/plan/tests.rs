use std::path::Path;

use super::*;

fn plan_with(text: &str, with: &[&str]) -> Result<Plan, Box<Invalid>> {
    let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), text).unwrap();
    let with: Vec<String> = with.iter().map(|&name| name.to_owned()).collect();
    Plan::new(&manifest, &with)
}

fn plan(text: &str) -> Plan {
    plan_with(text, &[]).unwrap()
}

fn error(text: &str) -> String {
    let error = plan_with(text, &[]).unwrap_err();
    let help = error.help.clone().unwrap_or_default();
    let (line, column) = error.line_and_column().unwrap_or_default();
    format!("{line}:{column} {error} ({help})")
}

const JOBI: &str = r#"
    [services.backend]
    command = "uvicorn --port {port}"
    [services.frontend]
    command = "vite --port {port}"
    after = ["backend"]
    env = { API = "{backend.url}" }
    [services.redis]
    command = "redis-server --port {port}"
    optional = true
    [groups]
    data = ["redis", "backend"]
"#;

#[test]
fn the_names_alone_give_the_original_ranges() {
    let plan = plan(JOBI);
    assert_eq!(plan.project, "jobi");
    let spec = |name: &str| plan.services[name].ports[0].spec;
    assert_eq!(spec("backend").prefer, 9000);
    assert_eq!(spec("backend").range.to_string(), "9000-9099");
    assert_eq!(spec("frontend").prefer, 5173);
    assert_eq!(spec("frontend").range.to_string(), "5173-5272");
    assert!(plan.services["frontend"].fallback && !plan.services["backend"].fallback);
}

#[test]
fn an_optional_service_takes_part_when_it_is_asked_for() {
    assert_eq!(plan(JOBI).services.len(), 2);
    let plan = plan_with(JOBI, &["redis"]).unwrap();
    assert_eq!(plan.services["redis"].ports[0].spec.prefer, 6379);
    assert_eq!(plan.groups["data"], ["redis", "backend"]);
    assert!(plan_with(JOBI, &["rediss"]).is_err());
}

#[test]
fn a_closure_has_what_its_services_wait_for_in_order() {
    let plan = plan(JOBI);
    let closure = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        plan.closure(&names)
    };
    assert_eq!(closure(&["frontend"]).unwrap(), ["backend", "frontend"]);
    assert_eq!(closure(&["data"]).unwrap(), ["backend"]);
    assert_eq!(closure(&[]).unwrap(), ["backend", "frontend"]);
    assert_eq!(
        closure(&["front"]).unwrap_err().1,
        "did you mean `frontend`?"
    );
}

#[test]
fn named_ports_have_a_main_one() {
    let plan = plan(
        "[services.api]\ncommand = \"x {ports.metrics} {urls.http} {port}\"\n\
         ports = { metrics = 9100, http = 8000 }",
    );
    let names: Vec<_> = plan.services["api"]
        .ports
        .iter()
        .map(|port| port.name.as_deref().unwrap())
        .collect();
    assert_eq!(names, ["http", "metrics"]);
}

#[test]
fn a_container_engine_implies_a_foreign_owner() {
    for (command, owner) in [
        ("docker run -p {port}:80 nginx", Owner::Any),
        ("exec /usr/bin/podman run x", Owner::Any),
        ("dockerize run", Owner::Tree),
    ] {
        assert_eq!(implied_owner(command), owner, "{command}");
    }
}

#[test]
fn what_does_not_fit_together_is_said_with_its_place() {
    for (text, words) in [
        ("", "there is no service"),
        (
            "[services.a]\ncommand = \" \"",
            "2:11 the command of `a` is empty",
        ),
        (
            "[services.a]\ncommand=\"x\"\nafter=[\"bb\"]\n[services.bbb]\ncommand=\"x\"",
            "3:8 `a` comes after `bb`, which does not exist (did you mean `bbb`?)",
        ),
        (
            "[services.a]\ncommand=\"x\"\nafter=[\"b\"]\n[services.b]\ncommand=\"x\"\nafter=[\"a\"]",
            "6:8 services wait for each other: `a` → `b` → `a`",
        ),
        (
            "[services.backend]\ncommand=\"x\"\n[services.b]\ncommand = \"curl {bakend.url}\"",
            "4:17 `{bakend.url}` names a service that does not exist (did you mean `backend`?)",
        ),
        (
            "[services.worker]\ncommand=\"x {port}\"",
            "2:12 service `worker` has no port",
        ),
        (
            "[services.a]\ncommand=\"x\"\ndir=\"../b\"",
            "3:5 the directory `../b` lies outside the project",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport=\"80\"\n[services.b]\ncommand=\"y\"\nport=\"80\"",
            "`a` and `b` both insist on port 80",
        ),
        (
            "[services.a-b]\ncommand=\"x\"\n[services.a_b]\ncommand=\"y\"",
            "`a-b` and `a_b` are the same name to programs",
        ),
        ("[services.\"a b\"]\ncommand=\"x\"", "`a b` is not a name"),
        (
            "[services.a]\ncommand=\"x\"\nready={ http=\"/\" }",
            "`ready` of `a` asks a port, and `a` has none",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport=9100\nready={ http=\"/\", tcp=true }",
            "exactly one kind of probe",
        ),
        (
            "[services.a]\ncommand=\"x\"\nready={ log=\"(\" }",
            "3:13 `(` is no regular expression",
        ),
        (
            "[services.a]\ncommand=\"x\"\n[groups]\ng=[\"c\"]",
            "4:4 the group `g` has `c`, which does not exist",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(words), "{text}\n{error}");
    }
}

#[test]
fn a_health_path_is_the_readiness_path_where_ready_says_nothing() {
    let ready = |body: &str| {
        let plan = plan(&format!(
            "[services.api]\ncommand = 'x'\nport = 8000\n{body}"
        ));
        plan.services["api"].spec.ready.clone()
    };
    assert_eq!(ready(""), None);
    let path = ready("health = '/health'").unwrap().http;
    assert_eq!(path.as_deref(), Some("/health"));
    let both = ready("health = '/health'\nready = { tcp = true }").unwrap();
    assert_eq!((both.http, both.tcp), (None, Some(true)));
}

#[test]
fn a_health_path_that_cannot_be_is_refused_with_its_place() {
    for (body, words) in [
        (
            "port = 8000\nhealth = 'health'",
            "4:10 the health path `health` has no `/` in front (write it as in `health = \"/health\"`",
        ),
        (
            "port = 8000\nhealth = ''",
            "4:10 the health path `` has no `/`",
        ),
        (
            "port = 8000\nhealth = '/a b'",
            "4:10 the health path `/a b` has ' ' in it",
        ),
        ("port = 8000\nhealth = '/a#b'", "has '#' in it"),
        (
            "kind = 'redis'\nport = 8000\nhealth = '/'",
            "a service of the kind `redis` speaks no HTTP",
        ),
        (
            "health = '/'",
            "`api` has a health path and no port to ask it on",
        ),
        (
            "port = 8000\nhealth = '/'\n[services.api-health]\ncommand = 'x'",
            "`api_health_url` would be the health path of `api` and the service `api-health`",
        ),
        (
            "ports = { http = 8000, health = 8100 }\nhealth = '/'",
            "the health path of `api` and the port `health` of `api`",
        ),
    ] {
        let error = error(&format!("[services.api]\ncommand = 'x'\n{body}"));
        assert!(error.contains(words), "{body}\n{error}");
    }
    // The main port has no name of its own there.
    plan("[services.api]\ncommand = 'x'\nports = { health = 8000 }\nhealth = '/'");
}

#[test]
fn a_limit_of_bodies_is_for_what_the_gateway_asks() {
    let text = "[services.api]\ncommand = 'x'\nport = 8000\nmax_body = '1 MiB'";
    assert_eq!(plan(text).services["api"].max_body(), Some(1 << 20));
    for body in ["port = 8000\nkind = 'redis'", "kind = 'http'"] {
        let error = error(&format!(
            "[services.api]\ncommand = 'x'\nmax_body = 1\n{body}"
        ));
        assert!(error.starts_with("3:12 `api` has a `max_body`"), "{error}");
    }
}

#[test]
fn what_no_process_can_be_told_is_refused() {
    for text in [
        "[services.a]\ncommand = \"x\\u0000\"",
        "[services.a]\ncommand = \"x\"\ndir = \"\\u0000\"",
        "[services.a]\ncommand = \"x\"\nprepare = \"\\u0000\"",
        "[services.a]\ncommand = \"x\"\nready = { exec = \"\\u0000\" }",
        "[services.a]\ncommand = \"x\"\nenv = { A = \"\\u0000\" }",
    ] {
        assert!(
            error(text).contains("a text of `a` has a NUL in it"),
            "{text}"
        );
    }
    for name in ["", "A=B", "A\\u0000"] {
        let text = format!("[services.a]\ncommand = \"x\"\nenv = {{ \"{name}\" = \"1\" }}");
        assert!(
            error(&text).contains("is not the name of a variable"),
            "{text}"
        );
    }
    let text = "[services.a]\ncommand = \"x\"\n[project]\nname = \"\\u0000\"";
    assert!(error(text).contains("the project's name has a NUL in it"));
}

#[test]
fn more_services_than_anybody_has_are_refused_at_once() {
    // A chain, which is as deep as it is long.
    let chain = |length: usize| -> String {
        let services = (0..length).map(|n| {
            let next = (n + 1).min(length - 1);
            let after = if next == n {
                String::new()
            } else {
                format!("\"a{next}\"")
            };
            format!("[services.a{n}]\ncommand = \"x\"\nafter = [{after}]\n")
        });
        services.collect()
    };
    assert_eq!(plan(&chain(MAX_SERVICES)).closure(&[]).unwrap()[0], "a999");
    let text = error(&chain(14_000));
    assert!(
        text.starts_with("3002:11 there are 14000 services"),
        "{text}"
    );
}

#[test]
fn the_whole_is_shown_where_not_all_of_it_can_run() {
    let text = |optional: bool| {
        format!(
            "[services.a]\ncommand = \"x\"\nport = \"9000\"\n\
             [services.b]\ncommand = \"x\"\nport = \"9000\"\noptional = {optional}"
        )
    };
    let whole = |optional: bool| {
        let file = Path::new("/jobi/portway.toml");
        let manifest = Manifest::parse(file, &text(optional)).unwrap();
        Plan::whole(&manifest, &Preferences::default())
    };
    assert_eq!(whole(true).unwrap().services.len(), 2);
    assert!(whole(false).is_err());
    assert!(plan_with(&text(true), &["b"]).is_err());
}

#[test]
fn only_what_speaks_http_and_does_not_refuse_is_served_on_the_local_network() {
    let text = "[services.backend]\ncommand = \"x\"\n\
                [services.frontend]\ncommand = \"x\"\nlan = true\n\
                [services.admin]\ncommand = \"x\"\nport = 8000\nlan = false\n\
                [services.worker]\ncommand = \"x\"\n\
                [services.redis]\ncommand = \"redis-server\"\n";
    let on_lan = |text: &str, asked| plan(text).on_lan(asked);
    assert_eq!(on_lan(text, None), ["frontend"]);
    assert_eq!(on_lan(text, Some(true)), ["backend", "frontend"]);
    assert!(on_lan(text, Some(false)).is_empty());
    let all = format!("lan = true\n{text}");
    assert_eq!(on_lan(&all, None), ["backend", "frontend"]);
    assert!(on_lan(&all, Some(false)).is_empty());
    let redis = error("[services.redis]\ncommand = \"redis-server\"\nlan = true");
    assert!(
        redis.contains("cannot be served on the local network"),
        "{redis}"
    );
}
