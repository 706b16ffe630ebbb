//! Checks the health of services.

use std::path::Path;
use std::time::Duration;

use portway_api::{ErrorCode, HealthCheckKind, HealthReport, ServiceHealth};
use portway_project::{Checkout, HealthCheck, PlannedService, PortsFile, wiring};
use portway_supervisor::probe::{self, ProbeRequest};
use tokio::time::{Instant, sleep_until};

use crate::dirs;
use crate::error::CommandError;
use crate::inspect::{Holders, Known};
use crate::instance::snapshot;
use crate::project::{describe, known};
use crate::registry::RegistryReader;
use crate::reporter::Reporter;
use crate::runtime::runtime;

/// Options of `portway health`.
#[derive(Debug, Clone)]
pub struct HealthOptions {
    /// The services to check; empty for the main service, or all if there is none.
    pub services: Vec<String>,
    /// Whether to check all services with a port.
    pub all: bool,
    /// The interval between two rounds; `None` for one round only.
    pub interval: Option<Duration>,
    /// How long a response may take.
    pub timeout: Duration,
}

/// Checks services and passes the report of each round to `show`, until `show` returns false.
/// Returns whether all services were healthy in the last round.
///
/// # Errors
/// When the project cannot be used, or a service is unknown or has no port.
pub fn health(
    directory: Option<&Path>,
    options: &HealthOptions,
    reporter: &dyn Reporter,
    mut show: impl FnMut(&HealthReport) -> bool,
) -> Result<bool, CommandError> {
    let mut checks = Checks::new(directory, options)?;
    if let Some(main) = &checks.only_main {
        reporter.info(&format!(
            "checking the main service `{main}`; add `--all` to check all services"
        ));
    }
    runtime()?.block_on(async {
        loop {
            let start = Instant::now();
            let report = checks.round(options.timeout).await;
            let continues = show(&report);
            let Some(interval) = options.interval.filter(|_| continues) else {
                return Ok(report.healthy);
            };
            sleep_until(start + interval).await;
            // A service may have moved. If the project cannot be read now, repeats the last checks.
            if let Ok(updated) = Checks::new(directory, options) {
                checks = updated;
            }
        }
    })
}

/// The health checks of a checkout.
struct Checks {
    /// The main service, if it is checked by default and others are not.
    only_main: Option<String>,
    checkout: Checkout,
    /// The instances and the gateway of this user.
    known: Known,
    services: Vec<(PlannedService, HealthCheck)>,
}

impl Checks {
    /// Collects the checks. Chooses no ports: a service that has never been started is checked on
    /// its preferred port.
    fn new(directory: Option<&Path>, options: &HealthOptions) -> Result<Self, CommandError> {
        let described = describe(&dirs::directory(directory)?)?;
        let checkout = snapshot::checkout(&described)?;
        let entries = RegistryReader::open()?.instances()?;
        let entry = entries.iter().find(|(one, ..)| one.id == checkout.id);
        let plan = snapshot::plan(&described, entry)?;
        for name in &options.services {
            known(&plan, name)?;
        }
        let by_default = !options.all && options.services.is_empty();
        let main = plan.main.clone().filter(|_| by_default);
        let services = match &main {
            Some(main) => std::slice::from_ref(main),
            None => &options.services[..],
        };
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
        let mut checks = Vec::new();
        for (name, service) in &plan.services {
            let is_requested = services.contains(name);
            if !is_requested && !services.is_empty() {
                continue;
            }
            match HealthCheck::new(service, &ports) {
                Some(check) => checks.push((service.clone(), check)),
                None if is_requested => {
                    let message = format!("`{name}` has no port");
                    return Err(CommandError::new(ErrorCode::Usage, message)
                        .hint(format!("add `port = \"9100-9199\"` to `[services.{name}]`")));
                }
                None => {}
            }
        }
        let with_port = plan.services.values().filter(|one| !one.ports.is_empty());
        Ok(Self {
            only_main: main.filter(|_| with_port.count() > 1),
            checkout,
            known: Known::of(entries),
            services: checks,
        })
    }

    /// Sends all checks concurrently and reports the results.
    async fn round(&self, timeout: Duration) -> HealthReport {
        let at = portway_supervisor::now();
        let tasks: Vec<_> = self
            .services
            .iter()
            .map(|(_, check)| {
                let port = check.port;
                let request = match check.path() {
                    Some(path) => ProbeRequest::Http {
                        port,
                        path: path.to_owned(),
                    },
                    None => ProbeRequest::Tcp { port },
                };
                tokio::spawn(async move {
                    let response = probe::send(&request, timeout).await;
                    response.map_err(|error| error.to_string())
                })
            })
            .collect();
        let ports = self.services.iter().map(|(_, check)| check.port);
        let holders = Holders::read(&self.known, ports).await;
        let mut services = Vec::new();
        for ((service, check), task) in self.services.iter().zip(tasks) {
            let mut response = task.await.unwrap_or_else(|error| Err(error.to_string()));
            let occupants = self
                .known
                .occupants(&holders, check.port, service, &self.checkout);
            let other = occupants.iter().find(|occupant| !occupant.kind.is_own());
            // The response of another process says nothing about the service.
            if let Some(other) = other {
                response = Err(format!(
                    "port {} is in use by {}",
                    check.port, other.description
                ));
            }
            let inner = holders.inner(check.port).filter(|_| other.is_none());
            if let Some(inner) = inner.filter(|inner| !inner.is_open && response.is_err()) {
                // Portway accepts the connection outside.
                response = Err(format!(
                    "no process listens on port {} of its network",
                    inner.number
                ));
            }
            let mut health = evaluate(&service.name, check, response);
            health.inner = inner.map(|inner| inner.number);
            services.push(health);
        }
        HealthReport {
            at,
            healthy: services.iter().all(|service| service.healthy),
            services,
        }
    }
}

/// Evaluates the response to a health check.
fn evaluate(
    service: &str,
    check: &HealthCheck,
    response: Result<probe::ProbeResponse, String>,
) -> ServiceHealth {
    let received = response.as_ref().ok();
    let status = received.and_then(|response| response.status);
    let healthy = match status {
        Some(status) => check.is_healthy(status),
        None => received.is_some(),
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
        inner: None,
        healthy,
        status,
        // Rounded to microseconds; the measurement is not more exact.
        latency_ms: received.map(|response| response.latency.as_micros() as f64 / 1000.0),
        problem: match (&response, status) {
            (Err(why), _) => Some(why.clone()),
            (Ok(_), Some(status)) if !healthy => Some(format!("responds with status {status}")),
            _ => None,
        },
    }
}
