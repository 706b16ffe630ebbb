//! Server-sent events: what changes, to those who look.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{self, KeepAlive, KeepAliveStream, Sse};
use portway_api::GatewayEvent;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::ReceiverStream;

use super::Api;

/// How often it is read what services use.
const USAGE_EVERY: Duration = Duration::from_secs(2);

/// How many events may wait for a client that does not read them.
const WAITING: usize = 64;

/// Events on their way to one client.
pub(super) type Events = Sse<KeepAliveStream<ReceiverStream<Result<sse::Event, Infallible>>>>;

/// Sends events to one client.
pub(super) struct Sender(mpsc::Sender<Result<sse::Event, Infallible>>);

impl Sender {
    /// Sends an event; false when the client has gone.
    pub(super) async fn send(&self, value: &impl Serialize, id: Option<u64>) -> bool {
        let mut event =
            sse::Event::default().data(serde_json::to_string(value).unwrap_or_default());
        if let Some(id) = id {
            event = event.id(id.to_string());
        }
        self.0.send(Ok(event)).await.is_ok()
    }
}

/// A stream of what `tell` sends, until it ends, the client goes or the gateway stops.
pub(super) fn stream<F: Future<Output = ()> + Send + 'static>(
    api: &Api,
    tell: impl FnOnce(Sender) -> F,
) -> Events {
    let (sender, receiver) = mpsc::channel(WAITING);
    let told = tell(Sender(sender.clone()));
    let api = api.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = told => {}
            () = sender.closed() => {}
            () = api.closed() => {}
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default())
}

/// The instances after each change, and what their services use.
pub(super) async fn events(State(api): State<Api>) -> Events {
    let teller = api.clone();
    stream(&api, move |sender| tell(teller, sender))
}

async fn tell(api: Api, sender: Sender) {
    let mut changes = api.cache.changes();
    let mut forwards = api.forwards.changes();
    api.cache.refresh().await;
    // Before it is read: no change falls between the two.
    changes.mark_unchanged();
    let mut instances = api.instances(&api.cache.snapshot());
    let mut said = None;
    let mut usage_at = Instant::now();
    loop {
        // The snapshot is published anew after every look, also where nothing has changed.
        if said.as_ref() != Some(&instances) {
            let event = GatewayEvent::Instances {
                instances: instances.clone(),
            };
            if !sender.send(&event, None).await {
                return;
            }
            said = Some(instances);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = forwards.changed() => if changed.is_err() { return },
            () = sleep_until(usage_at) => {
                let (meter, snapshot) = (api.usage.clone(), api.cache.snapshot());
                let read = tokio::task::spawn_blocking(move || meter.read(&snapshot)).await;
                let event = GatewayEvent::Usage { services: read.unwrap_or_default() };
                if !sender.send(&event, None).await {
                    return;
                }
                usage_at = Instant::now() + USAGE_EVERY;
            }
        }
        instances = api.instances(&api.cache.snapshot());
    }
}
