//! The gateway's own surface for commands of this user: HTTP and JSON on a local socket.
//!
//! It is the [`Api`] without a guard, for nobody else can open the socket, and one more request:
//! `POST /v1/stop` ends the gateway; 202.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::Notify;

use crate::api::Api;

/// The surface of the gateway; `stop` is notified when it is asked to end.
pub fn control_router(api: &Api, stop: Arc<Notify>) -> Router {
    api.router().route(
        "/v1/stop",
        post(async move || {
            stop.notify_one();
            StatusCode::ACCEPTED
        }),
    )
}
