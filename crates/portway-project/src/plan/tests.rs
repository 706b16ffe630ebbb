use std::path::Path;

use super::*;
use crate::policy::LanAccess::{Disabled, Enabled, Unspecified};

fn plan_with(text: &str, with: &[&str]) -> Result<Plan, Box<Diagnostic>> {
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
fn service_names_imply_default_ranges() {
    let plan = plan(JOBI);
    assert_eq!(plan.project, "jobi");
    let spec = |name: &str| &plan.services[name].ports[0].spec;
    assert_eq!(spec("backend").prefer, 9000);
    assert_eq!(spec("backend").range.to_string(), "9000-9099");
    assert_eq!(spec("frontend").prefer, 5173);
    assert_eq!(spec("frontend").range.to_string(), "5173-5272");
    assert!(plan.services["frontend"].fallback && !plan.services["backend"].fallback);
}

#[test]
fn an_optional_service_is_enabled_on_request() {
    assert_eq!(plan(JOBI).services.len(), 2);
    let plan = plan_with(JOBI, &["redis"]).unwrap();
    assert_eq!(plan.services["redis"].ports[0].spec.prefer, 6379);
    assert_eq!(plan.groups["data"], ["redis", "backend"]);
    assert!(plan_with(JOBI, &["rediss"]).is_err());
}

#[test]
fn a_closure_lists_dependencies_in_start_order() {
    let plan = plan(JOBI);
    let closure = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        plan.closure(&names)
    };
    assert_eq!(closure(&["frontend"]).unwrap(), ["backend", "frontend"]);
    assert_eq!(closure(&["data"]).unwrap(), ["backend"]);
    assert_eq!(closure(&[]).unwrap(), ["backend", "frontend"]);
    assert_eq!(
        closure(&["front"]).unwrap_err().help,
        "did you mean `frontend`?"
    );
}

#[test]
fn the_port_named_http_is_the_main_port() {
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
fn inconsistent_manifests_are_rejected_with_their_location() {
    for (text, expected) in [
        ("", "the manifest defines no services"),
        (
            "[services.a]\ncommand = \" \"",
            "2:11 the command of `a` is empty",
        ),
        (
            "[services.a]\ncommand=\"x\"\nafter=[\"bb\"]\n[services.bbb]\ncommand=\"x\"",
            "3:8 `a` starts after `bb`, which does not exist (did you mean `bbb`?)",
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
            "3:5 the directory `../b` is outside the project",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport=\"80\"\n[services.b]\ncommand=\"y\"\nport=\"80\"",
            "`a` and `b` both require port 80",
        ),
        (
            "[services.a-b]\ncommand=\"x\"\n[services.a_b]\ncommand=\"y\"",
            "`a-b` and `a_b` have the same variables and keys",
        ),
        (
            "[services.\"a b\"]\ncommand=\"x\"",
            "`a b` is not a valid name",
        ),
        (
            "[services.a]\ncommand=\"x\"\nready={ http=\"/\" }",
            "`ready` of `a` probes a port, but `a` has no port",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport=9100\nready={ http=\"/\", tcp=true }",
            "exactly one kind of probe",
        ),
        (
            "[services.a]\ncommand=\"x\"\nready={ log=\"(\" }",
            "3:13 `(` is not a valid regular expression",
        ),
        (
            "[services.a]\ncommand=\"x\"\n[groups]\ng=[\"c\"]",
            "4:4 the group `g` contains `c`, which does not exist",
        ),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn a_health_path_is_the_readiness_probe_without_ready() {
    let probe = |body: &str| {
        let plan = plan(&format!(
            "[services.api]\ncommand = 'x'\nport = 8000\n{body}"
        ));
        plan.services["api"].readiness.probe.clone()
    };
    assert_eq!(probe(""), None);
    let http = Probe::Http {
        port: 0,
        path: "/health".into(),
    };
    assert_eq!(
        probe("health = '/health'"),
        Some(ReadinessProbe::Poll(http))
    );
    assert_eq!(
        probe("health = '/health'\nready = { tcp = true }"),
        Some(ReadinessProbe::Poll(Probe::Tcp { port: 0 }))
    );
}

#[test]
fn the_plan_has_compiled_probes() {
    let plan = plan(
        "[services.api]\ncommand = 'x'\nports = { http = 8000, admin = 8100 }\n\
         ready = { log = '^listening on \\d+$', timeout = '2m' }\n\
         liveness = { http = 'up', port = 'admin', failures = 2 }",
    );
    let service = &plan.services["api"];
    let Some(ReadinessProbe::Log(pattern)) = &service.readiness.probe else {
        panic!("{:?}", service.readiness);
    };
    assert!(pattern.is_match("listening on 8000") && !pattern.is_match("listening"));
    assert_eq!(service.readiness.timeout.as_secs(), 120);
    let liveness = service.liveness.as_ref().unwrap();
    let http = Probe::Http {
        port: 1,
        path: "/up".into(),
    };
    assert_eq!((&liveness.probe, liveness.failures), (&http, 2));
}

#[test]
fn an_invalid_health_path_is_rejected_with_its_location() {
    for (body, expected) in [
        (
            "port = 8000\nhealth = 'health'",
            "4:10 the health path `health` does not start with `/` (write it as `health = \"/health\"`",
        ),
        (
            "port = 8000\nhealth = ''",
            "4:10 the health path `` does not start with `/`",
        ),
        (
            "port = 8000\nhealth = '/a b'",
            "4:10 the health path `/a b` contains the character ' '",
        ),
        ("port = 8000\nhealth = '/a#b'", "contains the character '#'"),
        (
            "kind = 'redis'\nport = 8000\nhealth = '/'",
            "but the kind `redis` is not HTTP",
        ),
        ("health = '/'", "`api` has a health path, but no port"),
        (
            "port = 8000\nhealth = '/'\n[services.api-health]\ncommand = 'x'",
            "the key `api_health_url` of the health path of `api` is also the key of the service `api-health`",
        ),
        (
            "ports = { http = 8000, health = 8100 }\nhealth = '/'",
            "is also the key of the port `health` of `api`",
        ),
    ] {
        let error = error(&format!("[services.api]\ncommand = 'x'\n{body}"));
        assert!(error.contains(expected), "{body}\n{error}");
    }
    // Keys of the main port do not contain its name.
    plan("[services.api]\ncommand = 'x'\nports = { health = 8000 }\nhealth = '/'");
}

#[test]
fn max_body_needs_an_http_service_with_a_port() {
    let text = "[services.api]\ncommand = 'x'\nport = 8000\nmax_body = '1 MiB'";
    assert_eq!(plan(text).services["api"].max_body, Some(1 << 20));
    for body in ["port = 8000\nkind = 'redis'", "kind = 'http'"] {
        let error = error(&format!(
            "[services.api]\ncommand = 'x'\nmax_body = 1\n{body}"
        ));
        assert!(error.starts_with("3:12 `api` has a `max_body`"), "{error}");
    }
}

#[test]
fn texts_that_no_process_can_receive_are_rejected() {
    for text in [
        "[services.a]\ncommand = \"x\\u0000\"",
        "[services.a]\ncommand = \"x\"\ndir = \"\\u0000\"",
        "[services.a]\ncommand = \"x\"\nprepare = \"\\u0000\"",
        "[services.a]\ncommand = \"x\"\nready = { exec = \"\\u0000\" }",
        "[services.a]\ncommand = \"x\"\nenv = { A = \"\\u0000\" }",
    ] {
        assert!(
            error(text).contains("a value of `a` contains a NUL character"),
            "{text}"
        );
    }
    for name in ["", "A=B", "A\\u0000"] {
        let text = format!("[services.a]\ncommand = \"x\"\nenv = {{ \"{name}\" = \"1\" }}");
        assert!(
            error(&text).contains("is not a valid variable name"),
            "{text}"
        );
    }
    let text = "[services.a]\ncommand = \"x\"\n[project]\nname = \"\\u0000\"";
    assert!(error(text).contains("the project's name contains a NUL character"));
}

#[test]
fn too_many_services_are_rejected() {
    // Each service waits for the next one, so the plan is as deep as it is long.
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
fn all_services_can_be_shown_even_if_they_cannot_run_together() {
    let text = |optional: bool| {
        format!(
            "[services.a]\ncommand = \"x\"\nport = \"9000\"\n\
             [services.b]\ncommand = \"x\"\nport = \"9000\"\noptional = {optional}"
        )
    };
    let whole = |optional: bool| {
        let file = Path::new("/jobi/portway.toml");
        let manifest = Manifest::parse(file, &text(optional)).unwrap();
        Plan::with_all_services(&manifest, &Preferences::default())
    };
    assert_eq!(whole(true).unwrap().services.len(), 2);
    assert!(whole(false).is_err());
    assert!(plan_with(&text(true), &["b"]).is_err());
}

#[test]
fn only_http_services_that_are_not_excluded_are_published_on_the_local_network() {
    let text = "[services.backend]\ncommand = \"x\"\n\
                [services.frontend]\ncommand = \"x\"\nlan = true\n\
                [services.admin]\ncommand = \"x\"\nport = 8000\nlan = false\n\
                [services.worker]\ncommand = \"x\"\n\
                [services.redis]\ncommand = \"redis-server\"\n";
    let published = |text: &str, requested| plan(text).published_on_lan(requested);
    assert_eq!(published(text, Unspecified), ["frontend"]);
    assert_eq!(published(text, Enabled), ["backend", "frontend"]);
    assert!(published(text, Disabled).is_empty());
    let all = format!("lan = true\n{text}");
    assert_eq!(published(&all, Unspecified), ["backend", "frontend"]);
    assert!(published(&all, Disabled).is_empty());
    let redis = error("[services.redis]\ncommand = \"redis-server\"\nlan = true");
    assert!(
        redis.contains("cannot be published on the local network"),
        "{redis}"
    );
}

#[test]
fn a_readiness_timeout_alone_keeps_the_usual_check() {
    let service = |ready: &str| {
        let text = format!("[services.a]\ncommand = \"x\"\nport = 9000\nready = {ready}");
        let manifest = Manifest::parse(Path::new("portway.toml"), &text).unwrap();
        Plan::new(&manifest, &[]).map(|plan| plan.services["a"].readiness.clone())
    };
    let readiness = service("{ timeout = \"6s\" }").unwrap();
    assert_eq!(readiness.probe, None);
    assert_eq!(readiness.timeout, std::time::Duration::from_secs(6));
    let error = service("{ http = \"/\", tcp = true }").unwrap_err();
    assert!(error.location().contains(":4:"), "{}", error.location());
}
