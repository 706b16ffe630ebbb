//! What is answered instead of a result.

use std::io;

use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use portway_api::{ErrorBody, ErrorCode, ErrorInfo};

/// An error on its way to a client.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    error: ErrorInfo,
}

impl Problem {
    /// An error of this code, with the status that goes with it.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::from(ErrorInfo {
            code,
            message: message.into(),
            place: None,
            hints: Vec::new(),
        })
    }

    pub(crate) fn with(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(super) fn no_such_instance() -> Self {
        Self::new(ErrorCode::NotFound, "there is no instance of this id")
    }

    pub(super) fn no_such_path() -> Self {
        let why = "there is no such path; `/v1/openapi.json` tells which there are";
        Self::new(ErrorCode::NotFound, why)
    }

    pub(super) fn no_such_method() -> Self {
        let why = "this path is asked in another way; `/v1/openapi.json` tells how";
        Self::new(ErrorCode::Usage, why).with(StatusCode::METHOD_NOT_ALLOWED)
    }

    pub(super) fn no_port(what: &str) -> Self {
        let why = format!("`{what}` is no port: a port is a number from 1 to 65535");
        Self::new(ErrorCode::Usage, why)
    }

    pub(super) fn silent(error: &io::Error) -> Self {
        let why = format!("the instance does not answer: {error}");
        Self::new(ErrorCode::NotRunning, why)
    }
}

impl From<ErrorInfo> for Problem {
    fn from(error: ErrorInfo) -> Self {
        let status = match error.code {
            ErrorCode::Usage => StatusCode::BAD_REQUEST,
            ErrorCode::Refused => StatusCode::FORBIDDEN,
            ErrorCode::UnknownService | ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::NotRunning | ErrorCode::PortTaken | ErrorCode::RangeFull => {
                StatusCode::CONFLICT
            }
            ErrorCode::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, error }
    }
}

impl From<JsonRejection> for Problem {
    fn from(wrong: JsonRejection) -> Self {
        Self::new(ErrorCode::Usage, wrong.body_text()).with(wrong.status())
    }
}

impl From<PathRejection> for Problem {
    fn from(wrong: PathRejection) -> Self {
        // What is parsed in a path is a port; all else there is text.
        if let PathRejection::FailedToDeserializePathParams(failed) = &wrong
            && let ErrorKind::ParseError { value, .. } = failed.kind()
        {
            return Self::no_port(value);
        }
        Self::new(ErrorCode::Usage, wrong.body_text()).with(wrong.status())
    }
}

impl From<QueryRejection> for Problem {
    fn from(wrong: QueryRejection) -> Self {
        Self::new(ErrorCode::Usage, wrong.body_text()).with(wrong.status())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error })).into_response()
    }
}
