//! The serving side.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{self, Sse};
use axum::routing::{get, post};
use axum::{Json, Router};
use portway_api::{ErrorBody, ErrorCode, ErrorInfo, Event, InstanceStatus, ServiceSelection};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

use crate::platform;
use crate::supervisor::{Handle, Request};

/// A control socket that is served.
#[derive(Debug)]
pub struct ControlServer {
    task: JoinHandle<()>,
    path: PathBuf,
}

impl ControlServer {
    /// Stops serving and takes the socket away.
    pub fn close(self) {
        self.task.abort();
        let _ = fs::remove_file(&self.path);
    }
}

/// Serves `handle` at `path`. The caller has the instance's lock, so a socket that lies there is
/// stale.
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
        .with_state(handle);
    serve_router(path, router)
}

/// Serves any router at `path`, for this user alone. The caller has a lock that nobody else holds
/// who serves there, so a socket that lies there is stale.
///
/// # Errors
/// When the socket cannot be made.
pub fn serve_router(path: &Path, router: Router) -> io::Result<ControlServer> {
    let listener = platform::ControlListener::bind(path)?;
    let task = tokio::spawn(async move {
        // It serves until it is aborted.
        let _ = axum::serve(listener, router).await;
    });
    Ok(ControlServer {
        task,
        path: path.to_owned(),
    })
}

async fn status(State(handle): State<Handle>) -> Json<InstanceStatus> {
    Json(handle.status())
}

async fn events(
    State(handle): State<Handle>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    // Subscribed before the status is read: nothing falls between the two.
    let later = BroadcastStream::new(handle.events()).filter_map(Result::ok);
    let first = tokio_stream::once(Event::Status(handle.status()));
    Sse::new(first.chain(later).map(sent))
}

/// The statuses alone. None is missed: whoever falls behind is told what is true then.
async fn changes(
    State(handle): State<Handle>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let events = BroadcastStream::new(handle.events());
    let first = tokio_stream::once(Event::Status(handle.status()));
    let later = events.filter_map(move |event| match event {
        Ok(status @ Event::Status(_)) => Some(status),
        Ok(_) => None,
        Err(_) => Some(Event::Status(handle.status())),
    });
    Sse::new(first.chain(later).map(sent))
}

fn sent(event: Event) -> Result<sse::Event, Infallible> {
    let text = serde_json::to_string(&event).unwrap_or_default();
    Ok(sse::Event::default().data(text))
}

type Answer = Result<StatusCode, (StatusCode, Json<ErrorBody>)>;

/// Refuses names that do not exist, then asks.
fn ask(handle: &Handle, services: ServiceSelection, request: fn(Vec<String>) -> Request) -> Answer {
    let unknown = services
        .services
        .iter()
        .find(|name| !handle.has_service(name));
    if let Some(name) = unknown {
        let error = ErrorInfo {
            code: ErrorCode::UnknownService,
            message: format!("there is no service `{name}` in this instance"),
            place: None,
            hints: vec![
                "`portway ps` lists its services; after a change of `portway.toml`, \
                 `portway down` and `portway up` take it over"
                    .into(),
            ],
        };
        return Err((StatusCode::NOT_FOUND, Json(ErrorBody { error })));
    }
    handle.send(request(services.services));
    Ok(StatusCode::ACCEPTED)
}

async fn start(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Answer {
    ask(&handle, services, Request::Start)
}

async fn restart(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Answer {
    ask(&handle, services, Request::Restart)
}

async fn stop(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Answer {
    ask(&handle, services, Request::Stop)
}

async fn release(State(handle): State<Handle>, Json(services): Json<ServiceSelection>) -> Answer {
    ask(&handle, services, Request::Release)
}

async fn kill(State(handle): State<Handle>) -> StatusCode {
    handle.send(Request::Kill);
    StatusCode::ACCEPTED
}
