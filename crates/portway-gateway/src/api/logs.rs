//! Routes that return and follow the logs of an instance.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use portway_api::{ErrorCode, Event, LogRecord, LogStream};
use portway_supervisor::control::Client;
use portway_supervisor::logs::{self, Filter};
use regex_lite::Regex;
use serde::Deserialize;

use super::events::{EventSender, EventStream, stream};
use super::{Api, ApiError};
use crate::cache::CachedInstance;

/// How many lines are returned by default.
const DEFAULT_TAIL: usize = 1000;

/// The maximum number of returned lines.
const MAX_TAIL: usize = 10_000;

/// Which lines to return.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    service: Option<String>,
    since: Option<u64>,
    grep: Option<String>,
    tail: Option<u64>,
}

impl LogQuery {
    fn filter(&self) -> Result<Filter, ApiError> {
        let grep = self.grep.as_deref().filter(|grep| !grep.is_empty());
        let grep = grep.map(Regex::new).transpose().map_err(|error| {
            let message = format!("`grep` is not a valid regular expression: {error}");
            ApiError::new(ErrorCode::Usage, message)
        })?;
        Ok(Filter {
            services: self.service.clone().into_iter().collect(),
            since: self.since,
            grep,
        })
    }

    fn tail(&self) -> usize {
        let tail = self
            .tail
            .map(|tail| usize::try_from(tail).unwrap_or(MAX_TAIL));
        tail.unwrap_or(DEFAULT_TAIL).min(MAX_TAIL)
    }
}

/// Returns the last lines that match the query.
pub(super) async fn last(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Json<Vec<LogRecord>>, ApiError> {
    let (Path(id), Query(query)) = (id?, query?);
    let (instance, filter) = (api.instance(&id).await?, query.filter()?);
    Ok(Json(read(&instance, &filter, 0, query.tail()).await))
}

/// Streams the last lines that match the query, and then each new one.
pub(super) async fn follow(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<LogQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<EventStream, ApiError> {
    let (Path(id), Query(query)) = (id?, query?);
    api.instance(&id).await?;
    let follower = LogFollower {
        filter: query.filter()?,
        tail: query.tail(),
        // A browser that reconnects sends the number of the last line it received.
        last_number: headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse().ok())
            .unwrap_or(0),
        id,
        api: api.clone(),
    };
    Ok(stream(&api, |sender| follower.run(sender)))
}

/// Reads the last `tail` lines whose number is greater than `after`.
async fn read(
    instance: &CachedInstance,
    filter: &Filter,
    after: u64,
    tail: usize,
) -> Vec<LogRecord> {
    let (dir, filter) = (instance.log_dir.clone(), filter.clone());
    let read = tokio::task::spawn_blocking(move || {
        let mut records = logs::read(&dir, &filter);
        records.retain(|record| record.number > after);
        records.split_off(records.len().saturating_sub(tail))
    });
    read.await.unwrap_or_default()
}

/// Follows the lines of an instance across its restarts.
struct LogFollower {
    api: Api,
    id: String,
    filter: Filter,
    tail: usize,
    /// The number of the last line that was processed.
    last_number: u64,
}

impl LogFollower {
    async fn run(mut self, sender: EventSender) {
        let mut changes = self.api.cache.changes();
        let mut is_first = true;
        loop {
            changes.mark_unchanged();
            let Some(instance) = self.api.cache.snapshot().get(&self.id).cloned() else {
                return;
            };
            // Subscribing before reading the files ensures that no line is missed. Lines that come
            // from both sources are recognized by their number.
            let events = match &instance.socket {
                Some(socket) => Client::new(socket).events().await.ok(),
                None => None,
            };
            if is_first || events.is_some() {
                is_first = false;
                for record in read(&instance, &self.filter, self.last_number, self.tail).await {
                    if !self.send(&sender, &record).await {
                        return;
                    }
                }
            }
            if let Some(mut events) = events {
                let mut expected = None;
                while let Some(event) = events.next().await {
                    if let Event::Log(record) = event
                        && !self.process(&sender, record, &mut expected).await
                    {
                        return;
                    }
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Processes a new line. `expected` is the number that should follow the previous line. Returns
    /// false if the client has disconnected.
    async fn process(
        &mut self,
        sender: &EventSender,
        record: LogRecord,
        expected: &mut Option<u64>,
    ) -> bool {
        let skipped = expected.map_or(0, |expected| record.number.saturating_sub(expected));
        *expected = Some(record.number + 1);
        if record.number <= self.last_number {
            return true;
        }
        if skipped > 0 {
            let notice = LogRecord {
                number: record.number - 1,
                stream: LogStream::Portway,
                text: format!("{skipped} lines are missing here because they arrived too fast"),
                ..record.clone()
            };
            if !self.send(sender, &notice).await {
                return false;
            }
        }
        if !self.filter.matches(&record) {
            self.last_number = record.number;
            return true;
        }
        self.send(sender, &record).await
    }

    async fn send(&mut self, sender: &EventSender, record: &LogRecord) -> bool {
        self.last_number = record.number;
        sender.send(record, Some(record.number)).await
    }
}
