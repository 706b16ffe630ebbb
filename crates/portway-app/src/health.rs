//! Health checks of services.

use std::path::Path;
use std::time::Duration;

use portway_api::{ErrorCode, HealthCheckKind, HealthReport, ServiceHealth};
use portway_project::{Checkout, HealthCheck, PlannedService, PortsFile, wiring};
use portway_supervisor::probe::{self, ProbeRequest};
use tokio::time::{Instant, sleep_until};

use crate::dirs;
use crate::error::CommandError;
use crate::inspect::{self, Known};
use crate::instance::snapshot;
use crate::project::{describe, known};
use crate::registry::RegistryReader;
use crate::runtime::runtime;

/// Options of `portway health`.
#[derive(Debug, Clone)]
pub struct HealthOptions {
    /// Services; empty for all that have a port.
    pub services: Vec<String>,
    /// The interval between two rounds; `None` for one round only.
    pub interval: Option<Duration>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// Checks services, and passes the report of each round to `show`, until that returns false.
/// Returns whether all services were healthy in the last round.
///
/// # Errors
/// When the project cannot be used, or a service is unknown or has no port.
pub fn health(
    directory: Option<&Path>,
    options: &HealthOptions,
    mut show: impl FnMut(&HealthReport) -> bool,
) -> Result<bool, CommandError> {
    let mut checks = checks(directory, &options.services)?;
    runtime()?.block_on(async {
        loop {
            let start = Instant::now();
            let report = checks.round(options.timeout).await;
            let is_read = show(&report);
            let Some(interval) = options.interval.filter(|_| is_read) else {
                return Ok(report.healthy);
            };
            sleep_until(start + interval).await;
            // A service may have moved. If the project cannot be read now, the last checks are used.
            if let Ok(fresh) = self::checks(directory, &options.services) {
                checks = fresh;
            }
        }
    })
}

/// What there is to ask.
struct Checks {
    checkout: Checkout,
    /// What is known of other checkouts.
    known: Known,
    each: Vec<(PlannedService, HealthCheck)>,
}

/// What there is to ask, by service. Nothing is chosen: a service that nobody has started yet is
/// asked where it would be.
fn checks(directory: Option<&Path>, services: &[String]) -> Result<Checks, CommandError> {
    let described = describe(&dirs::directory(directory)?)?;
    let checkout = snapshot::checkout(&described)?;
    let entries = RegistryReader::open()?.instances()?;
    let entry = entries.iter().find(|(one, ..)| one.id == checkout.id);
    let plan = snapshot::plan(&described, entry)?;
    for name in services {
        known(&plan, name)?;
    }
    let file = PortsFile::read(&checkout.root)?;
    if let Some(file) = &file {
        let keys = plan.services.values().flat_map(|service| {
            let ports = 0..service.ports.len();
            ports.map(|index| service.port_key(index))
        });
        let keys: Vec<String> = keys.collect();
        file.ports(&checkout.root, keys.iter().map(String::as_str))?;
        for service in plan
            .services
            .values()
            .filter(|one| one.health_path.is_some())
        {
            file.check_local_url(&checkout.root, &wiring::health_key(&service.name))?;
        }
    }
    let ports = snapshot::ports(&plan, file.as_ref(), entry);
    let mut each = Vec::new();
    for (name, service) in &plan.services {
        let named = services.contains(name);
        if !named && !services.is_empty() {
            continue;
        }
        match HealthCheck::new(service, &ports) {
            Some(check) => each.push((service.clone(), check)),
            None if named => {
                let message = format!("`{name}` has no port to ask");
                return Err(CommandError::new(ErrorCode::Usage, message).hint(format!(
                    "give it one: `port = \"9100-9199\"` in `[services.{name}]`"
                )));
            }
            None => {}
        }
    }
    Ok(Checks {
        checkout,
        known: Known::of(entries),
        each,
    })
}

impl Checks {
    /// Asks all at once.
    async fn round(&self, limit: Duration) -> HealthReport {
        let at = portway_supervisor::now();
        let asked: Vec<_> = self
            .each
            .iter()
            .map(|(_, check)| {
                let port = check.port;
                let question = match check.path() {
                    Some(path) => ProbeRequest::Http {
                        port,
                        path: path.to_owned(),
                    },
                    None => ProbeRequest::Tcp { port },
                };
                tokio::spawn(async move {
                    let answer = probe::send(&question, limit).await;
                    answer.map_err(|error| error.to_string())
                })
            })
            .collect();
        let holders = inspect::holders();
        let mut services = Vec::new();
        for ((service, check), answer) in self.each.iter().zip(asked) {
            let mut answer = answer.await.unwrap_or_else(|error| Err(error.to_string()));
            let here = holders.get(&check.port).into_iter().flatten();
            let stranger = here
                .map(|holder| self.known.occupant(holder, service, &self.checkout))
                .find(|occupant| !occupant.kind.is_own());
            // What somebody else answers says nothing of the service.
            if let Some(stranger) = stranger {
                answer = Err(format!(
                    "its port {} belongs to {}",
                    check.port, stranger.description
                ));
            }
            services.push(judge(&service.name, check, answer));
        }
        HealthReport {
            at,
            healthy: services.iter().all(|service| service.healthy),
            services,
        }
    }
}

fn judge(
    service: &str,
    check: &HealthCheck,
    answer: Result<probe::ProbeResponse, String>,
) -> ServiceHealth {
    let answered = answer.as_ref().ok();
    let status = answered.and_then(|answer| answer.status);
    let healthy = match status {
        Some(status) => check.is_healthy(status),
        None => answered.is_some(),
    };
    ServiceHealth {
        service: service.to_owned(),
        check: if check.path().is_some() {
            HealthCheckKind::Http
        } else {
            HealthCheckKind::Tcp
        },
        url: check.url.clone(),
        port: check.port,
        healthy,
        status,
        // To the microsecond: what lies below is noise.
        latency_ms: answered.map(|answer| answer.latency.as_micros() as f64 / 1000.0),
        problem: match (&answer, status) {
            (Err(why), _) => Some(why.clone()),
            (Ok(_), Some(status)) if !healthy => Some(format!("it answers {status}")),
            _ => None,
        },
    }
}
