//! The gateway's HTTP API, which provides everything that the dashboard shows and does.
//!
//! The same routes are available on the gateway's own name, with the access checks of
//! [`crate::site`], and on the control socket. The table in [`routes`] declares each route once.

mod error;
mod events;
mod forwards;
mod instances;
mod logs;
mod openapi;
mod operations;
mod ports;
mod route;
mod routes;
mod usage;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::routing::MethodRouter;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use portway_api::{ErrorCode, ErrorInfo, GatewayStatus, InstanceStatus};
use tokio::sync::{oneshot, watch};

use crate::cache::{CachedInstance, InstanceCache, InstanceSnapshot};
use crate::forwards::Forwards;
use crate::names;

pub(crate) use error::ApiError;
pub use operations::Operations;
pub(crate) use route::{Access, TOKEN_HEADER};

/// The number of random bytes in the token.
const TOKEN_BYTES: usize = 32;

/// Returns the OpenAPI description of the API as JSON.
pub fn openapi() -> String {
    openapi::describe(&routes::all())
}

/// The state of the API. Clones share it.
#[derive(Clone)]
pub struct Api {
    status: Arc<GatewayStatus>,
    forwards: Forwards,
    cache: InstanceCache,
    operations: Arc<dyn Operations>,
    usage: Arc<usage::UsageMeter>,
    closing: watch::Sender<bool>,
    token: Arc<str>,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// Creates the API of the gateway with this status. The fixed ports in `status` are those of
    /// the previous gateway; they are opened here.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn new(
        status: GatewayStatus,
        cache: InstanceCache,
        operations: Arc<dyn Operations>,
    ) -> io::Result<Self> {
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let forwards = Forwards::restore(status.forwards.clone(), |port| operations.listen(port));
        Ok(Self {
            status: Arc::new(status),
            forwards,
            cache,
            operations,
            usage: Arc::default(),
            closing: watch::Sender::new(false),
            token: BASE64_URL_SAFE_NO_PAD.encode(random).into(),
        })
    }

    /// Returns the token that requests under the gateway's name need to change something. It stays
    /// valid until the gateway stops, and only the dashboard's page contains it.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Returns the current status of the gateway.
    pub fn status(&self) -> GatewayStatus {
        let mut forwards = self.forwards.all();
        let snapshot = self.cache.snapshot();
        for forward in &mut forwards {
            if let Some(instance) = snapshot.get(&forward.id) {
                forward.instance.clone_from(&instance.status.name);
            }
        }
        GatewayStatus {
            forwards,
            ..(*self.status).clone()
        }
    }

    /// Returns the fixed ports.
    pub(crate) fn forwards(&self) -> &Forwards {
        &self.forwards
    }

    /// Ends all event streams, which would otherwise delay the shutdown, and closes the fixed
    /// ports.
    pub(crate) fn close(&self) {
        self.forwards.close();
        self.closing.send_replace(true);
    }

    /// Waits until [`close`](Self::close) is called.
    async fn closed(&self) {
        let mut closing = self.closing.subscribe();
        // The channel cannot be closed, because `self` contains its sender.
        let _ = closing.wait_for(|closing| *closing).await;
    }

    /// Returns the status of all instances in a snapshot, with the URLs of this gateway.
    fn instances(&self, snapshot: &InstanceSnapshot) -> Vec<InstanceStatus> {
        let all = snapshot.all().into_iter();
        let mut all: Vec<InstanceStatus> = all.map(|one| (*one.status).clone()).collect();
        names::fill_gateway_fields(&mut all, &self.status());
        all
    }

    /// Returns the current state of the instance with this id.
    async fn instance(&self, id: &str) -> Result<CachedInstance, ApiError> {
        let snapshot = self.cache.refresh().await;
        let instance = snapshot.get(id).cloned();
        instance.ok_or_else(|| ApiError::unknown_instance(id))
    }

    /// Builds a router from the route table. `protect` adds the access check to each route.
    pub(crate) fn router(
        &self,
        protect: impl Fn(MethodRouter<Self>, Access) -> MethodRouter<Self>,
    ) -> Router {
        let mut router = Router::new();
        for route in routes::all() {
            let handler = protect((route.handler)(), route.access);
            router = router.route(route.path, handler);
        }
        router
            .fallback(async || ApiError::unknown_path())
            .method_not_allowed_fallback(async || ApiError::wrong_method())
            .with_state(self.clone())
    }

    /// Runs an operation that may block on a new thread.
    ///
    /// Starting services can take minutes. On Tokio's thread pool it would delay the shutdown of
    /// the gateway, and could block other requests.
    async fn run_blocking<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Arc<dyn Operations>) -> Result<T, ErrorInfo> + Send + 'static,
    ) -> Result<T, ApiError> {
        let operations = self.operations.clone();
        let (sender, result) = oneshot::channel();
        let failed = || ApiError::new(ErrorCode::Failed, "the operation could not be completed");
        thread::Builder::new()
            .name("operation".into())
            .spawn(move || {
                // The client may have closed the connection.
                let _ = sender.send(operation(operations));
            })
            .map_err(|_| failed())?;
        Ok(result.await.map_err(|_| failed())??)
    }
}
