//! Error responses of the API.

use std::io;

use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use portway_api::{ErrorBody, ErrorCode, ErrorInfo};

/// An error and its HTTP status.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    error: ErrorInfo,
}

impl ApiError {
    /// Creates an error with the status that corresponds to `code`.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::from(ErrorInfo {
            code,
            message: message.into(),
            place: None,
            hints: Vec::new(),
        })
    }

    fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    fn with_hint(mut self, hint: &str) -> Self {
        self.error.hints.push(hint.to_owned());
        self
    }

    pub(super) fn unknown_instance(id: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("no instance has id `{id}`"))
    }

    pub(super) fn unknown_service(service: &str, instance: &str) -> Self {
        let message = format!("`{instance}` has no service `{service}`");
        Self::new(ErrorCode::UnknownService, message)
    }

    pub(super) fn not_running(instance: &str) -> Self {
        Self::new(
            ErrorCode::NotRunning,
            format!("`{instance}` is not running"),
        )
    }

    pub(super) fn not_responding(instance: &str, error: &io::Error) -> Self {
        let message = format!("`{instance}` is not responding: {error}");
        Self::new(ErrorCode::NotRunning, message)
    }

    pub(super) fn unknown_path() -> Self {
        Self::new(ErrorCode::NotFound, "the path does not exist")
            .with_hint("see `/v1/openapi.json` for all paths")
    }

    pub(super) fn wrong_method() -> Self {
        Self::new(ErrorCode::Usage, "the path does not support this method")
            .with_status(StatusCode::METHOD_NOT_ALLOWED)
            .with_hint("see `/v1/openapi.json` for all methods")
    }

    pub(super) fn invalid_port(value: &str) -> Self {
        let message = format!("`{value}` is not a port number from 1 to 65535");
        Self::new(ErrorCode::Usage, message)
    }
}

impl From<ErrorInfo> for ApiError {
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

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::new(ErrorCode::Usage, rejection.body_text()).with_status(rejection.status())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        // Ports are the only parsed parameters of paths.
        if let PathRejection::FailedToDeserializePathParams(failed) = &rejection
            && let ErrorKind::ParseError { value, .. } = failed.kind()
        {
            return Self::invalid_port(value);
        }
        Self::new(ErrorCode::Usage, rejection.body_text()).with_status(rejection.status())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(ErrorCode::Usage, rejection.body_text()).with_status(rejection.status())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(ErrorBody { error: self.error })).into_response()
    }
}
