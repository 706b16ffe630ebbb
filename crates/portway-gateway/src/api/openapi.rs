//! The API's description in OpenAPI 3.1, made from the table of routes and the types.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use portway_api::ErrorBody;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::routes::{self, Answer, Parameter, Route, SchemaOf};

/// The description, as JSON text.
pub fn openapi() -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in routes::all() {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method] = operation(&route, &mut generator);
    }
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portway",
            "version": "1",
            "description": "The gateway's API, on its own name and on its control socket. On the \
                name, requests of other origins are refused, and those that change something need \
                the token that the dashboard carries in its head.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": "http://portway.localhost:{port}",
            "variables": { "port": { "default": "7678", "description": "the gateway's port" } },
        }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": crate::site::TOKEN },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&description).unwrap_or_default();
    text.push('\n');
    text
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
    });
    if !route.parameters.is_empty() {
        operation["parameters"] = route.parameters.iter().map(parameter).collect();
    }
    if let Some(request) = route.request {
        operation["requestBody"] = json!({
            "required": true,
            "content": content("application/json", request, generator),
        });
        operation["security"] = json!([{ "token": [] }]);
    }
    let (status, done) = match &route.response {
        Answer::Accepted => ("202", json!({ "description": "it is being done" })),
        Answer::Description => (
            "200",
            json!({ "description": "done", "content": { "application/json": {} } }),
        ),
        Answer::Json(schema) => (
            "200",
            json!({
                "description": "done",
                "content": content("application/json", *schema, generator),
            }),
        ),
        Answer::Events(schema) => (
            "200",
            json!({
                "description": "server-sent events; the data of each is of this schema",
                "content": content("text/event-stream", *schema, generator),
            }),
        ),
    };
    let error: SchemaOf = |generator| generator.subschema_for::<ErrorBody>();
    operation["responses"] = json!({
        status: done,
        "default": {
            "description": "it was not done, and why",
            "content": content("application/json", error, generator),
        },
    });
    operation
}

fn content(media: &str, schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    json!({ media: { "schema": schema(generator) } })
}

fn parameter(parameter: &Parameter) -> Value {
    json!({
        "name": parameter.name,
        "in": if parameter.in_path { "path" } else { "query" },
        "required": parameter.in_path,
        "description": parameter.about,
        "schema": { "type": parameter.kind },
    })
}

/// `post /v1/ports/{port}/free` is `postPortsPortFree`.
fn name(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && *word != "v1");
    let words = words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    route.method.to_owned() + &words.collect::<String>()
}

/// Answers the description.
pub(super) async fn serve() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_committed_description_is_the_one_of_these_routes() {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/openapi.json");
        if std::env::var_os("PORTWAY_UPDATE").is_some() {
            fs::write(&committed, openapi()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&committed).unwrap(),
            openapi(),
            "`cargo xtask schema` writes it anew"
        );
    }

    /// Everything that a part of the description refers to.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(target) if name == "$ref" => {
                            found.insert(target.to_owned());
                        }
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_name_is_given_once() {
        let description: Value = serde_json::from_str(&openapi()).unwrap();
        let mut found = BTreeSet::new();
        references(&description, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        let names: BTreeSet<String> = routes::all().iter().map(name).collect();
        assert_eq!(names.len(), routes::all().len());
    }

    #[test]
    fn the_parameters_of_a_path_are_those_that_it_names() {
        for route in routes::all() {
            for parameter in route.parameters.iter().filter(|one| one.in_path) {
                let named = format!("{{{}}}", parameter.name);
                assert!(route.path.contains(&named), "{} {named}", route.path);
            }
            let named = route.path.matches('{').count();
            let told = route.parameters.iter().filter(|one| one.in_path).count();
            assert_eq!(named, told, "{}", route.path);
        }
    }
}
