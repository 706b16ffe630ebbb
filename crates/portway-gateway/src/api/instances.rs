//! Instances, and what is done to their services.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use portway_api::{ErrorCode, GatewayStatus, InstanceStatus, Services};
use portway_supervisor::control::Client;

use super::{Api, Problem};
use crate::cache::CachedInstance;

/// What the gateway is.
pub(super) async fn gateway(State(api): State<Api>) -> Json<GatewayStatus> {
    Json(api.status())
}

/// All instances, as a fresh look shows them.
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<InstanceStatus>> {
    let snapshot = api.cache.refresh().await;
    Json(api.instances(&snapshot))
}

type Asked = (
    Result<Path<String>, PathRejection>,
    Result<Json<Services>, JsonRejection>,
);

/// Starts services; of an instance that does not run, by bringing it up.
pub(super) async fn start(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<Services>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let (member, services) = api.asked((id, body)).await?;
    if let Some(client) = client(&member) {
        return ask(&client, "start", &services).await;
    }
    let directory = member.status.directory.clone();
    api.on_machine(move |machine| machine.start_services(&directory, &services))
        .await?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops services; with all of them the instance ends.
pub(super) async fn stop(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<Services>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let (member, services) = api.asked((id, body)).await?;
    ask(&running(&member)?, "stop", &services).await
}

/// Stops services and starts them again.
pub(super) async fn restart(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    body: Result<Json<Services>, JsonRejection>,
) -> Result<StatusCode, Problem> {
    let (member, services) = api.asked((id, body)).await?;
    ask(&running(&member)?, "restart", &services).await
}

impl Api {
    /// The instance and the services that a request is about.
    async fn asked(&self, (id, body): Asked) -> Result<(CachedInstance, Vec<String>), Problem> {
        let (Path(id), Json(body)) = (id?, body?);
        Ok((self.member(&id).await?, body.services))
    }

    /// The instance of this id.
    pub(super) async fn member(&self, id: &str) -> Result<CachedInstance, Problem> {
        let snapshot = self.cache.refresh().await;
        let member = snapshot.get(id).cloned();
        member.ok_or_else(Problem::no_such_instance)
    }
}

/// Its control socket, when it runs.
fn client(member: &CachedInstance) -> Option<Client> {
    member.socket.as_deref().map(Client::new)
}

fn running(member: &CachedInstance) -> Result<Client, Problem> {
    client(member).ok_or_else(|| {
        let why = format!("{} does not run", member.status.name);
        Problem::new(ErrorCode::NotRunning, why)
    })
}

async fn ask(client: &Client, verb: &str, services: &[String]) -> Result<StatusCode, Problem> {
    match client.ask(verb, services).await {
        Ok(answer) => answer?,
        Err(error) => return Err(Problem::silent(&error)),
    }
    Ok(StatusCode::ACCEPTED)
}
