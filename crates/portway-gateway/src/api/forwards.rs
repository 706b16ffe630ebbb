//! Routes that list, change and remove fixed ports.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use portway_api::{ErrorCode, Forward, ForwardTarget, InstanceState};
use tokio::time::sleep;

use super::ports::checked;
use super::{Api, ApiError};
use crate::names::is_http;

/// Interval between two attempts to open the fixed ports that could not be opened, and to restore
/// the saved status.
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(2);

/// Lists all fixed ports.
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<Forward>> {
    Json(api.status().forwards)
}

/// Sets the target of a fixed port.
pub(super) async fn set(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
    body: Result<Json<ForwardTarget>, JsonRejection>,
) -> Result<Json<Forward>, ApiError> {
    let (port, Json(ForwardTarget { id, service })) = (checked(port?)?, body?);
    let instance = api.instance(&id).await?;
    match instance.status.service(&service) {
        Some(found) if !is_http(found) => {
            let message = format!("`{service}` is not an HTTP service");
            return Err(ApiError::new(ErrorCode::Usage, message));
        }
        // A stopped instance reports only services that once had a port.
        None if instance.status.state != InstanceState::Stopped => {
            return Err(ApiError::unknown_service(&service, &instance.status.name));
        }
        _ => {}
    }
    let forward = Forward {
        port,
        id,
        instance: instance.status.name.clone(),
        service,
        trouble: None,
    };
    let (new, forwards) = (forward.clone(), api.forwards.clone());
    api.run_blocking(move |operations| forwards.set(new, |port| operations.listen(port)))
        .await?;
    api.save_status().await?;
    Ok(Json(forward))
}

/// Removes a fixed port.
pub(super) async fn remove(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
) -> Result<Json<Forward>, ApiError> {
    let port = checked(port?)?;
    let forwards = api.forwards.clone();
    let removed = api.run_blocking(move |_| Ok(forwards.remove(port))).await?;
    let Some(removed) = removed else {
        let message = format!("port {port} is not a fixed port");
        return Err(ApiError::new(ErrorCode::NotFound, message));
    };
    api.save_status().await?;
    Ok(Json(removed))
}

impl Api {
    /// Periodically tries to open the fixed ports that could not be opened, and saves the status
    /// again, in case its file was deleted. Never returns.
    pub(crate) async fn maintain(&self) {
        loop {
            sleep(MAINTENANCE_INTERVAL).await;
            let (api, forwards) = (self.clone(), self.forwards.clone());
            // After an error, the next round tries again.
            let _ = self
                .run_blocking(move |operations| {
                    forwards.retry(|port| operations.listen(port));
                    operations.save_status(&api.status())
                })
                .await;
        }
    }

    /// Saves the status of the gateway, which contains its fixed ports.
    async fn save_status(&self) -> Result<(), ApiError> {
        let api = self.clone();
        self.run_blocking(move |operations| operations.save_status(&api.status()))
            .await
    }
}
