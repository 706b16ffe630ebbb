//! The gateway's API: everything that the dashboard shows and does, for programs as well.
//!
//! One router, on the gateway's own name and on its control socket. On the name stands a guard
//! before it ([`crate::site`]); the socket is this user's alone. The routes are declared once, in
//! [`routes`]; the router and the OpenAPI description are made from that table.

mod events;
mod forwards;
mod instances;
mod logs;
mod machine;
mod openapi;
mod ports;
mod problem;
mod routes;
mod usage;

use std::fmt;
use std::io;
use std::sync::Arc;

use axum::Router;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use portway_api::{GatewayStatus, InstanceStatus};
use tokio::sync::watch;

use crate::cache::{InstanceCache, InstanceSnapshot};
use crate::forwards::Forwards;
use crate::names;

pub use machine::Operations;
pub use openapi::openapi;
pub(crate) use problem::Problem;

/// As many random bytes nobody guesses.
const TOKEN_BYTES: usize = 32;

/// What answers the API's requests.
#[derive(Clone)]
pub struct Api {
    status: Arc<GatewayStatus>,
    forwards: Forwards,
    cache: InstanceCache,
    machine: Arc<dyn Operations>,
    usage: Arc<usage::Meter>,
    closing: watch::Sender<bool>,
    token: Arc<str>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// The API of the gateway that `status` tells of, which knows `snapshot` and acts by `machine`.
    /// The fixed ports in `status` are those of the gateway before it.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        status: GatewayStatus,
        cache: InstanceCache,
        machine: Arc<dyn Operations>,
    ) -> io::Result<Self> {
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let remembered = status.forwards.clone();
        let forwards = Forwards::remembered(remembered, |port| machine.listen(port));
        Ok(Self {
            status: Arc::new(status),
            forwards,
            cache,
            machine,
            usage: Arc::default(),
            closing: watch::Sender::new(false),
            token: URL_SAFE_NO_PAD.encode(random).into(),
        })
    }

    /// What a request that changes something shows beside its origin. It lives as long as the
    /// gateway, and only the dashboard is told.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// What the gateway is now.
    pub fn status(&self) -> GatewayStatus {
        let mut forwards = self.forwards.all();
        let snapshot = self.cache.snapshot();
        for forward in &mut forwards {
            if let Some(member) = snapshot.get(&forward.id) {
                forward.instance.clone_from(&member.status.name);
            }
        }
        GatewayStatus {
            forwards,
            ..(*self.status).clone()
        }
    }

    /// Where fixed ports lead.
    pub(crate) fn forwards(&self) -> &Forwards {
        &self.forwards
    }

    /// Ends every stream of events, so that no connection holds up the gateway's end, and lets the
    /// fixed ports go.
    pub(crate) fn close(&self) {
        self.forwards.close();
        self.closing.send_replace(true);
    }

    /// Waits until the streams shall end.
    async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The sender lives in `self`.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// All instances in `snapshot`, with the URLs of this gateway.
    fn instances(&self, snapshot: &InstanceSnapshot) -> Vec<InstanceStatus> {
        let all = snapshot.all().into_iter();
        let mut all: Vec<InstanceStatus> = all.map(|one| (*one.status).clone()).collect();
        names::fill_gateway_fields(&mut all, &self.status());
        all
    }

    /// Every route of the table.
    pub(crate) fn router(&self) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            router = router.route(route.path, (route.handler)());
        }
        router
            .fallback(async || Problem::no_such_path())
            .method_not_allowed_fallback(async || Problem::no_such_method())
            .with_state(self.clone())
    }
}
