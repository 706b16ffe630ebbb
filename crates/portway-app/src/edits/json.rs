//! Portway's part of a JSON file: elements of arrays. Everything else keeps its order, comments and indentation.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

use super::part::{Part, Problem};

/// An element of an array.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    /// The keys of the array, from the top.
    pub(crate) path: &'static [&'static str],
    /// The element.
    pub(crate) value: Value,
    /// A text that only Portway's element contains.
    pub(crate) mark: &'static str,
}

/// Elements of arrays in a JSON file.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    /// Values at the top of a file that does not exist yet.
    pub(crate) header: Vec<(&'static str, Value)>,
    pub(crate) elements: Vec<Element>,
}

impl Part for Elements {
    fn put(&self, text: Option<&str>) -> Result<String, Problem> {
        let is_new = text.is_none_or(|text| text.trim().is_empty());
        if is_new {
            return Ok(self.new_file());
        }
        let root = parse(text.unwrap_or_default())?;
        let top = top(&root)?;
        for element in &self.elements {
            let array = array(&top, element.path)?;
            let own = array
                .elements()
                .into_iter()
                .find(|one| is_own(one, element));
            match own {
                Some(own) if own.to_serde_value().as_ref() == Some(&element.value) => {}
                Some(own) => replace(&array, own, &element.value),
                None => {
                    array.append(input(&element.value));
                }
            }
        }
        Ok(root.to_string())
    }

    fn take(&self, text: &str) -> Result<Option<String>, Problem> {
        if text.trim().is_empty() {
            return Ok(Some(text.to_owned()));
        }
        let root = parse(text)?;
        let Some(top) = root.object_value() else {
            return Ok(Some(text.to_owned()));
        };
        let mut is_changed = false;
        for element in &self.elements {
            is_changed |= remove(&top, element.path, element);
        }
        if !is_changed {
            return Ok(Some(text.to_owned()));
        }
        let left = top.to_serde_value().unwrap_or_default();
        let is_header = |key: &String, value: &Value| {
            let mut header = self.header.iter();
            header.any(|(name, own)| name == key && own == value)
        };
        let is_empty = left
            .as_object()
            .is_some_and(|left| left.iter().all(|(key, value)| is_header(key, value)));
        Ok((!is_empty).then(|| root.to_string()))
    }
}

impl Elements {
    /// Returns the text of a file that contains nothing else.
    fn new_file(&self) -> String {
        let mut top = Value::Object(serde_json::Map::new());
        for (key, value) in &self.header {
            top[*key] = value.clone();
        }
        for element in &self.elements {
            let mut place = &mut top;
            for key in element.path {
                place = &mut place[*key];
            }
            match place {
                Value::Array(all) => all.push(element.value.clone()),
                other => *other = Value::Array(vec![element.value.clone()]),
            }
        }
        let mut text = serde_json::to_string_pretty(&top).unwrap_or_default();
        text.push('\n');
        text
    }
}

fn parse(text: &str) -> Result<CstRootNode, Problem> {
    CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| Problem {
        message: format!("it is not valid JSON: {}", error.kind()),
        line: Some(error.line_display()),
        column: Some(error.column_display()),
        help: "fix the file with an editor".to_owned(),
    })
}

/// Returns the error about a value of another type.
fn not_a(what: &str, path: &[&str]) -> Problem {
    let place = match path {
        [] => "its top value".to_owned(),
        path => format!("`{}`", path.join(".")),
    };
    Problem {
        message: format!("{place} is not {what}"),
        line: None,
        column: None,
        help: "change the file with an editor, or leave it out".to_owned(),
    }
}

fn top(root: &CstRootNode) -> Result<CstObject, Problem> {
    root.object_value_or_create()
        .ok_or_else(|| not_a("an object", &[]))
}

/// Returns the array at a path, which is created with the objects above it.
fn array(top: &CstObject, path: &[&str]) -> Result<CstArray, Problem> {
    let Some((last, above)) = path.split_last() else {
        return Err(not_a("an array", path));
    };
    let mut object = top.clone();
    for (index, key) in above.iter().enumerate() {
        object = object
            .object_value_or_create(key)
            .ok_or_else(|| not_a("an object", &path[..=index]))?;
    }
    object
        .array_value_or_create(last)
        .ok_or_else(|| not_a("an array", path))
}

fn is_own(node: &CstNode, element: &Element) -> bool {
    let value = node.to_serde_value();
    value.is_some_and(|value| contains(&value, element.mark))
}

/// Returns whether a string in a value contains a text.
fn contains(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(all) => all.iter().any(|one| contains(one, text)),
        Value::Object(all) => all.values().any(|one| contains(one, text)),
        _ => false,
    }
}

fn replace(array: &CstArray, own: CstNode, value: &Value) {
    let index = own.element_index().unwrap_or(0);
    own.remove();
    array.insert(index, input(value));
}

/// Removes an element, and the arrays and objects that are then empty. Returns whether it was there.
fn remove(object: &CstObject, path: &[&str], element: &Element) -> bool {
    let Some((first, below)) = path.split_first() else {
        return false;
    };
    let Some(property) = object.get(first) else {
        return false;
    };
    let (is_changed, is_empty) = if below.is_empty() {
        let Some(array) = property.array_value() else {
            return false;
        };
        let elements = array.elements();
        let own: Vec<CstNode> = elements
            .into_iter()
            .filter(|one| is_own(one, element))
            .collect();
        let is_changed = !own.is_empty();
        own.into_iter().for_each(CstNode::remove);
        (is_changed, array.elements().is_empty())
    } else {
        let Some(object) = property.object_value() else {
            return false;
        };
        let is_changed = remove(&object, below, element);
        (is_changed, object.properties().is_empty())
    };
    if is_changed && is_empty {
        property.remove();
    }
    is_changed
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(value) => CstInputValue::Bool(*value),
        Value::Number(value) => CstInputValue::Number(value.to_string()),
        Value::String(value) => CstInputValue::String(value.clone()),
        Value::Array(all) => CstInputValue::Array(all.iter().map(input).collect()),
        Value::Object(all) => {
            let pair = |(key, value): (&String, &Value)| (key.clone(), input(value));
            CstInputValue::Object(all.iter().map(pair).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part() -> Elements {
        Elements {
            header: vec![("version", json!("1"))],
            elements: vec![Element {
                path: &["hooks", "Start"],
                value: json!({ "run": "portway x" }),
                mark: "portway ",
            }],
        }
    }

    #[test]
    fn a_new_file_contains_only_the_part() {
        let text = part().put(None).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({ "version": "1", "hooks": { "Start": [{ "run": "portway x" }] } })
        );
        assert_eq!(part().take(&text).unwrap(), None);
    }

    #[test]
    fn the_rest_of_a_file_stays_as_it_is() {
        for text in [
            "{\n    \"z\": 1,\n    // why\n    \"a\": [1,2,   3]\n}\n",
            "{\"z\":{\"b\":1}}",
            "{\n\t\"hooks\": {\n\t\t\"Stop\": [ \"x\" ]\n\t}\n}",
            "{\n  \"hooks\": {\n    \"Start\": [\n      { \"run\": \"other\" }\n    ]\n  }\n}\n",
            "{\r\n  \"a\": 1\r\n}\r\n",
        ] {
            let put = part().put(Some(text)).unwrap();
            assert!(put.contains("portway x"), "{put}");
            assert_eq!(part().put(Some(&put)).unwrap(), put, "twice");
            let (lines, crlf) = (put.matches('\n').count(), put.matches("\r\n").count());
            assert_eq!(crlf, if text.contains('\r') { lines } else { 0 }, "{put}");
            let value = |text: &str| parse(text).unwrap().to_serde_value().unwrap();
            let taken = part().take(&put).unwrap().unwrap();
            assert_eq!(value(&taken), value(text), "{taken}");
            for kept in [
                "// why",
                "[1,2,   3]",
                "\"z\"",
                "\"Stop\": [ \"x\" ]",
                "{ \"run\": \"other\" }",
                "\"a\": 1",
            ] {
                assert_eq!(text.contains(kept), put.contains(kept), "{kept} in {put}");
                assert_eq!(
                    text.contains(kept),
                    taken.contains(kept),
                    "{kept} in {taken}"
                );
            }
        }
    }

    #[test]
    fn an_old_part_is_replaced() {
        let text = "{ \"hooks\": { \"Start\": [1, { \"run\": \"portway old\" }, 2] } }";
        let put = part().put(Some(text)).unwrap();
        let value: Value = serde_json::from_str(&put).unwrap();
        assert_eq!(
            value["hooks"]["Start"],
            json!([1, { "run": "portway x" }, 2])
        );
    }

    #[test]
    fn an_invalid_file_is_an_error_with_its_place() {
        let problem = part().put(Some("{\n  \"a\": 1\n  \"b\": }\n")).unwrap_err();
        assert_eq!(problem.line, Some(3), "{problem:?}");
        let problem = part().put(Some("{ \"hooks\": [] }")).unwrap_err();
        assert_eq!(problem.message, "`hooks` is not an object");
        let problem = part().put(Some("[]")).unwrap_err();
        assert_eq!(problem.message, "its top value is not an object");
    }
}
