//! Finds out why services cannot reach each other. Each subject has a file that collects values and
//! then evaluates them to findings with a pure function.
//!
//! Everything that may be broken is passed on as a value, so one problem never hides another.

mod admin_tools;
mod answers;
mod clock;
mod context;
mod env_files;
mod finding_builder;
mod fix;
mod leases;
mod listening;
mod literals;
mod local_ca;
mod localhost;
mod machine;
mod names;
mod pages;
mod port_check;
mod ports_file;
mod proxy;
mod running;

use std::collections::BTreeSet;
use std::path::Path;

use portway_api::{Check, Diagnosis, Finding, GatewayPorts, Severity};
use portway_project::kind::Kind;
use portway_project::wiring;
use portway_project::{HealthCheck, HealthTarget, PlannedService};

use crate::error::CommandError;
use crate::gateway::state;
use crate::inspect;
use crate::missing::missing_keys;
use crate::runtime::runtime;
use answers::{HealthResult, Preflight};
use context::{DoctorContext, PortOwner};
use finding_builder::{FindingExt, fine, from_error, warning};
use port_check::{Expected, PortCheck};

/// Examines the checkout of `directory`. With `fix`, first applies the fixes that are safe.
///
/// # Errors
/// If the directory or git's files in it cannot be read. Every other problem is a finding.
pub fn examine(directory: Option<&Path>, fix: bool) -> Result<Diagnosis, CommandError> {
    let mut diagnosis = runtime()?.block_on(examine_checkout(directory))?;
    if fix {
        let (fixed, failed) = fix::apply(directory, &diagnosis.findings);
        if !fixed.is_empty() {
            diagnosis = runtime()?.block_on(examine_checkout(directory))?;
        }
        diagnosis.fixed = fixed;
        diagnosis.findings.extend(failed);
    }
    let wrong = |finding: &Finding| finding.severity == Severity::Error;
    diagnosis.healthy = !diagnosis.findings.iter().any(wrong);
    Ok(diagnosis)
}

/// The maximum number of problems that [`page_warnings`] lists.
const MAX_WARNINGS: usize = 5;

/// Returns a text for each place where a page of the running instance in `directory` calls a port
/// that is not one of its services.
pub(crate) fn page_warnings(directory: &Path) -> Vec<String> {
    let Ok(runtime) = runtime() else {
        return Vec::new();
    };
    let problems = runtime.block_on(pages::problems(directory));
    let more = problems.len().saturating_sub(MAX_WARNINGS);
    let mut warnings: Vec<String> = problems
        .iter()
        .take(MAX_WARNINGS)
        .map(|problem| {
            let place = problem.place.as_deref().unwrap_or_default();
            let repair = problem.repair.as_deref().unwrap_or_default();
            let Finding {
                subject, message, ..
            } = problem;
            format!("`{subject}` {message} ({place}); {repair}")
        })
        .collect();
    if more > 0 {
        warnings.push(format!(
            "{more} more such places; run `portway doctor` to see them"
        ));
    }
    warnings
}

async fn examine_checkout(directory: Option<&Path>) -> Result<Diagnosis, CommandError> {
    let context = DoctorContext::collect(directory).await?;
    let holders = listening::holders(&context).await;
    let port_checks = listening::collect(&context, &holders);
    let owners = context.owners();
    let owner = |port: u16| owners.get(&port).cloned().unwrap_or(PortOwner::None);

    let mut findings = Vec::new();
    if let Err(wrong) = &context.preferences {
        findings.push(from_error(Check::Preferences, "preferences", wrong));
    }
    findings.push(manifest(&context));
    findings.extend(changed(&context));
    findings.extend(skipped(&context));
    findings.extend(directories(&context));
    findings.push(registry(&context));
    findings.extend(ports_file::examine(&context));
    findings.extend(running::examine(&context, &port_checks));
    findings.extend(port_checks.iter().filter_map(listening::evaluate));
    findings.extend(check_answers(&context, &port_checks).await);
    findings.extend(names(&context));
    findings.extend(local_ca::evaluate(crate::trust::authority()));
    findings.extend(pages::examine(&context, &owners, false).await);
    let wiring = context.wiring(&context.ports);
    let is_overridden = |file: &Path, variable: &str| {
        let dir = file.parent().unwrap_or(file);
        let wiring = wiring.as_ref();
        wiring.is_some_and(|wiring| context.is_overridden(dir, variable, wiring))
    };
    let served = |port: u16| !holders.on(port).is_empty();
    let written = env_files::collect(&context.dirs());
    findings.extend(env_files::evaluate(
        &written,
        &owner,
        &is_overridden,
        &served,
    ));
    if let Ok(plan) = &context.plan {
        let keys = missing_keys(&context.root, plan, context.found.is_some());
        findings.extend(env_files::evaluate_keys(&keys));
    }
    if let Ok(records) = &context.records {
        // Without registered instances there are no stale processes.
        let left = if records.entries.is_empty() {
            Vec::new()
        } else {
            let left = inspect::leftovers().unwrap_or_default().into_iter();
            left.map(|(_, leftover)| leftover).collect()
        };
        findings.extend(leases::evaluate(&records.entries, &left));
    }
    findings.extend(localhost::evaluate(&localhost::resolve(), &port_checks));
    findings.push(clock::evaluate(&clock::collect(&context), context.now));
    findings.extend(
        machine::disk_space(&context.root)
            .iter()
            .map(machine::evaluate_space),
    );
    findings.push(machine::evaluate_open_files(crate::platform::open_files()));
    findings.extend(diagnostic_logs(&context));
    let mut all: Vec<Finding> = Vec::new();
    for finding in findings {
        // Two services can share a directory or a port.
        if !all.contains(&finding) {
            all.push(finding);
        }
    }
    Ok(Diagnosis {
        directory: context.root.display().to_string(),
        healthy: true,
        findings: all,
        fixed: Vec::new(),
    })
}

/// Names the log files of the supervisor and the gateway, if they exist.
fn diagnostic_logs(context: &DoctorContext) -> Vec<Finding> {
    let Ok(state) = crate::dirs::state_dir() else {
        return Vec::new();
    };
    let supervisor = portway_registry::instance_dir(&state, &context.checkout.id)
        .join(crate::diagnostics::SUPERVISOR_LOG);
    let gateway = state::dir().map(|dir| dir.join(crate::diagnostics::GATEWAY_LOG));
    let files = [
        ("supervisor log", Some(supervisor)),
        ("gateway log", gateway.ok()),
    ];
    let existing = files
        .into_iter()
        .filter_map(|(name, file)| Some((name, file.filter(|file| file.exists())?)));
    existing
        .map(|(name, file)| fine(Check::Logs, name, format!("is {}", file.display())))
        .collect()
}

/// Checks that running services have the gateway's current ports.
fn names(context: &DoctorContext) -> Option<Finding> {
    context.status.as_ref()?;
    let (instance, ..) = context.entry()?;
    let gateway = state::status().ok()??;
    names::evaluate(instance.gateway.as_ref(), &GatewayPorts::from(&gateway))
}

fn manifest(context: &DoctorContext) -> Finding {
    let subject = portway_project::manifest::FILE_NAME;
    match &context.plan {
        Err(wrong) => from_error(Check::Manifest, subject, wrong),
        Ok(plan) => {
            let names = finding_builder::quoted(plan.services.keys().map(String::as_str));
            let message = if context.found.is_some() {
                format!("does not exist; detected services: {names}")
            } else {
                format!("defines {names}")
            };
            fine(Check::Manifest, subject, message)
        }
    }
}

/// Reports that the project's files differ from what runs.
fn changed(context: &DoctorContext) -> Option<Finding> {
    // An invalid manifest has its own finding.
    context.plan.as_ref().ok()?;
    let status = context.status.as_ref()?;
    let files = status.changed_files.iter().map(String::as_str);
    let files = finding_builder::quoted(files);
    (!files.is_empty()).then(|| {
        let message = format!("changed since it was applied: {files}");
        warning(Check::Manifest, "manifest", message, "apply the change").command("portway up")
    })
}

/// Reports the files that detection had to skip, and what this machine lacks.
fn skipped(context: &DoctorContext) -> Vec<Finding> {
    let lacking = context.found.iter().flat_map(|found| &found.warnings);
    let lacking = lacking.map(|text| {
        let repair = "do this, and run `portway up`; or enable what you need with `--with`";
        warning(Check::Manifest, "containers", text.clone(), repair)
    });
    let all = context.found.iter().flat_map(|found| &found.skipped);
    let skipped = all.map(|skipped| {
        let message = format!("was skipped: it {}", skipped.why);
        warning(
            Check::Manifest,
            &skipped.file,
            message,
            "fix the file, or run `portway init` and add the service to `portway.toml`",
        )
    });
    let fixed = context.found.iter().flat_map(|found| &found.fixed_ports);
    let fixed = fixed.map(|one| {
        let finding = warning(Check::Literal, &one.service, &one.message, &one.repair);
        finding.at(one.place.clone())
    });
    skipped.chain(lacking).chain(fixed).collect()
}

/// Reports services whose directory does not exist.
fn directories(context: &DoctorContext) -> Vec<Finding> {
    let mut findings = Vec::new();
    for service in context.services() {
        let (Some(manifest), Some(dir)) = (&context.manifest, &service.dir) else {
            continue;
        };
        if context.dir(service).is_dir() {
            continue;
        }
        let message = format!("the directory `{dir}` does not exist");
        let help = "create it, or fix `dir`".to_owned();
        let wrong = manifest.dir_diagnostic(&service.name, message, help);
        let wrong = CommandError::from(Box::new(wrong));
        findings.push(from_error(Check::Manifest, &service.name, &wrong));
    }
    findings
}

fn registry(context: &DoctorContext) -> Finding {
    let subject = "registry";
    match (&context.records, context.entry()) {
        (Err(wrong), _) => from_error(Check::Registry, subject, wrong),
        (Ok(_), Some((instance, ..))) => {
            let message = format!("contains this checkout as `{}`", instance.name);
            fine(Check::Registry, subject, message)
        }
        (Ok(_), None) => fine(
            Check::Registry,
            subject,
            "contains no instance for this checkout yet",
        ),
    }
}

fn of_kind(context: &DoctorContext, kind: Kind) -> impl Iterator<Item = &PlannedService> {
    context
        .services()
        .filter(move |service| service.kind == kind)
}

fn main_port(context: &DoctorContext, service: &PlannedService) -> Option<(String, u16)> {
    let port = *context.ports.of(&service.name).first()?;
    Some((service.name.clone(), port))
}

/// Returns whether a frontend is likely to call this backend: it is the only one, or the manifest
/// starts the frontend after it or passes its address to the frontend.
fn may_call(context: &DoctorContext, frontend: &PlannedService, backend: &str) -> bool {
    let texts = frontend.env.values().chain([&frontend.command]);
    let mention = format!("{{{backend}.");
    let mut backends = of_kind(context, Kind::Http);
    let is_only =
        backends.all(|service| service.name == backend || admin_tools::is_admin_tool(service));
    is_only
        || frontend.after.iter().any(|(name, _)| name == backend)
        || texts.into_iter().any(|text| text.contains(&mention))
}

/// Sends requests to the services that are listening and evaluates the responses.
async fn check_answers(context: &DoctorContext, port_checks: &[PortCheck]) -> Vec<Finding> {
    let answers = |port: u16| {
        let port_check = port_checks
            .iter()
            .find(|port_check| port_check.port == port);
        port_check.is_some_and(|port_check| {
            port_check.is_own() && port_check.expected != Expected::Starting
        })
    };
    let mut asked = Vec::new();
    let mut preflights = Vec::new();
    for service in context.services() {
        let Some(check) = HealthCheck::new(service, &context.ports) else {
            continue;
        };
        if check.path().is_none() || !answers(check.port) {
            continue;
        }
        let (name, question) = (service.name.clone(), check.clone());
        asked.push(tokio::spawn(async move {
            HealthResult {
                status: answers::status(&question).await,
                service: name,
                check: question,
            }
        }));
        if service.kind != Kind::Http || admin_tools::is_admin_tool(service) {
            continue;
        }
        for frontend in of_kind(context, Kind::Frontend) {
            let Some((frontend_name, port)) = main_port(context, frontend) else {
                continue;
            };
            let is_expected = may_call(context, frontend, &service.name);
            let proxy = proxy::collect(&context.dir(frontend)).map(|config| config.file);
            let (backend, question) = (service.name.clone(), check.clone());
            preflights.push(tokio::spawn(async move {
                let origin = wiring::url(Kind::Frontend, port);
                Preflight {
                    reply: answers::preflight(&question, &origin).await,
                    backend,
                    frontend: frontend_name,
                    origin,
                    is_expected,
                    is_default_path: question.target == HealthTarget::DefaultPath,
                    proxy,
                }
            }));
        }
    }
    let mut findings = Vec::new();
    // A backend that fails every request fails the CORS request too.
    let mut unwell = BTreeSet::new();
    for asked in join(asked).await {
        if asked.status.as_ref().map_or(true, |status| *status >= 500) {
            unwell.insert(asked.service.clone());
        }
        findings.push(answers::evaluate(&asked));
    }
    for preflight in join(preflights).await {
        if !unwell.contains(&preflight.backend) {
            findings.extend(answers::evaluate_preflight(&preflight));
        }
    }
    findings
}

/// Waits for concurrent tasks and returns their results in order.
async fn join<T>(tasks: Vec<tokio::task::JoinHandle<T>>) -> Vec<T> {
    let mut results = Vec::new();
    for task in tasks {
        results.extend(task.await);
    }
    results
}
