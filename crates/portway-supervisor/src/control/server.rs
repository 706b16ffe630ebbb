//! The server of a control socket.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{self, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use portway_api::{
    ApplyRequest, ChangePlan, ErrorBody, Event, InstanceEnvironment, InstanceStatus,
    ServiceSelection,
};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use super::attach;
use super::refusal::{gone, unknown_service};
use crate::platform;
use crate::supervisor::{Handle, Request};

/// A running server of a control socket.
#[derive(Debug)]
pub struct ControlServer {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl ControlServer {
    /// Stops the server and removes the socket.
    pub fn close(self) {
        self.task.abort();
        // The next supervisor replaces a socket that cannot be removed.
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves the API of `handle` at `path`. The caller holds the instance's lock, so an existing socket
/// is stale.
pub(crate) fn serve(path: &Path, handle: Handle) -> io::Result<ControlServer> {
    let router = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/events", get(events))
        .route("/v1/changes", get(changes))
        .route("/v1/start", post(start))
        .route("/v1/restart", post(restart))
        .route("/v1/stop", post(stop))
        .route("/v1/release", post(release))
        .route("/v1/kill", post(kill))
        .route("/v1/apply", post(apply))
        .route("/v1/environment", get(environment))
        .route("/v1/attach", post(attach::attach))
        .route("/v1/manifest", get(manifest))
        .with_state(handle);
    serve_router(path, router)
}

/// Serves `router` on a local socket at `path`, for this user only. The caller holds the lock of
/// the path's server, so an existing socket is stale.
///
/// # Errors
/// When the socket cannot be created.
pub fn serve_router(path: &Path, router: Router) -> io::Result<ControlServer> {
    let listener = platform::ControlListener::bind(path)?;
    let task = tokio::spawn(async move {
        // The server runs until the task is aborted.
        let _ = axum::serve(listener, router).await;
    });
    Ok(ControlServer {
        task,
        path: path.to_owned(),
    })
}

async fn status(State(handle): State<Handle>) -> Json<InstanceStatus> {
    Json(handle.checked_status().await)
}

async fn environment(
    State(handle): State<Handle>,
) -> Result<Json<InstanceEnvironment>, (StatusCode, Json<ErrorBody>)> {
    handle.environment().await.map(Json).ok_or_else(gone)
}

async fn manifest(State(handle): State<Handle>) -> Json<String> {
    Json(handle.manifest())
}

async fn apply(
    State(handle): State<Handle>,
    Json(request): Json<ApplyRequest>,
) -> Result<Json<ChangePlan>, (StatusCode, Json<ErrorBody>)> {
    match handle.apply(request).await {
        Some(Ok(plan)) => Ok(Json(plan)),
        Some(Err(error)) => Err((StatusCode::CONFLICT, Json(ErrorBody { error }))),
        None => Err(gone()),
    }
}

async fn events(
    State(handle): State<Handle>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    // Subscribing before reading the status ensures that no event is missed between the two.
    let events = BroadcastStream::new(handle.events());
    let first = tokio_stream::once(Event::Status(Box::new(handle.status())));
    // A subscriber that falls behind misses lines of logs, never the latest status.
    let later =
        events.map(move |event| event.unwrap_or_else(|_| Event::Status(Box::new(handle.status()))));
    Sse::new(first.chain(later).map(to_sse))
}

/// Sends the status and its changes. A subscriber that falls behind gets the latest status.
async fn changes(
    State(handle): State<Handle>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let events = BroadcastStream::new(handle.events());
    let first = tokio_stream::once(Event::Status(Box::new(handle.status())));
    let later = events.filter_map(move |event| match event {
        Ok(status @ Event::Status(_)) => Some(status),
        Ok(_) => None,
        Err(_) => Some(Event::Status(Box::new(handle.status()))),
    });
    Sse::new(first.chain(later).map(to_sse))
}

fn to_sse(event: Event) -> Result<sse::Event, Infallible> {
    let text = serde_json::to_string(&event).unwrap_or_default();
    Ok(sse::Event::default().data(text))
}

type Response = Result<StatusCode, (StatusCode, Json<ErrorBody>)>;

/// Validates the service names, then sends the request.
fn send(
    handle: &Handle,
    services: ServiceSelection,
    request: fn(Vec<String>) -> Request,
) -> Response {
    let unknown = services
        .services
        .iter()
        .find(|name| !handle.has_service(name));
    if let Some(name) = unknown {
        return Err(unknown_service(name));
    }
    handle.send(request(services.services));
    Ok(StatusCode::ACCEPTED)
}

async fn start(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Response {
    send(&handle, services, Request::Start)
}

async fn restart(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Response {
    send(&handle, services, Request::Restart)
}

async fn stop(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Response {
    send(&handle, services, Request::Stop)
}

async fn release(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Response {
    send(&handle, services, Request::Release)
}

async fn kill(State(handle): State<Handle>) -> StatusCode {
    handle.send(Request::Kill);
    StatusCode::ACCEPTED
}
