//! The gateway's own surface for commands of this user: HTTP and JSON on a local socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/gateway` | what it is |
//! | `GET /v1/instances` | all instances, as a fresh look shows them |
//! | `POST /v1/stop` | it ends; 202 |

use std::sync::Arc;

use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use portway_api::{GatewayStatus, InstanceStatus};
use tokio::sync::Notify;

use crate::roster::Reader;

/// The surface of the gateway that `status` tells of; `stop` is notified when it is asked to end.
pub fn control(status: GatewayStatus, roster: Reader, stop: Arc<Notify>) -> Router {
    Router::new()
        .route("/v1/gateway", get(async || Json(status)))
        .route(
            "/v1/instances",
            get(async move || {
                let roster = roster.fresh().await;
                let all = roster.all().into_iter();
                let all: Vec<InstanceStatus> = all.map(|one| (*one.status).clone()).collect();
                Json(all)
            }),
        )
        .route(
            "/v1/stop",
            post(async move || {
                stop.notify_one();
                StatusCode::ACCEPTED
            }),
        )
}
