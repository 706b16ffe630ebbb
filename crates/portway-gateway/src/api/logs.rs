//! What services print: the lines that there are, and those that come.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use portway_api::{ErrorCode, Event, LogRecord, LogStream};
use portway_supervisor::control::Client;
use portway_supervisor::logs::{self, Filter};
use regex_lite::Regex;
use serde::Deserialize;

use super::events::{Events, Sender, stream};
use super::{Api, Problem};
use crate::cache::CachedInstance;

/// How many lines are answered where nothing else is asked for.
const TAIL: usize = 1000;

/// The most lines that are answered.
const MOST: usize = 10_000;

/// Which lines are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    service: Option<String>,
    since: Option<u64>,
    grep: Option<String>,
    tail: Option<usize>,
}

impl Wanted {
    fn filter(&self) -> Result<Filter, Problem> {
        let grep = self.grep.as_deref().filter(|grep| !grep.is_empty());
        let grep = grep.map(Regex::new).transpose().map_err(|error| {
            let why = format!("`grep` is no regular expression: {error}");
            Problem::new(ErrorCode::Usage, why)
        })?;
        Ok(Filter {
            services: self.service.clone().into_iter().collect(),
            since: self.since,
            grep,
        })
    }

    fn tail(&self) -> usize {
        self.tail.unwrap_or(TAIL).min(MOST)
    }
}

/// The last lines that are wanted.
pub(super) async fn last(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Vec<LogRecord>>, Problem> {
    let (Path(id), Query(wanted)) = (id?, wanted?);
    let (member, filter) = (api.member(&id).await?, wanted.filter()?);
    Ok(Json(read(&member, &filter, 0, wanted.tail()).await))
}

/// The last lines that are wanted, and each new one.
pub(super) async fn follow(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Events, Problem> {
    let (Path(id), Query(wanted)) = (id?, wanted?);
    api.member(&id).await?;
    let follower = Follower {
        filter: wanted.filter()?,
        tail: wanted.tail(),
        // A browser that lost its connection tells what it has.
        last: headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse().ok())
            .unwrap_or(0),
        id,
        api: api.clone(),
    };
    Ok(stream(&api, |sender| follower.run(sender)))
}

/// The last `tail` lines whose number is above `above`.
async fn read(member: &CachedInstance, filter: &Filter, above: u64, tail: usize) -> Vec<LogRecord> {
    let (dir, filter) = (member.log_dir.clone(), filter.clone());
    let read = tokio::task::spawn_blocking(move || {
        let mut records = logs::read(&dir, &filter);
        records.retain(|record| record.number > above);
        records.split_off(records.len().saturating_sub(tail))
    });
    read.await.unwrap_or_default()
}

/// Follows the lines of an instance, through its ends and starts.
struct Follower {
    api: Api,
    id: String,
    filter: Filter,
    tail: usize,
    /// The number of the last line that was seen.
    last: u64,
}

impl Follower {
    async fn run(mut self, sender: Sender) {
        let mut changes = self.api.cache.changes();
        let mut is_first = true;
        loop {
            changes.mark_unchanged();
            let Some(member) = self.api.cache.snapshot().get(&self.id).cloned() else {
                return;
            };
            // Listening begins before the files are read; what is in both is told apart by its
            // number.
            let events = match &member.socket {
                Some(socket) => Client::new(socket).events().await.ok(),
                None => None,
            };
            if is_first || events.is_some() {
                is_first = false;
                for record in read(&member, &self.filter, self.last, self.tail).await {
                    if !self.tell(&sender, &record).await {
                        return;
                    }
                }
            }
            if let Some(mut events) = events {
                let mut next = None;
                while let Some(event) = events.next().await {
                    if let Event::Log(record) = event
                        && !self.heard(&sender, record, &mut next).await
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

    /// A line has come; `next` is the number that was expected. False when the client has gone.
    async fn heard(&mut self, sender: &Sender, record: LogRecord, next: &mut Option<u64>) -> bool {
        let missed = next.map_or(0, |next| record.number.saturating_sub(next));
        *next = Some(record.number + 1);
        if record.number <= self.last {
            return true;
        }
        if missed > 0 {
            let told = LogRecord {
                number: record.number - 1,
                stream: LogStream::Portway,
                text: format!("{missed} lines came too fast to be shown here"),
                ..record.clone()
            };
            if !self.tell(sender, &told).await {
                return false;
            }
        }
        if !self.filter.wants(&record) {
            self.last = record.number;
            return true;
        }
        self.tell(sender, &record).await
    }

    async fn tell(&mut self, sender: &Sender, record: &LogRecord) -> bool {
        self.last = record.number;
        sender.send(record, Some(record.number)).await
    }
}
