//! Routes that show which processes use ports, and free them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use portway_api::{FreePortRequest, FreeReport, PortMap, PortReport};

use super::{Api, ApiError};

/// Returns the port ranges and the use of every port.
pub(super) async fn map(State(api): State<Api>) -> Result<Json<PortMap>, ApiError> {
    let map = api.run_blocking(|operations| operations.port_map());
    Ok(Json(map.await?))
}

/// Returns the use of one port.
pub(super) async fn report(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
) -> Result<Json<PortReport>, ApiError> {
    let port = checked(port?)?;
    let report = api.run_blocking(move |operations| operations.port_report(port));
    Ok(Json(report.await?))
}

/// Frees a port.
pub(super) async fn free(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
    body: Result<Json<FreePortRequest>, JsonRejection>,
) -> Result<Json<FreeReport>, ApiError> {
    let port = checked(port?)?;
    let dry_run = body?.dry_run;
    let freed = api.run_blocking(move |operations| operations.free_port(port, dry_run));
    Ok(Json(freed.await?))
}

/// Rejects port 0.
pub(super) fn checked(Path(port): Path<u16>) -> Result<u16, ApiError> {
    match port {
        0 => Err(ApiError::invalid_port("0")),
        port => Ok(port),
    }
}
