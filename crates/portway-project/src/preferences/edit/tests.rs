use std::path::Path;

use crate::preferences::{from_text, parse_key};

fn set(text: &str, key: &str, value: &str) -> String {
    let (key, path) = parse_key(key).unwrap();
    super::set(text, key, &path, value).unwrap()
}

#[test]
fn setting_a_value_changes_nothing_else() {
    let text =
        "# mine\n\nmoved   =   \"continue\"   # loudly\n\n# logs\n[logs]\nsize='1 MiB'\n# end\n";
    assert_eq!(
        set(text, "moved", "ask"),
        text.replace("\"continue\"", "\"ask\"")
    );
    assert_eq!(
        set(text, "logs.size", "2 MiB"),
        text.replace("'1 MiB'", "\"2 MiB\"")
    );
    assert_eq!(
        set(text, "ranges.backend", "8000-8010"),
        text.replace("# end\n", "\n[ranges]\nbackend = \"8000-8010\"\n# end\n")
    );
}

#[test]
fn values_are_written_in_canonical_form() {
    assert_eq!(
        set("", "never", "8080, 3000-3010"),
        "never = [8080, \"3000-3010\"]\n"
    );
    assert_eq!(set("", "never", "[8080]"), "never = [8080]\n");
    assert_eq!(
        set("", "ranges.redis", "7000"),
        "[ranges]\nredis = \"7000-7099\"\n"
    );
    assert_eq!(
        set("", "prefer.projects.\"my.app\".api", "4000"),
        "[prefer.projects.\"my.app\"]\napi = 4000\n"
    );
    assert_eq!(
        set(
            "ranges = { backend = 8000 } # x\n",
            "ranges.redis",
            "7000-7001"
        ),
        "ranges = { backend = 8000 , redis = \"7000-7001\" } # x\n"
    );
    assert_eq!(
        set("# only words", "moved", "ask"),
        "# only words\nmoved = \"ask\"\n"
    );
    for text in ["", "# a\n[logs]\nsize = 100000\n"] {
        assert!(
            from_text(Path::new("config.toml"), &set(text, "color", "never")).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn an_invalid_value_is_not_set() {
    let (key, path) = parse_key("moved").unwrap();
    let error = super::set("", key, &path, "asks").unwrap_err();
    assert_eq!(error.help, "did you mean `ask`?");
}

#[test]
fn unsetting_a_value_keeps_its_comments() {
    let unset = |text: &str, key: &str| {
        let (key, path) = parse_key(key).unwrap();
        super::unset(text, key, &path).unwrap()
    };
    let text = "# mine\n\n# ask me\nmoved = \"ask\"\ncolor = \"never\" # dull\n\n[logs]\nsize = 100000\n# end\n";
    assert_eq!(
        unset(text, "moved").unwrap(),
        text.replace("moved = \"ask\"\n", "")
    );
    let without = unset(text, "logs.size").unwrap();
    assert_eq!(without, text.replace("size = 100000\n", ""));
    assert_eq!(unset(text, "never"), None);
    assert_eq!(unset(text, "ranges.redis"), None);
    let alone = unset("# a\nmoved = \"ask\"\n", "moved").unwrap();
    assert_eq!(alone, "# a\n");
}

#[test]
fn an_alias_in_the_file_is_edited_in_place() {
    assert_eq!(
        set("colour = \"never\" # mine\n", "color", "always"),
        "colour = \"always\" # mine\n"
    );
    assert_eq!(set("", "colour", "always"), "color = \"always\"\n");
    let (key, path) = parse_key("color").unwrap();
    let unset = super::unset("colour = \"never\"\n", key, &path).unwrap();
    assert_eq!(unset.as_deref(), Some(""));
}
