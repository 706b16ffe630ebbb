//! `portway init`, `schema` and `--help`.

use crate::sandbox::Sandbox;

#[test]
fn init_writes_a_working_manifest_and_overwrites_none() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["init"])
        .success()
        .stderr_has("~/project/portway.toml");
    let first = sandbox.read("portway.toml");
    sandbox.run(&["detect"]).success().stdout_has("backend");
    assert!(!sandbox.project().join(".gitignore").exists());
    sandbox.write("portway.toml", "# mine");
    sandbox.run(&["init"]).success();
    assert_eq!(sandbox.read("portway.toml"), "# mine");
    assert!(first.contains("name = \"project\""));
    let schema = sandbox.run(&["schema"]).success().json();
    let line = format!("#:schema {}\n", schema["$id"].as_str().unwrap());
    assert!(first.starts_with(&line), "{first}");
}

#[test]
fn init_adds_a_line_to_gitignore() {
    let sandbox = Sandbox::new().file(".gitignore", "/target");
    for _ in 0..2 {
        sandbox.run(&["init", "--gitignore"]).success();
    }
    assert_eq!(sandbox.read(".gitignore"), "/target\n.ports.json\n");
}

#[test]
fn schema_prints_the_committed_schema() {
    let sandbox = Sandbox::new();
    let committed = include_str!("../../../../schema/portway.schema.json");
    assert_eq!(sandbox.run(&["schema"]).success().stdout(), committed);
}

#[test]
fn help_has_examples_and_usage_errors_have_a_code() {
    let sandbox = Sandbox::new();
    sandbox
        .run(&["--help"])
        .success()
        .stdout_has("Examples:")
        .stdout_has("Exit codes:");
    sandbox
        .run(&["up", "--help"])
        .success()
        .stdout_has("portway up --with redis");
    sandbox.fails(&["upp"], 2, "usage").mentions("upp");
    sandbox
        .fails(&["ps", "--jsn"], 2, "usage")
        .mentions("--jsn");
}
