//! Fixed ports: which there are, and where they lead.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use portway_api::{ErrorCode, Forward, ForwardTo, InstanceState};

use tokio::time::sleep;

use super::ports::real;
use super::{Api, Problem};
use crate::names::is_http;

/// All of them.
pub(super) async fn list(State(api): State<Api>) -> Json<Vec<Forward>> {
    Json(api.status().forwards)
}

/// Has a port lead to a service.
pub(super) async fn lead(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
    body: Result<Json<ForwardTo>, JsonRejection>,
) -> Result<Json<Forward>, Problem> {
    let (port, Json(to)) = (real(port?.0)?, body?);
    let snapshot = api.cache.refresh().await;
    let member = snapshot.get(&to.id).ok_or_else(Problem::no_such_instance)?;
    match member.status.service(&to.service) {
        Some(service) if !is_http(service) => {
            let why = format!("`{}` does not speak HTTP", to.service);
            return Err(Problem::new(ErrorCode::Usage, why));
        }
        // What of one that rests has never had a port is not known here.
        None if member.status.state != InstanceState::Stopped => {
            let why = format!("there is no service `{}`", to.service);
            return Err(Problem::new(ErrorCode::UnknownService, why));
        }
        _ => {}
    }
    let forward = Forward {
        port,
        id: to.id,
        instance: member.status.name.clone(),
        service: to.service,
        trouble: None,
    };
    let (told, forwards) = (forward.clone(), api.forwards.clone());
    api.on_machine(move |machine| forwards.lead(told, |port| machine.listen(port)))
        .await?;
    api.remember().await?;
    Ok(Json(forward))
}

/// Lets a port go.
pub(super) async fn end(
    State(api): State<Api>,
    port: Result<Path<u16>, PathRejection>,
) -> Result<Json<Forward>, Problem> {
    let port = real(port?.0)?;
    let forwards = api.forwards.clone();
    let ended = api.on_machine(move |_| Ok(forwards.end(port))).await?;
    let Some(ended) = ended else {
        let why = format!("port {port} is not forwarded");
        return Err(Problem::new(ErrorCode::NothingThere, why));
    };
    api.remember().await?;
    Ok(Json(ended))
}

/// How often the gateway looks after what it has.
const TEND_EVERY: Duration = Duration::from_secs(2);

impl Api {
    /// Tries again to have the fixed ports that could not be had, and has remembered anew what was
    /// lost of what the gateway says of itself.
    pub(crate) async fn tend(&self) {
        loop {
            sleep(TEND_EVERY).await;
            let (api, forwards) = (self.clone(), self.forwards.clone());
            // Neither is of use to anybody when it fails; it is tried again.
            let _ = self
                .on_machine(move |machine| {
                    forwards.retry(|port| machine.listen(port));
                    machine.save_status(&api.status())
                })
                .await;
        }
    }

    /// Has the fixed ports remembered, as they are now.
    async fn remember(&self) -> Result<(), Problem> {
        let api = self.clone();
        self.on_machine(move |machine| machine.save_status(&api.status()))
            .await
    }
}
