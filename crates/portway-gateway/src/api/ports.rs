//! Ports: who has them, and how one is freed.

use std::sync::Arc;
use std::thread;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use portway_api::{ErrorCode, ErrorInfo, FreePort, Freed, PortMap, PortReport};
use tokio::sync::oneshot;

use super::machine::Operations;
use super::{Api, Problem};

/// The map of the ports.
pub(super) async fn map(State(api): State<Api>) -> Result<Json<PortMap>, Problem> {
    Ok(Json(api.on_machine(|machine| machine.port_map()).await?))
}

/// Who has one port.
pub(super) async fn one(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
) -> Result<Json<PortReport>, Problem> {
    let port = real(port?.0)?;
    Ok(Json(
        api.on_machine(move |machine| machine.port_report(port))
            .await?,
    ))
}

/// Frees one port.
pub(super) async fn free(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
    body: Result<Json<FreePort>, JsonRejection>,
) -> Result<Json<Freed>, Problem> {
    let port = real(port?.0)?;
    let dry_run = body?.dry_run;
    let freed = api.on_machine(move |machine| machine.free_port(port, dry_run));
    Ok(Json(freed.await?))
}

/// A port that can be.
pub(super) fn real(port: u16) -> Result<u16, Problem> {
    match port {
        0 => Err(Problem::no_port("0")),
        port => Ok(port),
    }
}

impl Api {
    /// Has the machine do something, on a thread of its own: what takes minutes must hold up
    /// neither other requests nor the gateway's end, as a pool's threads would.
    pub(super) async fn on_machine<T: Send + 'static>(
        &self,
        what: impl FnOnce(Arc<dyn Operations>) -> Result<T, ErrorInfo> + Send + 'static,
    ) -> Result<T, Problem> {
        let machine = self.machine.clone();
        let (answer, answered) = oneshot::channel();
        let thread = thread::Builder::new().name("machine".into());
        let failed = || Problem::new(ErrorCode::Failed, "the gateway has no thread for that");
        thread
            .spawn(move || {
                // Whoever asked may have gone.
                let _ = answer.send(what(machine));
            })
            .map_err(|_| failed())?;
        Ok(answered.await.map_err(|_| failed())??)
    }
}
