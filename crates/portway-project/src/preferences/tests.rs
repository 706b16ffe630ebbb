use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::{Diagnostic, Manifest, Plan};

const FILE: &str = "/home/ada/.config/portway/config.toml";

fn user(text: &str) -> Result<Vec<Setting>, Diagnostic> {
    from_text(Path::new(FILE), text)
}

/// The error's location, message and help as one line.
fn error(text: &str) -> String {
    format_error(&user(text).unwrap_err())
}

fn format_error(error: &Diagnostic) -> String {
    let location = error.location();
    let location = location.rsplit('/').next().unwrap();
    let help = error.help.clone().unwrap_or_default();
    format!("{location}: {error} ({help})")
}

fn environment(variables: &[(&str, &str)]) -> Result<Vec<Setting>, InvalidVariable> {
    let variables: HashMap<&str, OsString> = variables
        .iter()
        .map(|(name, value)| (*name, OsString::from(value)))
        .collect();
    from_environment(&|name| variables.get(name).cloned())
}

fn manifest(text: &str) -> Result<Manifest, Diagnostic> {
    Manifest::parse(Path::new("/p/portway.toml"), text)
}

fn path(key: &str) -> Vec<String> {
    parse_key(key).unwrap().1
}

fn value(preferences: &Preferences, key: &str) -> String {
    preferences.value(&path(key)).unwrap().to_string()
}

#[test]
fn every_default_is_valid_and_in_canonical_form() {
    for key in &KEYS {
        let Some(value) = key.default_value() else {
            assert_eq!(key.default, "", "{}", key.name);
            continue;
        };
        assert_eq!(value.to_string(), key.default, "{}", key.name);
    }
}

#[test]
fn the_first_variable_is_named_after_its_key() {
    for key in KEYS.iter().filter(|key| !key.is_family()) {
        let name = key.name.replace('.', "_").to_uppercase();
        let variable = format!("PORTWAY_{name}");
        assert_eq!(key.variables[0].name, variable);
        assert!(!["PORTWAY_PROJECT", "PORTWAY_INSTANCE", "PORTWAY_ID"].contains(&&*variable));
    }
}

#[test]
fn the_first_layer_applies() {
    let user = user("moved = \"ask\"\ncolor = \"never\"\n[logs]\nsize = \"1 MiB\"").unwrap();
    let project = manifest("[preferences]\nlogs.size = \"2 MiB\"\n[services]\n").unwrap();
    let environment = environment(&[("PORTWAY_LOGS_SIZE", "3 MiB")]).unwrap();
    let mut settings = user;
    settings.extend(project.settings().unwrap());
    let preferences = Preferences::new(settings.clone());
    assert_eq!(preferences.log_size(), 2 << 20);
    assert!(preferences.asks_when_moved());
    assert_eq!(preferences.color(), ColorChoice::Never);
    settings.extend(environment);
    let preferences = Preferences::new(settings);
    assert_eq!(preferences.log_size(), 3 << 20);
    let preferences = preferences.with(from_flag("moved", "continue"));
    assert!(!preferences.asks_when_moved());
    let moved = path("moved");
    let layers: Vec<_> = preferences.layers(&moved).collect();
    let described: Vec<_> = layers
        .iter()
        .map(|one| format!("{:?} {} {}", one.source, one.location, one.value))
        .collect();
    assert_eq!(
        described,
        [
            "Flag --moved continue".to_owned(),
            format!("User {FILE}:1:9 ask"),
            "Default  continue".to_owned()
        ]
    );
}

#[test]
fn the_values_of_never_are_combined() {
    let mut settings = user("never = [8080, \"3000-3010\"]").unwrap();
    settings.extend(environment(&[("PORTWAY_NEVER", "9000, 8080")]).unwrap());
    let project = manifest("[preferences]\nnever = 5000").unwrap();
    settings.extend(project.settings().unwrap());
    let preferences = Preferences::new(settings);
    assert_eq!(value(&preferences, "never"), "9000, 8080, 5000, 3000-3010");
    assert!(Preferences::default().never().is_empty());
}

#[test]
fn values_have_several_forms() {
    let of = |text: &str, key: &str| value(&Preferences::new(user(text).unwrap()), key);
    for (text, key, read) in [
        ("ranges.backend = 8000", "ranges.backend", "8000-8099"),
        (
            "ranges.backend = \"8000-8010\"",
            "ranges.backend",
            "8000-8010",
        ),
        (
            "ranges.backend = [\"8000-8010\", 9000]",
            "ranges.backend",
            "8000-8010, 9000",
        ),
        ("moved = \"go-on\"", "moved", "continue"),
        ("gateway.start = \"by-hand\"", "gateway.start", "manual"),
        ("never = \"3000-3010\"", "never", "3000-3010"),
        ("logs.size = 1048576", "logs.size", "1 MiB"),
        ("logs.size = \"1.5mb\"", "logs.size", "1500 kB"),
        (
            "[prefer.projects.\"my.app\"]\napi = 4000",
            "prefer.projects.\"my.app\".api",
            "4000",
        ),
    ] {
        assert_eq!(of(text, key), read, "{text}");
    }
}

#[test]
fn errors_have_a_location_and_a_help_text() {
    for (text, expected) in [
        (
            "moved = \"ask\"\ncollor = \"never\"",
            "config.toml:2:1: unknown key `collor` (did you mean `color`?)",
        ),
        (
            "[range]\nbackend = 1",
            "config.toml:1:2: unknown key `range` (did you mean `ranges`?)",
        ),
        (
            "[ranges]\nbakend = 1",
            "config.toml:2:1: unknown key `bakend` (did you mean `ranges.backend`?)",
        ),
        (
            "ranges = 3",
            "config.toml:1:10: `ranges` must be a table, not the number 3",
        ),
        (
            "moved = \"asks\"",
            "config.toml:1:9: unknown value `asks` (did you mean `ask`?)",
        ),
        (
            "moved = true",
            "config.toml:1:9: a boolean is not allowed here (write \"continue\" or \"ask\")",
        ),
        (
            "never = [80.5]",
            "config.toml:1:9: a number with a fraction is not allowed here",
        ),
        (
            "never = [70000]",
            "`70000` is not a port; ports go from 1 to 65535",
        ),
        (
            "[ranges]\nredis = \"7000-6000\"",
            "config.toml:2:9: the range `7000-6000` is reversed",
        ),
        (
            "[ranges]\nredis = []",
            "config.toml:2:9: the list of port ranges is empty",
        ),
        (
            "[ranges]\nredis = [\"6379-6400\", \"6400-6500\"]",
            "config.toml:2:9: the port ranges `6379-6400` and `6400-6500` overlap",
        ),
        (
            "prefer.projects.jobi = 4000",
            "config.toml:1:24: `prefer.projects.jobi` must be a table, not the number 4000 \
             (use `prefer.projects.jobi.<service>`)",
        ),
        (
            "prefer.frameworks.vite = \"4000\"",
            "the string \"4000\" is not allowed here (write a port such as 4000)",
        ),
        (
            "logs.size = \"huge\"",
            "`huge` is not a size (write a size such as \"16 MiB\")",
        ),
        ("logs.size = 3", "`3` is not between 64 KiB and 64 GiB"),
        (
            "logs.size = 1979-05-27",
            "config.toml:1:13: a date is not allowed here",
        ),
        ("logs.size = 99999999999999999999", "config.toml:1:13"),
        ("= 3", "config.toml:1:1"),
        ("moved = \"ask", "config.toml:1:"),
    ] {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn a_manifest_cannot_set_user_preferences() {
    let error = |text: &str| format_error(&manifest(text).unwrap_err());
    assert_eq!(
        error("[preferences]\ncolor = \"never\""),
        "portway.toml:2:1: `color` is a preference of the user and cannot be set in `portway.toml` \
         (remove it, and run `portway config set color VALUE`)"
    );
    assert!(error("[preferences]\nmovd = \"ask\"").contains("did you mean `moved`?"));
    assert!(error("preferences = 3").contains("`preferences` must be a table"));
}

#[test]
fn an_invalid_variable_is_named() {
    let wrong = environment(&[("PORTWAY_MOVED", "asks")]).unwrap_err();
    assert_eq!(
        (wrong.to_string().as_str(), wrong.source.help.as_str()),
        (
            "the variable `PORTWAY_MOVED` is invalid: unknown value `asks`",
            "did you mean `ask`?"
        )
    );
    // Empty variables and other variables are ignored.
    let none = [
        ("PORTWAY_MOVED", ""),
        ("PORTWAY_PROJECT", "x"),
        ("PORTWAY_X", "y"),
    ];
    assert_eq!(environment(&none), Ok(Vec::new()));
}

#[test]
fn own_color_variables_override_those_of_other_programs() {
    let color =
        |variables: &[(&str, &str)]| Preferences::new(environment(variables).unwrap()).color();
    assert_eq!(color(&[("NO_COLOR", "1")]), ColorChoice::Never);
    assert_eq!(color(&[("CLICOLOR_FORCE", "1")]), ColorChoice::Always);
    assert_eq!(
        color(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        ColorChoice::Never
    );
    assert_eq!(
        color(&[("NO_COLOR", "1"), ("PORTWAY_COLOR", "auto")]),
        ColorChoice::Auto
    );
    assert_eq!(
        color(&[("PORTWAY_COLOUR", "never"), ("PORTWAY_COLOR", "always")]),
        ColorChoice::Always
    );
}

#[test]
fn colour_is_another_spelling_of_color() {
    let settings = user("colour = \"never\"").unwrap();
    assert_eq!(Preferences::new(settings).color(), ColorChoice::Never);
    let both = error("color = \"never\"\ncolour = \"always\"");
    assert!(
        both.contains("config.toml:2:1: `color` is set twice"),
        "{both}"
    );
    assert_eq!(path("colour"), ["color"]);
}

#[test]
fn an_unknown_key_on_the_command_line_is_rejected() {
    let error = |key: &str| parse_key(key).unwrap_err();
    assert_eq!(error("movd").help, "did you mean `moved`?");
    assert_eq!(error("log.size").help, "did you mean `logs.size`?");
    assert_eq!(error("log.sizes").help, "did you mean `logs`?");
    assert_eq!(error("logs").help, "use `logs.size`");
    assert_eq!(
        error("prefer.projects.jobi").help,
        "use `prefer.projects.jobi.<service>`"
    );
    assert!(parse_key("").is_err() && parse_key("a b").is_err());
}

#[test]
fn a_plan_has_the_preferred_ports_of_its_user() {
    let preferences = Preferences::new(
        user(
            "[ranges]\nbackend = \"7000-7009\"\n\
             [prefer.projects.jobi]\nbackend = 7005\nfrontend = 4000\napi = 9010\nfixed = 9020",
        )
        .unwrap(),
    );
    let manifest = manifest(
        "[project]\nname = \"jobi\"\n\
         [services.backend]\ncommand = \"x\"\n[services.frontend]\ncommand = \"x\"\n\
         [services.api]\ncommand = \"x\"\nport = \"9000-9099\"\n\
         [services.fixed]\ncommand = \"x\"\nport = 9000\n\
         [services.worker]\ncommand = \"x\"",
    )
    .unwrap();
    let plan = Plan::with_preferences(&manifest, &[], &preferences).unwrap();
    let spec = |name: &str| {
        let spec = plan.services[name].ports[0].spec.clone();
        (spec.prefer, spec.range.to_string(), spec.explicit)
    };
    // A preferred port may be in the range of the kind, or outside it if the manifest has no range.
    // It must be in the manifest's range, and cannot replace a port that the manifest names.
    assert_eq!(spec("backend"), (7005, "7000-7009".into(), true));
    assert_eq!(spec("frontend"), (4000, "4000-4099".into(), true));
    assert_eq!(spec("api"), (9010, "9000-9099".into(), true));
    assert_eq!(spec("fixed"), (9000, "9000-9099".into(), true));
    assert!(plan.services["worker"].ports.is_empty());
    let plan = Plan::new(&manifest, &[]).unwrap();
    assert!(!plan.services["backend"].ports[0].spec.explicit);
}

#[test]
fn a_detected_port_is_not_an_explicit_one() {
    let text = "[project]\nname = \"jobi\"\n\
                [services.web]\ncommand = \"x\"\nport = 5000\n\
                [services.api]\ncommand = \"x\"\nport = 8000\n\
                [services.only]\ncommand = \"x\"\nport = \"5000\"\n\
                [services.mine]\ncommand = \"x\"\nport = 3000";
    let preferences = Preferences::new(
        user("[prefer]\nframeworks.fastapi = 8000\nprojects.jobi.mine = 4000\n").unwrap(),
    );
    assert_eq!(preferences.framework_port("fastapi"), Some(8000));
    let mut manifest = manifest(text).unwrap();
    manifest.apply_preferred_ports(&preferences, |name| (name == "api").then_some("fastapi"));
    let spec = |name: &str| {
        let spec = manifest.services[name].port.clone().unwrap();
        (spec.prefer, spec.explicit)
    };
    assert_eq!(spec("web"), (5000, false));
    assert_eq!(spec("api"), (8000, true));
    assert_eq!(spec("only"), (5000, true));
    assert_eq!(spec("mine"), (4000, true));
}
