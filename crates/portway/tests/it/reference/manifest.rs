//! The page of the manifest keys, from the manifest's JSON schema.

use serde_json::{Map, Value};

const INTRODUCTION: &str = "\
# Manifest keys

All keys of `portway.toml`. [Services and the manifest](../services.md) explains how to use them.

";

/// Tables of the manifest, and the definitions of the schema that describe their keys.
const TABLES: [(&str, &str); 2] = [("[project]", "Project"), ("[services.NAME]", "Service")];

/// Definitions with a separate page.
const ELSEWHERE: [(&str, &str); 1] = [("Preferences", "[preference keys](preferences.md)")];

pub(super) fn page() -> String {
    let schema = super::schema("portway.schema.json");
    let definitions = schema["definitions"].as_object().unwrap();
    let mut page = INTRODUCTION.to_owned();
    page.push_str("## Top level\n\n");
    properties(&mut page, &schema);
    for (title, name) in TABLES {
        page.push_str(&format!("\n## `{title}`\n\n"));
        properties(&mut page, &definitions[name]);
    }
    page.push_str("\n## Values\n");
    for (name, definition) in definitions {
        let has_table = TABLES.iter().any(|(_, table)| table == name);
        if !has_table && elsewhere(name).is_none() && needs_section(definition) {
            value(&mut page, name, definition);
        }
    }
    page
}

fn elsewhere(name: &str) -> Option<&'static str> {
    let entry = ELSEWHERE.iter().find(|(definition, _)| *definition == name);
    entry.map(|(_, link)| *link)
}

/// Whether a definition says more than the name of a type.
fn needs_section(definition: &Value) -> bool {
    definition.get("description").is_some()
}

/// Adds the section of one type of value.
fn value(page: &mut String, name: &str, definition: &Value) {
    page.push_str(&format!("\n### {name}\n\n{}\n\n", description(definition)));
    if definition.get("properties").is_some() {
        properties(page, definition);
    } else if let Some(choices) = constants(definition) {
        page.push_str("| value | meaning |\n| --- | --- |\n");
        for choice in choices {
            let value = toml(&choice["const"]);
            page.push_str(&format!("| `{value}` | {} |\n", description(choice)));
        }
    } else {
        page.push_str(&format!("Type: {}\n", type_of(definition)));
        if let Some(examples) = definition["examples"].as_array() {
            let examples: Vec<String> = examples.iter().map(|e| format!("`{}`", toml(e))).collect();
            page.push_str(&format!("\nExamples: {}\n", examples.join(", ")));
        }
    }
}

/// Adds the table of an object's keys.
fn properties(page: &mut String, object: &Value) {
    let required = object["required"].as_array();
    let is_required = |key: &str| required.is_some_and(|all| all.iter().any(|one| one == key));
    page.push_str("| key | type | default | description |\n| --- | --- | --- | --- |\n");
    for (key, property) in object["properties"].as_object().unwrap() {
        let default = match property.get("default") {
            _ if is_required(key) => "required".to_owned(),
            None => String::new(),
            Some(Value::Object(map)) if map.is_empty() => String::new(),
            Some(value) => format!("`{}`", toml(value)),
        };
        page.push_str(&format!(
            "| `{key}` | {} | {default} | {} |\n",
            super::cell(&type_of(property)),
            description(property)
        ));
    }
}

fn description(schema: &Value) -> String {
    super::cell(schema["description"].as_str().unwrap_or_default())
}

/// The alternatives of an enumeration; `None` for anything else.
fn constants(schema: &Value) -> Option<Vec<&Value>> {
    let choices = schema["oneOf"].as_array()?;
    let all = choices.iter().all(|choice| choice.get("const").is_some());
    all.then(|| choices.iter().collect())
}

/// The type of a value as Markdown.
fn type_of(schema: &Value) -> String {
    // Beside a description, a reference is in a list.
    let reference = schema["$ref"].as_str();
    if let Some(reference) = reference.or_else(|| schema["allOf"][0]["$ref"].as_str()) {
        return reference_to(reference.trim_start_matches("#/definitions/"));
    }
    // The `anyOf` of a table says which keys it needs, not which types are possible.
    if schema["type"] == "object" {
        return object_type(schema);
    }
    if let Some(forms) = schema["anyOf"].as_array() {
        return forms.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    match schema["type"].as_str() {
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("array") => format!("list of {}", plural(type_of(&schema["items"]))),
        Some(other) => other.to_owned(),
        None => "any".to_owned(),
    }
}

fn reference_to(name: &str) -> String {
    if let Some(link) = elsewhere(name) {
        return link.to_owned();
    }
    match name {
        "EnvFiles" => "string, table, or list of these".to_owned(),
        "Project" => "[table](#project)".to_owned(),
        "Service" => "[table](#servicesname)".to_owned(),
        other => format!("[{other}](#{})", other.to_lowercase()),
    }
}

fn object_type(schema: &Value) -> String {
    let keys = |properties: &Map<String, Value>| {
        let keys: Vec<String> = properties.keys().map(|key| format!("`{key}`")).collect();
        keys.join(", ")
    };
    match (&schema["properties"], &schema["additionalProperties"]) {
        (Value::Object(properties), _) => format!("table with {}", keys(properties)),
        (_, Value::Object(_)) => {
            format!(
                "table of {}",
                plural(type_of(&schema["additionalProperties"]))
            )
        }
        _ => "table".to_owned(),
    }
}

/// The plural of a plain type. Links and `list of …` stay unchanged.
fn plural(name: String) -> String {
    match name.as_str() {
        "string" | "number" | "table" => format!("{name}s"),
        _ => name,
    }
}

/// A JSON value as TOML writes it.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key} = {}", toml(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        other => other.to_string(),
    }
}
