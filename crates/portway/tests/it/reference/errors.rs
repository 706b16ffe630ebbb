//! The page of exit codes and error codes, from `ErrorCode` and its schema.

use portway_api::ErrorCode;

const INTRODUCTION: &str = "\
# Exit codes and error codes

## Exit codes

`portway exec` exits with the code of its command, or with 128 plus the signal's number if a signal
ended the command.

| exit code | meaning |
| --- | --- |
| 0 | success |
";

const CODES: &str = "
## Error codes

With `--json`, an error has a `code` that does not change between versions. See
[Output and errors](../programs.md#output-and-errors).

| code | exit code | meaning |
| --- | --- | --- |
";

pub(super) fn page() -> String {
    let schema = super::schema("openapi.json");
    let codes: Vec<(ErrorCode, String, String)> =
        schema["components"]["schemas"]["ErrorCode"]["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                let text = |key: &str| entry[key].as_str().unwrap().to_owned();
                let code = serde_json::from_value(entry["const"].clone()).unwrap();
                (code, text("const"), text("description"))
            })
            .collect();
    let mut exits: Vec<u8> = codes.iter().map(|(code, ..)| code.exit()).collect();
    exits.sort_unstable();
    exits.dedup();
    let mut page = INTRODUCTION.to_owned();
    for exit in exits {
        page.push_str(&format!("| {} | {} |\n", number(exit), meaning(exit)));
    }
    page.push_str(CODES);
    for (code, name, description) in codes {
        let exit = number(code.exit());
        let description = super::cell(description.trim_end_matches('.'));
        page.push_str(&format!("| `{name}` | {exit} | {description} |\n"));
    }
    page
}

/// SIGINT and SIGTERM share an error code and have different exit codes.
fn number(exit: u8) -> String {
    match exit {
        130 => "130, 143".to_owned(),
        other => other.to_string(),
    }
}

fn meaning(exit: u8) -> &'static str {
    match exit {
        1 => "the command failed or refused to act, or a check found a problem",
        2 => "the command line, the manifest, a preference or `.ports.json` is invalid",
        3 => "a required program is missing or cannot be executed",
        4 => "a port is in use, or every port of a range is in use",
        5 => "a service failed",
        6 => "there is nothing to act on, such as no process on the port",
        124 => "a timeout expired",
        130 => "SIGINT (130) or SIGTERM (143) ended the command",
        other => panic!("exit code {other} has no meaning on the reference page"),
    }
}
