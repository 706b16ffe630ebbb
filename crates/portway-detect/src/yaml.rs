//! Parses YAML into JSON values, within limits.
//!
//! A checkout may contain hostile files: aliases that multiply (a "billion laughs") or unlimited
//! nesting. The limits of the parser are far below harmful sizes and far above the sizes of files
//! that people write.

use serde_json::Value;

/// Why a text is not usable YAML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct YamlError {
    /// Line number from 1, if a line is at fault.
    pub line: Option<u64>,
    /// What is wrong.
    pub message: String,
}

/// Parses one document; an empty one is null.
///
/// # Errors
/// If it is not YAML, or exceeds the limits.
pub fn parse(text: &str) -> Result<Value, YamlError> {
    let text = text.trim_start_matches('\u{feff}');
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 60,
            flow_nesting_limit: 60,
            max_events: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_recorded_anchor_events: 100_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 50_000,
            max_replay_stack_depth: 20,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Option<Value>>(text, options)
        .map(Option::unwrap_or_default)
        .map_err(|error| {
            let line = error.location().map(|place| place.line());
            let message = error.without_snippet().to_string();
            YamlError {
                line: line.filter(|line| *line > 0),
                message: in_one_line(&message),
            }
        })
}

/// Returns the message on one line, without the position, which is reported separately.
fn in_one_line(message: &str) -> String {
    let message = message.lines().next().unwrap_or("").trim();
    let place = message.rfind(" at line ");
    message[..place.unwrap_or(message.len())].to_owned()
}

/// Returns a string, number or boolean as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Returns one text or a list of them.
pub(super) fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(scalar).collect(),
        one => scalar(one).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn parses_values_as_json() {
        let value = parse(
            "a: &x {n: 1, s: '1', t: true, y: no}\nb:\n  <<: *x\n  n: 2\nports: [3000, 80:80, 22:22]\n1: one\nempty:\n",
        )
        .unwrap();
        let expected = serde_json::json!({
            "a": {"n": 1, "s": "1", "t": true, "y": "no"},
            "b": {"n": 2, "s": "1", "t": true, "y": "no"},
            "ports": [3000, "80:80", "22:22"],
            "1": "one",
            "empty": null,
        });
        assert_eq!(value, expected);
        assert_eq!(parse("").unwrap(), Value::Null);
        assert_eq!(parse("# nothing\n").unwrap(), Value::Null);
    }

    #[test]
    fn reports_the_line_of_an_error() {
        let error = parse("services:\n  db:\n    image: [\n  web: x\n").unwrap_err();
        assert!(error.line.is_some_and(|line| line >= 3), "{error:?}");
        assert!(!error.message.contains('\n') && !error.message.is_empty());
        let twice = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!(twice.line, Some(3), "{twice}");
    }

    #[test]
    fn rejects_hostile_files_quickly() {
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(9);
            laughs.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        let flow = "[".repeat(100_000);
        let block: String = (0..3_000).map(|n| " ".repeat(n) + "a:\n").collect();
        let dashes = "- ".repeat(100_000);
        let began = Instant::now();
        for text in [&laughs, &flow, &block, &dashes] {
            assert!(parse(text).is_err());
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
    }
}
