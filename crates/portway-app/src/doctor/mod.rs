//! Why services do not communicate. Each subject has a file of its own, which gathers facts and then
//! judges them: from values to findings, without looking again.
//!
//! Everything that may be broken is a value on the way, so that one broken thing hides no other.

mod answers;
mod clock;
mod env_files;
mod fix;
mod leases;
mod listening;
mod local_ca;
mod localhost;
mod machine;
mod names;
mod note;
mod port_check;
mod ports_file;
mod proxy;
mod running;
mod scene;

use std::collections::BTreeSet;
use std::path::Path;

use portway_api::{Check, Diagnosis, Finding, GatewayPorts, Severity};
use portway_project::kind::Kind;
use portway_project::wiring;
use portway_project::{HealthCheck, PlannedService};

use crate::error::CommandError;
use crate::gateway::state;
use crate::inspect;
use crate::runtime::runtime;
use answers::{Asked, Preflight};
use note::{fine, from_error, warning};
use port_check::{Expected, Seat};
use scene::{PortOwner, Scene};

/// Looks at the checkout of `directory`; mends what is safe to mend first where `fix` says so.
///
/// # Errors
/// When there is no such directory; everything else that is wrong is a finding.
pub fn examine(directory: Option<&Path>, fix: bool) -> Result<Diagnosis, CommandError> {
    let mut diagnosis = runtime()?.block_on(look(directory))?;
    if fix {
        let (fixed, failed) = fix::mend(directory, &diagnosis.findings);
        if !fixed.is_empty() {
            diagnosis = runtime()?.block_on(look(directory))?;
        }
        diagnosis.fixed = fixed;
        diagnosis.findings.extend(failed);
    }
    let wrong = |finding: &Finding| finding.severity == Severity::Error;
    diagnosis.healthy = !diagnosis.findings.iter().any(wrong);
    Ok(diagnosis)
}

async fn look(directory: Option<&Path>) -> Result<Diagnosis, CommandError> {
    let scene = Scene::gather(directory).await?;
    let holders = inspect::holders();
    let seats = listening::gather(&scene, &holders);
    let owners = scene.owners();
    let owner = |port: u16| owners.get(&port).cloned().unwrap_or(PortOwner::Nobody);

    let mut findings = Vec::new();
    if let Err(wrong) = &scene.preferences {
        findings.push(from_error(Check::Preferences, "preferences", wrong));
    }
    findings.push(manifest(&scene));
    findings.extend(skipped(&scene));
    findings.extend(directories(&scene));
    findings.push(registry(&scene));
    findings.extend(ports_file::look(&scene));
    findings.extend(running::look(&scene, &seats));
    findings.extend(seats.iter().filter_map(listening::judge));
    findings.extend(speech(&scene, &seats).await);
    findings.extend(names(&scene));
    findings.extend(local_ca::judge(crate::trust::authority()));
    let backends: Vec<(String, u16)> = of_kind(&scene, Kind::Http)
        .filter_map(|service| main_port(&scene, service))
        .collect();
    for frontend in of_kind(&scene, Kind::Frontend) {
        if let Some(config) = proxy::gather(&scene.dir(frontend)) {
            findings.extend(proxy::judge(&frontend.name, &config, &owner, &backends));
        }
    }
    let told: BTreeSet<String> = scene
        .wiring(&scene.ports)
        .map(|wiring| wiring.shared.into_keys().collect())
        .unwrap_or_default();
    let served = |port: u16| holders.contains_key(&port);
    let written = env_files::gather(&scene.dirs());
    findings.extend(env_files::judge(&written, &owner, &told, &served));
    if let Ok(records) = &scene.records {
        // Where the registry knows nobody, nobody has left anything.
        let left = if records.entries.is_empty() {
            Vec::new()
        } else {
            let left = inspect::leftovers().unwrap_or_default().into_iter();
            left.map(|(_, leftover)| leftover).collect()
        };
        findings.extend(leases::judge(&records.entries, &left));
    }
    findings.extend(localhost::judge(&localhost::resolve(), &seats));
    findings.push(clock::judge(&clock::gather(&scene), scene.now));
    findings.extend(machine::rooms(&scene.root).iter().map(machine::judge_room));
    findings.push(machine::judge_files(crate::platform::open_files()));
    Ok(Diagnosis {
        directory: scene.root.display().to_string(),
        healthy: true,
        findings,
        fixed: Vec::new(),
    })
}

/// What the services of an instance that runs know of the gateway.
fn names(scene: &Scene) -> Option<Finding> {
    scene.status.as_ref()?;
    let (instance, ..) = scene.entry()?;
    let gateway = state::status().ok()??;
    names::judge(instance.gateway.as_ref(), &GatewayPorts::from(&gateway))
}

fn manifest(scene: &Scene) -> Finding {
    let subject = portway_project::manifest::FILE_NAME;
    match &scene.plan {
        Err(wrong) => from_error(Check::Manifest, subject, wrong),
        Ok(plan) => {
            let names = note::quoted(plan.services.keys().map(String::as_str));
            let message = if scene.found.is_some() {
                format!("there is none; found without it: {names}")
            } else {
                format!("has {names}")
            };
            fine(Check::Manifest, subject, message)
        }
    }
}

/// The files that tell of services and could not be used, where there is no manifest.
fn skipped(scene: &Scene) -> Vec<Finding> {
    let all = scene.found.iter().flat_map(|found| &found.skipped);
    all.map(|skipped| {
        let message = format!("was passed over: it {}", skipped.why);
        warning(
            Check::Manifest,
            &skipped.file,
            message,
            "mend it, or `portway init` and write the service down",
        )
    })
    .collect()
}

/// The services whose directory is not there: nobody can start them.
fn directories(scene: &Scene) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in scene.services() {
        let (Some(manifest), Some(dir)) = (&scene.manifest, &service.dir) else {
            continue;
        };
        if scene.dir(service).is_dir() {
            continue;
        }
        let message = format!("its directory `{dir}` does not exist");
        let help = "create it, or correct `dir`".to_owned();
        let wrong = manifest.dir_diagnostic(&service.name, message, help);
        let wrong = CommandError::from(Box::new(wrong));
        findings.push(from_error(Check::Manifest, &service.name, &wrong));
    }
    findings
}

fn registry(scene: &Scene) -> Finding {
    let subject = "registry";
    match (&scene.records, scene.entry()) {
        (Err(wrong), _) => from_error(Check::Registry, subject, wrong),
        (Ok(_), Some((instance, ..))) => {
            let message = format!("knows this checkout as {}", instance.name);
            fine(Check::Registry, subject, message)
        }
        (Ok(_), None) => fine(Check::Registry, subject, "does not know this checkout yet"),
    }
}

fn of_kind(scene: &Scene, kind: Kind) -> impl Iterator<Item = &PlannedService> {
    scene.services().filter(move |service| service.kind == kind)
}

fn main_port(scene: &Scene, service: &PlannedService) -> Option<(String, u16)> {
    let port = *scene.ports.of(&service.name).first()?;
    Some((service.name.clone(), port))
}

/// Whether something tells that a frontend calls this backend: it is the only one, or the frontend
/// comes after it or is told of it in the manifest.
fn means(scene: &Scene, frontend: &PlannedService, backend: &str) -> bool {
    let texts = frontend.env.values().chain([&frontend.command]);
    let mention = format!("{{{backend}.");
    of_kind(scene, Kind::Http).count() == 1
        || frontend.after.iter().any(|(name, _)| name == backend)
        || texts.into_iter().any(|text| text.contains(&mention))
}

/// What the services answer that are there.
async fn speech(scene: &Scene, seats: &[Seat]) -> Vec<Finding> {
    let answers = |port: u16| {
        let seat = seats.iter().find(|seat| seat.port == port);
        seat.is_some_and(|seat| seat.is_own() && seat.expected != Expected::Soon)
    };
    let mut asked = Vec::new();
    let mut preflights = Vec::new();
    for service in scene.services() {
        let Some(check) = HealthCheck::new(service, &scene.ports) else {
            continue;
        };
        if check.path().is_none() || !answers(check.port) {
            continue;
        }
        let (name, question) = (service.name.clone(), check.clone());
        asked.push(tokio::spawn(async move {
            Asked {
                status: answers::status(&question).await,
                service: name,
                check: question,
            }
        }));
        if service.kind != Kind::Http {
            continue;
        }
        for frontend in of_kind(scene, Kind::Frontend) {
            let Some((frontend_name, port)) = main_port(scene, frontend) else {
                continue;
            };
            let meant = means(scene, frontend, &service.name);
            let proxy = proxy::gather(&scene.dir(frontend)).map(|config| config.file);
            let (backend, question) = (service.name.clone(), check.clone());
            preflights.push(tokio::spawn(async move {
                let origin = wiring::url(Kind::Frontend, port);
                Preflight {
                    reply: answers::preflight(&question, &origin).await,
                    backend,
                    frontend: frontend_name,
                    origin,
                    meant,
                    proxy,
                }
            }));
        }
    }
    let mut findings = Vec::new();
    // One that fails at everything fails at this as well, which says nothing of its own.
    let mut unwell = BTreeSet::new();
    for asked in join(asked).await {
        if asked.status.as_ref().map_or(true, |status| *status >= 500) {
            unwell.insert(asked.service.clone());
        }
        findings.push(answers::judge(&asked));
    }
    for preflight in join(preflights).await {
        if !unwell.contains(&preflight.backend) {
            findings.extend(answers::judge_preflight(&preflight));
        }
    }
    findings
}

/// The results of tasks that run side by side, in their order.
async fn join<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.extend(task.await);
    }
    results
}
