//! Routes that list instances and control their services.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use portway_api::{GatewayStatus, InstanceStatus, ServiceSelection};
use portway_supervisor::control::Client;

use super::{Api, ApiError};
use crate::cache::CachedInstance;

/// Returns the status of the gateway.
pub(super) async fn gateway(State(api): State<Api>) -> Json<GatewayStatus> {
    Json(api.status())
}

/// Lists all instances.
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<InstanceStatus>> {
    let snapshot = api.cache.refresh().await;
    Json(api.instances(&snapshot))
}

/// Starts services. Starts the instance first if it is not running.
pub(super) async fn start(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<ServiceSelection>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let (Path(id), Json(ServiceSelection { services })) = (id?, body?);
    let instance = api.instance(&id).await?;
    if instance.socket.is_some() {
        return send(&instance, "start", &services).await;
    }
    let directory = instance.status.directory.clone();
    api.run_blocking(move |operations| operations.start_services(&directory, &services))
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops services.
pub(super) async fn stop(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<ServiceSelection>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let (Path(id), Json(body)) = (id?, body?);
    send(&api.instance(&id).await?, "stop", &body.services).await
}

/// Restarts services.
pub(super) async fn restart(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<ServiceSelection>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let (Path(id), Json(body)) = (id?, body?);
    send(&api.instance(&id).await?, "restart", &body.services).await
}

/// Sends a command to the supervisor of a running instance.
async fn send(
    instance: &CachedInstance,
    command: &str,
    services: &[String],
) -> Result<StatusCode, ApiError> {
    let name = &instance.status.name;
    let Some(socket) = &instance.socket else {
        return Err(ApiError::not_running(name));
    };
    match Client::new(socket).request(command, services).await {
        Ok(result) => result?,
        Err(error) => return Err(ApiError::not_responding(name, &error)),
    }
    Ok(StatusCode::ACCEPTED)
}
