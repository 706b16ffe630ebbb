//! The gateway's control socket, for commands of this user: HTTP and JSON on a local socket.
//!
//! It serves the [`Api`] without access checks, because only this user can open the socket, and
//! additionally `POST /v1/stop`, which stops the gateway.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::sync::Notify;

use crate::api::Api;

/// Returns the routes of the control socket. A stop request notifies `stop`.
pub fn control_router(api: &Api, stop: Arc<Notify>) -> Router {
    api.router(|handler, _access| handler).route(
        "/v1/stop",
        post(async move || {
            stop.notify_one();
            StatusCode::ACCEPTED
        }),
    )
}
