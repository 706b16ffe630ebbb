//! Server-sent events: the state of all instances and their resource usage.

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

/// Interval between two measurements of resource usage.
const USAGE_INTERVAL: Duration = Duration::from_secs(2);

/// How many events are buffered for a client that reads slowly.
const MAX_BUFFERED_EVENTS: usize = 64;

/// A stream of events to one client.
pub(super) type EventStream = Sse<KeepAliveStream<ReceiverStream<Result<sse::Event, Infallible>>>>;

/// Sends events to one client.
pub(super) struct EventSender(mpsc::Sender<Result<sse::Event, Infallible>>);

impl EventSender {
    /// Sends an event. Returns false if the client has disconnected.
    pub(super) async fn send(&self, value: &impl Serialize, id: Option<u64>) -> bool {
        let mut event =
            sse::Event::default().data(serde_json::to_string(value).unwrap_or_default());
        if let Some(id) = id {
            event = event.id(id.to_string());
        }
        self.0.send(Ok(event)).await.is_ok()
    }
}

/// Streams the events that `produce` sends, until it returns, the client disconnects or the gateway
/// stops.
pub(super) fn stream<F: Future<Output = ()> + Send + 'static>(
    api: &Api,
    produce: impl FnOnce(EventSender) -> F,
) -> EventStream {
    let (sender, receiver) = mpsc::channel(MAX_BUFFERED_EVENTS);
    let producer = produce(EventSender(sender.clone()));
    let api = api.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = producer => {}
            () = sender.closed() => {}
            () = api.closed() => {}
        }
    });
    Sse::new(ReceiverStream::new(receiver)).keep_alive(KeepAlive::default())
}

/// Streams all instances after each change, and the resource usage of their services.
pub(super) async fn events(State(api): State<Api>) -> EventStream {
    let source = api.clone();
    stream(&api, move |sender| send_events(source, sender))
}

async fn send_events(api: Api, sender: EventSender) {
    let mut changes = api.cache.changes();
    let mut forwards = api.forwards.changes();
    api.cache.refresh().await;
    // Marking before reading ensures that no change is missed.
    changes.mark_unchanged();
    let mut instances = api.instances(&api.cache.snapshot());
    let mut sent = None;
    let mut usage_at = Instant::now();
    loop {
        // The cache publishes a snapshot after every read, even if nothing has changed.
        if sent.as_ref() != Some(&instances) {
            let event = GatewayEvent::Instances {
                instances: instances.clone(),
            };
            if !sender.send(&event, None).await {
                return;
            }
            sent = Some(instances);
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = forwards.changed() => if changed.is_err() { return },
            () = sleep_until(usage_at) => {
                let (meter, snapshot) = (api.usage.clone(), api.cache.snapshot());
                let usage = tokio::task::spawn_blocking(move || meter.measure(&snapshot)).await;
                let event = GatewayEvent::Usage { services: usage.unwrap_or_default() };
                if !sender.send(&event, None).await {
                    return;
                }
                usage_at = Instant::now() + USAGE_INTERVAL;
            }
        }
        instances = api.instances(&api.cache.snapshot());
    }
}
