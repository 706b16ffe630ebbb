//! `portway health`: asks services whether they are well.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use portway_api::{ErrorCode, HealthCheckKind, HealthReport, ServiceHealth};
use portway_project::{Checkout, HealthCheck, PlannedService, PortsFile, wiring};
use portway_supervisor::probe::{self, Question};
use tokio::time::{Instant, sleep_until};

use crate::args::positive_span;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::inspect::{self, Known};
use crate::project::{describe, known};
use crate::{home, look, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway health                     every service that has a port
  portway health backend             one of them
  portway health --watch             again and again, until Ctrl-C
  portway health --watch --json      one line of JSON for each round
Asked is `health` of `portway.toml`, else the path of `ready`: they have to answer below 400. Else it
is `/`, where any answer below 500 will do; a service that speaks no HTTP has to accept a
connection. What answers and is somebody else's process counts for nothing. Exits with 1 when one
that was asked is not well.")]
pub(crate) struct Health {
    /// Services; all that have a port where none is named
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// Ask again and again
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// From one round to the next
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = positive_span, requires = "watch")]
    pub(crate) interval: Duration,
    /// How long an answer may take
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = positive_span)]
    pub(crate) timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Health) -> Result<u8, CommandError> {
    let mut checks = checks(directory, args)?;
    runtime()?.block_on(async {
        loop {
            let next = Instant::now() + args.interval;
            let report = checks.round(args.timeout).await;
            let code = u8::from(!report.healthy);
            if !args.watch {
                if args.json {
                    ui::json(&report);
                } else {
                    ui::health(&report);
                }
                return Ok(code);
            }
            let read = if args.json {
                ui::json_line(&report)
            } else {
                ui::health_again(&report)
            };
            if !read {
                return Ok(code);
            }
            sleep_until(next).await;
            // A service may have been moved meanwhile; what cannot be read now was right before.
            if let Ok(fresh) = self::checks(directory, args) {
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
fn checks(directory: Option<&Path>, args: &Health) -> Result<Checks, CommandError> {
    let described = describe(&home::directory(directory)?)?;
    let checkout = look::checkout(&described)?;
    let entries = look::entries()?;
    let entry = entries.iter().find(|(one, ..)| one.id == checkout.id);
    let plan = look::plan(&described, entry)?;
    for name in &args.services {
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
    let ports = look::ports(&plan, file.as_ref(), entry);
    let mut each = Vec::new();
    for (name, service) in &plan.services {
        let named = args.services.contains(name);
        if !named && !args.services.is_empty() {
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
                    Some(path) => Question::Http {
                        port,
                        path: path.to_owned(),
                    },
                    None => Question::Tcp { port },
                };
                tokio::spawn(async move { probe::ask(&question, limit).await })
            })
            .collect();
        let holders = inspect::holders();
        let mut services = Vec::new();
        for ((service, check), answer) in self.each.iter().zip(asked) {
            let mut answer = answer.await.unwrap_or_else(|error| Err(error.to_string()));
            let here = holders.get(&check.port).into_iter().flatten();
            let stranger = here
                .map(|holder| self.known.sitter(holder, service, &self.checkout))
                .find(|sitter| !sitter.of.is_own());
            // What somebody else answers says nothing of the service.
            if let Some(stranger) = stranger {
                answer = Err(format!(
                    "its port {} belongs to {}",
                    check.port, stranger.who
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
    answer: Result<probe::Answer, String>,
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
