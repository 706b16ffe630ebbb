//! The JSON schema of the manifest, in the form that editors and SchemaStore accept.
//!
//! Draft 07 is the newest draft that all editors support. TOML has no null, so that no value can be null:
//! a key without a value is absent.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use serde_json::{Value, json};

use super::Manifest;

/// The ID of the schema: where SchemaStore serves it.
pub const SCHEMA_URL: &str = "https://www.schemastore.org/portway.json";

impl Manifest {
    /// The JSON schema of `portway.toml`, as in `schema/portway.schema.json`.
    pub fn json_schema() -> String {
        let settings = SchemaSettings::draft07().with_transform(as_in_toml);
        let mut schema = settings.into_generator().into_root_schema_for::<Self>();
        schema.insert("$id".to_owned(), json!(SCHEMA_URL));
        let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Removes null from the types, the alternatives and the defaults of a schema, and the formats of integers,
/// which are those of Rust.
fn as_in_toml(schema: &mut Schema) {
    transform_subschemas(&mut as_in_toml, schema);
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = &types[..] {
            let one = one.clone();
            schema.insert("type".to_owned(), one);
        }
    }
    if schema.get("type").is_some_and(|name| name == "integer") {
        schema.remove("format");
    }
    let Some(Value::Array(forms)) = schema.get_mut("anyOf") else {
        return;
    };
    let is_null = |form: &Value| form.get("type").is_some_and(|name| name == "null");
    let count = forms.len();
    forms.retain(|form| !is_null(form));
    if forms.len() < count
        && let [Value::Object(one)] = &forms[..]
    {
        let one = one.clone();
        schema.remove("anyOf");
        // Draft 07 ignores what is beside a `$ref`.
        match one.contains_key("$ref") && !schema.ensure_object().is_empty() {
            true => schema.insert("allOf".to_owned(), json!([one])),
            false => {
                schema.ensure_object().extend(one);
                None
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transformed(value: Value) -> Value {
        let mut schema = Schema::try_from(value).unwrap();
        as_in_toml(&mut schema);
        schema.to_value()
    }

    #[test]
    fn nothing_can_be_null() {
        assert_eq!(
            transformed(json!({ "type": ["string", "null"], "default": null })),
            json!({ "type": "string" })
        );
        assert_eq!(
            transformed(json!({ "type": ["integer", "null"], "format": "uint32" })),
            json!({ "type": "integer" })
        );
        let optional = json!([{ "$ref": "#/definitions/A" }, { "type": "null" }]);
        assert_eq!(
            transformed(json!({ "properties": { "a": { "anyOf": optional } } })),
            json!({ "properties": { "a": { "$ref": "#/definitions/A" } } })
        );
        assert_eq!(
            transformed(json!({ "description": "An A.", "anyOf": optional })),
            json!({ "description": "An A.", "allOf": [{ "$ref": "#/definitions/A" }] })
        );
        let forms = json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] });
        assert_eq!(transformed(forms.clone()), forms);
        assert!(!Manifest::json_schema().contains("null"));
    }

    #[test]
    fn has_the_draft_and_the_id_that_schemastore_expects() {
        let schema: Value = serde_json::from_str(&Manifest::json_schema()).unwrap();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#");
        assert_eq!(schema["$id"], SCHEMA_URL);
    }
}
