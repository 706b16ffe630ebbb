//! The types of the route table.

use axum::routing::MethodRouter;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::Api;

/// The header that contains the dashboard's token.
pub(crate) const TOKEN_HEADER: &str = "portway-token";

/// One route of the API.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// One sentence in the imperative, without a final period.
    pub(super) summary: &'static str,
    pub(super) access: Access,
    pub(super) parameters: &'static [Parameter],
    pub(super) request: Option<SchemaOf>,
    pub(super) response: ResponseKind,
    pub(super) handler: fn() -> MethodRouter<Api>,
}

/// The HTTP method of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
}

impl Method {
    /// The method in lower case, as OpenAPI spells it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// The clients that may use a route under the gateway's own name. The control socket has no access
/// checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Every client.
    Read,
    /// Only clients on this machine.
    ReadLocal,
    /// Only clients with the dashboard's token.
    Write,
}

/// Generates the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// Generates the schema of `T`.
pub(super) fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A parameter in a path or a query.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) kind: ParameterKind,
    pub(super) location: ParameterLocation,
}

/// The values that a parameter accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterKind {
    /// Any text.
    Text,
    /// A regular expression.
    Regex,
    /// A port: 1 to 65535.
    Port,
    /// A number of milliseconds or lines: 0 to 2⁶⁴ - 1.
    Number,
}

impl ParameterKind {
    /// Returns the JSON schema of the accepted values.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Regex => json!({ "type": "string", "format": "regex" }),
            Self::Port => json!({ "type": "integer", "minimum": 1, "maximum": u16::MAX }),
            Self::Number => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        }
    }
}

/// Where a parameter is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ParameterLocation {
    /// In the path. The parameter is required.
    Path,
    /// In the query. The parameter is optional.
    Query,
}

/// What a route returns on success.
pub(super) enum ResponseKind {
    /// 200 with JSON.
    Json(SchemaOf),
    /// 200 with a stream of server-sent events that contain JSON.
    Events(SchemaOf),
    /// 202 without a body.
    Accepted,
    /// 200 with the OpenAPI description.
    OpenApi,
}
