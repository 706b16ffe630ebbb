//! Generates the OpenAPI 3.1 description of the API from the route table.

use portway_api::ErrorBody;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::route::{
    Access, Parameter, ParameterLocation, ResponseKind, Route, SchemaOf, TOKEN_HEADER, schema_of,
};

/// Returns the description of `routes` as JSON.
pub(super) fn describe(routes: &[Route]) -> String {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for route in routes {
        let operations = paths.entry(route.path).or_insert_with(|| json!({}));
        operations[route.method.name()] = operation(route, &mut generator);
    }
    let description = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Portway",
            "version": "1",
            "description": "The API of the Portway gateway, on the gateway's own name and on its \
                control socket. On the name, the gateway rejects cross-origin requests, and \
                requests that change something require the token in the head of the dashboard's \
                page.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": "http://portway.localhost:{port}",
            "variables": {
                "port": { "default": "7678", "description": "The port of the gateway" },
            },
        }],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "token": { "type": "apiKey", "in": "header", "name": TOKEN_HEADER },
            },
        },
    });
    let mut text = serde_json::to_string_pretty(&description).unwrap_or_default();
    text.push('\n');
    text
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
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
    }
    if route.access == Access::Write {
        operation["security"] = json!([{ "token": [] }]);
    }
    let (status, success) = match &route.response {
        ResponseKind::Accepted => ("202", json!({ "description": "Accepted" })),
        ResponseKind::OpenApi => (
            "200",
            json!({ "description": "Success", "content": { "application/json": {} } }),
        ),
        ResponseKind::Json(schema) => (
            "200",
            json!({
                "description": "Success",
                "content": content("application/json", *schema, generator),
            }),
        ),
        ResponseKind::Events(schema) => (
            "200",
            json!({
                "description": "Server-sent events whose data has this schema",
                "content": content("text/event-stream", *schema, generator),
            }),
        ),
    };
    operation["responses"] = json!({
        status: success,
        "default": {
            "description": "Error",
            "content": content("application/json", schema_of::<ErrorBody>, generator),
        },
    });
    operation
}

fn content(media_type: &str, schema: SchemaOf, generator: &mut SchemaGenerator) -> Value {
    json!({ media_type: { "schema": schema(generator) } })
}

fn parameter(parameter: &Parameter) -> Value {
    let (location, is_required) = match parameter.location {
        ParameterLocation::Path => ("path", true),
        ParameterLocation::Query => ("query", false),
    };
    json!({
        "name": parameter.name,
        "in": location,
        "required": is_required,
        "description": parameter.description,
        "schema": parameter.kind.schema(),
    })
}

/// Derives the id of an operation: `post /v1/ports/{port}/free` becomes `postPortsPortFree`.
pub(super) fn operation_id(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty() && *word != "v1");
    let words = words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]);
    route.method.name().to_owned() + &words.collect::<String>()
}
