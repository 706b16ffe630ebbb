//! The responses to requests that cannot be carried out.

use axum::Json;
use axum::http::StatusCode;
use portway_api::{ErrorBody, ErrorCode, ErrorInfo};

/// The error of a request that the supervisor does not answer because it has stopped.
pub(super) fn gone() -> (StatusCode, Json<ErrorBody>) {
    let error = ErrorInfo {
        code: ErrorCode::NotRunning,
        message: "the instance has stopped".to_owned(),
        place: None,
        hints: Vec::new(),
    };
    (StatusCode::CONFLICT, Json(ErrorBody { error }))
}

/// The error of a request that names an unknown service.
pub(super) fn unknown_service(name: &str) -> (StatusCode, Json<ErrorBody>) {
    let error = ErrorInfo {
        code: ErrorCode::UnknownService,
        message: format!("unknown service `{name}`"),
        place: None,
        hints: vec![
            "run `portway ps` to list the services".into(),
            "run `portway up` to apply changes to `portway.toml`".into(),
        ],
    };
    (StatusCode::NOT_FOUND, Json(ErrorBody { error }))
}
