//! Every route of the API, declared once.

use axum::routing::{MethodRouter, get, post};
use portway_api::{
    Forward, ForwardTarget, FreePortRequest, FreeReport, GatewayEvent, GatewayStatus,
    InstanceStatus, LogRecord, PortMap, PortReport, ServiceSelection,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{Api, events, forwards, instances, logs, openapi, ports};

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// One sentence without a full stop.
    pub(super) summary: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) request: Option<SchemaOf>,
    pub(super) response: Answer,
    pub(super) handler: fn() -> MethodRouter<Api>,
}

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter of a path or of a query.
#[derive(Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// Its type, in JSON schema's words.
    pub(super) kind: &'static str,
    /// Whether it stands in the path; else in the query, where it may be left out.
    pub(super) in_path: bool,
}

/// What comes back when all goes well.
pub(super) enum Answer {
    /// 200, and JSON.
    Json(SchemaOf),
    /// 200, and a stream of events whose data are JSON.
    Events(SchemaOf),
    /// 202: it is being done.
    Accepted,
    /// 200, and this very description.
    Description,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn in_path(name: &'static str, kind: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        about,
        kind,
        in_path: true,
    }
}

const fn in_query(name: &'static str, kind: &'static str, about: &'static str) -> Parameter {
    Parameter {
        name,
        about,
        kind,
        in_path: false,
    }
}

const ID: Parameter = in_path("id", "string", "the instance's id");
const PORT: Parameter = in_path("port", "integer", "the port, 1 to 65535");
const LINES: [Parameter; 5] = [
    ID,
    in_query("service", "string", "only lines of this service"),
    in_query(
        "since",
        "integer",
        "only lines from this time on, in milliseconds since 1970-01-01 UTC",
    ),
    in_query(
        "grep",
        "string",
        "only lines that match this regular expression",
    ),
    in_query(
        "tail",
        "integer",
        "at most this many lines from the end; 1000 where it is left out, 10000 at most",
    ),
];

/// All of them.
pub(super) fn all() -> Vec<Route> {
    let look = |path, summary, parameters, response, handler| Route {
        method: "get",
        path,
        summary,
        parameters,
        request: None,
        response,
        handler,
    };
    let act = |path, summary, parameters, request, response, handler| Route {
        method: "post",
        path,
        summary,
        parameters,
        request: Some(request),
        response,
        handler,
    };
    vec![
        look(
            "/v1/openapi.json",
            "this description",
            &[],
            Answer::Description,
            || get(openapi::serve),
        ),
        look(
            "/v1/gateway",
            "what the gateway is",
            &[],
            Answer::Json(of::<GatewayStatus>),
            || get(instances::gateway),
        ),
        look(
            "/v1/instances",
            "all instances of this user",
            &[],
            Answer::Json(of::<Vec<InstanceStatus>>),
            || get(instances::list),
        ),
        look(
            "/v1/events",
            "all instances, again after each change, and every two seconds what their services use",
            &[],
            Answer::Events(of::<GatewayEvent>),
            || get(events::events),
        ),
        look(
            "/v1/instances/{id}/logs",
            "the last lines that services printed",
            &LINES,
            Answer::Json(of::<Vec<LogRecord>>),
            || get(logs::last),
        ),
        look(
            "/v1/instances/{id}/logs/follow",
            "the same lines, then each new one, through ends and starts of the instance",
            &LINES,
            Answer::Events(of::<LogRecord>),
            || get(logs::follow),
        ),
        act(
            "/v1/instances/{id}/start",
            "start services; an instance that does not run is brought up, and the answer comes when it is ready",
            &[ID],
            of::<ServiceSelection>,
            Answer::Accepted,
            || post(instances::start),
        ),
        act(
            "/v1/instances/{id}/stop",
            "stop services; with all of them the instance ends",
            &[ID],
            of::<ServiceSelection>,
            Answer::Accepted,
            || post(instances::stop),
        ),
        act(
            "/v1/instances/{id}/restart",
            "stop services and start them again, each on its own port",
            &[ID],
            of::<ServiceSelection>,
            Answer::Accepted,
            || post(instances::restart),
        ),
        look(
            "/v1/forwards",
            "the gateway's fixed ports, and where they lead",
            &[],
            Answer::Json(of::<Vec<Forward>>),
            || get(forwards::list),
        ),
        act(
            "/v1/forwards/{port}",
            "have a fixed port lead to a service, whatever it led to before",
            &[PORT],
            of::<ForwardTarget>,
            Answer::Json(of::<Forward>),
            || post(forwards::lead),
        ),
        Route {
            request: None,
            ..act(
                "/v1/forwards/{port}/end",
                "let a fixed port go",
                &[PORT],
                of::<ForwardTarget>,
                Answer::Json(of::<Forward>),
                || post(forwards::end),
            )
        },
        look(
            "/v1/ports",
            "the port ranges, and everyone who has a port",
            &[],
            Answer::Json(of::<PortMap>),
            || get(ports::map),
        ),
        look(
            "/v1/ports/{port}",
            "who has a port",
            &[PORT],
            Answer::Json(of::<PortReport>),
            || get(ports::one),
        ),
        act(
            "/v1/ports/{port}/free",
            "end who has a port, safely, or tell what would be ended",
            &[PORT],
            of::<FreePortRequest>,
            Answer::Json(of::<FreeReport>),
            || post(ports::free),
        ),
    ]
}
