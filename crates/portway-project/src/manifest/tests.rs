use std::fs;

use super::*;
use crate::policy::StartCondition;

fn parse(text: &str) -> Result<Manifest, Diagnostic> {
    Manifest::parse(Path::new("portway.toml"), text)
}

fn service(body: &str) -> Service {
    let manifest = parse(&format!("[services.a]\ncommand = \"run\"\n{body}")).unwrap();
    manifest.services["a"].clone()
}

/// The error's location, message and help as one line.
fn error(text: &str) -> String {
    let error = parse(text).unwrap_err();
    let help = error
        .help
        .as_deref()
        .map(|help| format!(" ({help})"))
        .unwrap_or_default();
    format!("{}: {error}{help}", error.location())
}

#[test]
fn a_port_has_several_forms() {
    let spec = |body: &str| service(body).port.unwrap();
    assert_eq!(spec("port = 9000").prefer, 9000);
    assert_eq!(spec("port = 9000").range.to_string(), "9000-9099");
    assert_eq!(spec("port = \"5173-5272\"").prefer, 5173);
    let both = spec("port = { prefer = 9010, range = \"9000-9099\" }");
    assert_eq!((both.prefer, both.range.first()), (9010, 9000));
    for body in [
        "port = [\"9200-9299\", \"9000-9099\", 8080]",
        "port = { range = [\"9200-9299\", \"9000-9099\", 8080] }",
    ] {
        let several = spec(body);
        assert_eq!(several.range.to_string(), "9200-9299, 9000-9099, 8080");
        assert_eq!((several.prefer, several.explicit), (9200, false));
    }
    let both = spec("port = { prefer = 9010, range = [\"9200-9299\", \"9000-9099\"] }");
    assert_eq!((both.prefer, both.range.first()), (9010, 9200));
}

#[test]
fn services_keep_their_order() {
    let manifest = parse("[services.z]\ncommand=\"z\"\n[services.a]\ncommand=\"a\"").unwrap();
    assert_eq!(manifest.services.keys().collect::<Vec<_>>(), ["z", "a"]);
}

#[test]
fn after_is_a_list_or_a_table() {
    let conditions = |body: &str| {
        let after = service(body).after.0;
        after
            .into_iter()
            .map(|(name, condition)| (name.into_inner(), condition))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        conditions("after = [\"db\"]"),
        [("db".into(), StartCondition::Ready)]
    );
    assert_eq!(
        conditions("after = { db = \"started\", migrate = \"completed\" }"),
        [
            ("db".into(), StartCondition::Started),
            ("migrate".into(), StartCondition::Completed)
        ]
    );
}

#[test]
fn durations_have_a_unit() {
    let grace = |text: &str| {
        service(&format!("stop = {{ grace = \"{text}\" }}"))
            .stop
            .grace
            .0
    };
    assert_eq!(grace("500ms"), std::time::Duration::from_millis(500));
    assert_eq!(grace("2m"), std::time::Duration::from_secs(120));
    assert!(
        error("[services.a]\ncommand=\"x\"\nstop = { grace = \"soon\" }")
            .contains("is not a duration")
    );
    assert!(
        error("[services.a]\ncommand=\"x\"\nstop = { grace = \"-1s\" }")
            .contains("is not a duration")
    );
}

#[test]
fn sizes_have_an_optional_unit() {
    for (text, bytes) in [
        ("1048576", 1 << 20),
        ("'1048576'", 1 << 20),
        ("'10 MiB'", 10 << 20),
        ("'4.5MB'", 4_500_000),
        ("'500 kB'", 500_000),
    ] {
        let max_body = service(&format!("max_body = {text}")).max_body;
        assert_eq!(max_body.unwrap().into_inner().0, bytes, "{text}");
    }
    for text in [
        "0",
        "-1",
        "''",
        "'0'",
        "'-1 MB'",
        "'ten'",
        "'10 apples'",
        "'MB'",
    ] {
        let error = error(&format!("[services.a]\ncommand=\"x\"\nmax_body = {text}"));
        assert!(error.starts_with("portway.toml:3:12: "), "{error}");
        assert!(error.contains("is not a size"), "{text}: {error}");
    }
    let error = error("[services.a]\ncommand=\"x\"\nmax_body = true");
    assert!(error.contains("portway.toml:3:12"), "{error}");
}

#[test]
fn an_unknown_key_is_rejected_with_its_location_and_a_suggestion() {
    assert_eq!(
        error("[services.a]\ncomand = \"x\"\n"),
        "portway.toml:2:1: unknown key `comand` (did you mean `command`?)"
    );
    assert_eq!(
        error("[projekt]\nname = \"x\"\n"),
        "portway.toml:1:2: unknown key `projekt` (did you mean `project`?)"
    );
    assert!(
        error("[services.a]\ncommand=\"x\"\nport = { prefered = 1 }")
            .ends_with("unknown key `prefered` (did you mean `prefer`?)")
    );
    assert!(
        error("[services.a]\ncommand=\"x\"\nrestart = \"on-failur\"")
            .ends_with("unknown value `on-failur` (did you mean `on-failure`?)")
    );
}

#[test]
fn invalid_values_are_rejected_with_their_location() {
    for (text, expected) in [
        ("services = 3", "portway.toml:1:"),
        ("[services.a]\nport = 1", "the key `command` is missing"),
        (
            "[services.a]\ncommand=\"x\"\nport = 70000",
            "portway.toml:3:8: `70000` is not a port; ports go from 1 to 65535",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = \"9099-9000\"",
            "is reversed",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = { prefer = 80, range = \"90-99\" }",
            "the preferred port 80 is outside the range 90-99",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = true",
            "a port, a range",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = [\n  \"9000-9099\",\n  \"9299-9200\",\n]",
            "portway.toml:5:3: the range `9299-9200` is reversed",
        ),
        (
            "[services.a]\ncommand=\"x\"\n\nport = [\"9000-9099\", \"9050-9149\"]",
            "portway.toml:4:8: the port ranges `9000-9099` and `9050-9149` overlap",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = { range = [] }",
            "portway.toml:3:18: the list of port ranges is empty",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = { range = [true] }",
            "expected a port, or a range",
        ),
        (
            "[services.a]\ncommand=\"x\"\nport = { prefer = 1, range = [\"9000-9099\", 9200] }",
            "the preferred port 1 is outside the range 9000-9099, 9200",
        ),
        ("= 3", "portway.toml:1:1"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn the_committed_json_schema_is_up_to_date() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/portway.schema.json");
    if std::env::var_os("PORTWAY_UPDATE").is_some() {
        fs::write(&committed, Manifest::json_schema()).unwrap();
    }
    assert_eq!(
        fs::read_to_string(&committed).unwrap_or_default(),
        Manifest::json_schema(),
        "run `cargo xtask schema` to update it"
    );
}
