//! The table of all routes. The router and the OpenAPI description are generated from it.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use portway_api::{
    Forward, ForwardTarget, FreePortRequest, FreeReport, GatewayEvent, GatewayStatus,
    InstanceStatus, LogRecord, PortMap, PortReport, ServiceSelection,
};

use super::route::{
    Access, Method, Parameter, ParameterKind, ParameterLocation, ResponseKind, Route, SchemaOf,
    schema_of,
};
use super::{Api, events, forwards, instances, logs, openapi, ports};

const ID: Parameter = path_parameter("id", ParameterKind::Text, "The id of the instance");
const PORT: Parameter = path_parameter("port", ParameterKind::Port, "The port, 1 to 65535");
const LOG_PARAMETERS: [Parameter; 5] = [
    ID,
    query_parameter(
        "service",
        ParameterKind::Text,
        "Return only lines of this service",
    ),
    query_parameter(
        "since",
        ParameterKind::Number,
        "Return only lines from this time on, in milliseconds since 1970-01-01 UTC",
    ),
    query_parameter(
        "grep",
        ParameterKind::Regex,
        "Return only lines that match this regular expression, in the syntax of the Rust crate \
         `regex-lite`",
    ),
    query_parameter(
        "tail",
        ParameterKind::Number,
        "Return at most this many lines, counted from the end. The default is 1000. A larger number \
         than 10000 counts as 10000",
    ),
];

const fn path_parameter(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> Parameter {
    Parameter {
        name,
        description,
        kind,
        location: ParameterLocation::Path,
    }
}

const fn query_parameter(
    name: &'static str,
    kind: ParameterKind,
    description: &'static str,
) -> Parameter {
    Parameter {
        name,
        description,
        kind,
        location: ParameterLocation::Query,
    }
}

/// A route that returns data.
fn read(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    response: ResponseKind,
    handler: fn() -> MethodRouter<Api>,
) -> Route {
    Route {
        method: Method::Get,
        path,
        summary,
        access: Access::Read,
        parameters,
        request: None,
        response,
        handler,
    }
}

/// A route that changes something.
fn write(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    request: Option<SchemaOf>,
    response: ResponseKind,
    handler: fn() -> MethodRouter<Api>,
) -> Route {
    Route {
        method: Method::Post,
        path,
        summary,
        access: Access::Write,
        parameters,
        request,
        response,
        handler,
    }
}

impl Route {
    /// Restricts a route that returns data to clients on this machine.
    fn local(self) -> Self {
        Self {
            access: Access::ReadLocal,
            ..self
        }
    }
}

/// Returns all routes.
pub(super) fn all() -> Vec<Route> {
    vec![
        read(
            "/v1/openapi.json",
            "Get this description",
            &[],
            ResponseKind::OpenApi,
            || get(serve_description),
        ),
        read(
            "/v1/gateway",
            "Get the status of the gateway",
            &[],
            ResponseKind::Json(schema_of::<GatewayStatus>),
            || get(instances::gateway),
        ),
        read(
            "/v1/instances",
            "List all instances of this user",
            &[],
            ResponseKind::Json(schema_of::<Vec<InstanceStatus>>),
            || get(instances::list),
        ),
        read(
            "/v1/events",
            "Stream all instances after each change, and their resource usage every two seconds",
            &[],
            ResponseKind::Events(schema_of::<GatewayEvent>),
            || get(events::events),
        ),
        read(
            "/v1/instances/{id}/logs",
            "Get the last log lines of an instance",
            &LOG_PARAMETERS,
            ResponseKind::Json(schema_of::<Vec<LogRecord>>),
            || get(logs::last),
        )
        .local(),
        read(
            "/v1/instances/{id}/logs/follow",
            "Stream the last log lines of an instance and each new one, across restarts",
            &LOG_PARAMETERS,
            ResponseKind::Events(schema_of::<LogRecord>),
            || get(logs::follow),
        )
        .local(),
        write(
            "/v1/instances/{id}/start",
            "Start services; if the instance is not running, return when they are ready",
            &[ID],
            Some(schema_of::<ServiceSelection>),
            ResponseKind::Accepted,
            || post(instances::start),
        ),
        write(
            "/v1/instances/{id}/stop",
            "Stop services; the instance stops with its last service",
            &[ID],
            Some(schema_of::<ServiceSelection>),
            ResponseKind::Accepted,
            || post(instances::stop),
        ),
        write(
            "/v1/instances/{id}/restart",
            "Restart services on the same ports",
            &[ID],
            Some(schema_of::<ServiceSelection>),
            ResponseKind::Accepted,
            || post(instances::restart),
        ),
        read(
            "/v1/forwards",
            "List the fixed ports and the services they route to",
            &[],
            ResponseKind::Json(schema_of::<Vec<Forward>>),
            || get(forwards::list),
        ),
        write(
            "/v1/forwards/{port}",
            "Add a fixed port, or change the service it routes to",
            &[PORT],
            Some(schema_of::<ForwardTarget>),
            ResponseKind::Json(schema_of::<Forward>),
            || post(forwards::set),
        ),
        write(
            "/v1/forwards/{port}/end",
            "Remove a fixed port",
            &[PORT],
            None,
            ResponseKind::Json(schema_of::<Forward>),
            || post(forwards::remove),
        ),
        read(
            "/v1/ports",
            "Get the port ranges and the use of every port",
            &[],
            ResponseKind::Json(schema_of::<PortMap>),
            || get(ports::map),
        ),
        read(
            "/v1/ports/{port}",
            "Get the process that is using a port",
            &[PORT],
            ResponseKind::Json(schema_of::<PortReport>),
            || get(ports::report),
        ),
        write(
            "/v1/ports/{port}/free",
            "Stop what is using a port, or show what would be stopped",
            &[PORT],
            Some(schema_of::<FreePortRequest>),
            ResponseKind::Json(schema_of::<FreeReport>),
            || post(ports::free),
        ),
    ]
}

/// Returns the description of all routes.
async fn serve_description() -> impl IntoResponse {
    let description = openapi::describe(&all());
    ([(CONTENT_TYPE, "application/json")], description)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_committed_openapi_description_is_current() {
        let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/openapi.json");
        let description = openapi::describe(&all());
        if std::env::var_os("PORTWAY_UPDATE").is_some() {
            fs::write(&committed, &description).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&committed).unwrap(),
            description,
            "run `cargo xtask schema` to update it"
        );
    }

    /// Collects all references in a part of the description.
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
    fn openapi_references_and_operation_ids_are_valid() {
        let routes = all();
        let description: Value = serde_json::from_str(&openapi::describe(&routes)).unwrap();
        let mut found = BTreeSet::new();
        references(&description, &mut found);
        assert!(found.len() > 10, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
        let ids: BTreeSet<String> = routes.iter().map(openapi::operation_id).collect();
        assert_eq!(ids.len(), routes.len());
    }

    #[test]
    fn the_schema_of_a_number_has_its_limits() {
        let routes = all();
        let numbers = routes.iter().flat_map(|route| route.parameters);
        let numbers = numbers.filter(|one| one.kind.schema()["type"] == "integer");
        let mut found = BTreeSet::new();
        for number in numbers {
            let schema = number.kind.schema();
            let (minimum, maximum) = (&schema["minimum"], &schema["maximum"]);
            let limits = (minimum.as_u64().unwrap(), maximum.as_u64().unwrap());
            found.insert((number.name, limits));
        }
        let expected = [
            ("port", (1, 65535)),
            ("since", (0, u64::MAX)),
            ("tail", (0, u64::MAX)),
        ];
        assert_eq!(found, BTreeSet::from(expected));
    }

    #[test]
    fn path_parameters_match_their_paths() {
        for route in all() {
            let in_path = |one: &&Parameter| one.location == ParameterLocation::Path;
            let parameters: Vec<_> = route.parameters.iter().filter(in_path).collect();
            for parameter in &parameters {
                let placeholder = format!("{{{}}}", parameter.name);
                assert!(
                    route.path.contains(&placeholder),
                    "{} {placeholder}",
                    route.path
                );
            }
            let placeholders = route.path.matches('{').count();
            assert_eq!(placeholders, parameters.len(), "{}", route.path);
        }
    }

    #[test]
    fn every_change_requires_the_token_and_logs_are_local() {
        for route in all() {
            let expected = match (route.method, &route.response) {
                (Method::Post, _) => Access::Write,
                (Method::Get, _) if route.parameters.len() == LOG_PARAMETERS.len() => {
                    Access::ReadLocal
                }
                (Method::Get, _) => Access::Read,
            };
            assert_eq!(route.access, expected, "{}", route.path);
        }
    }
}
