//! The gateway's own surface for commands of this user: HTTP and JSON on a local socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/gateway` | what it is |
//! | `POST /v1/stop` | it ends; 202 |

use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use portway_api::GatewayStatus;
use tokio::sync::Notify;

/// The surface of the gateway that `status` tells of; `stop` is notified when it is asked to end.
pub fn control(status: GatewayStatus, stop: Arc<Notify>) -> Router {
    Router::new()
        .route("/v1/gateway", get(async || Json(status)))
        .route(
            "/v1/stop",
            post(async move || {
                stop.notify_one();
                StatusCode::ACCEPTED
            }),
        )
}
