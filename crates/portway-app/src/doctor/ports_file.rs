//! Checks that `.ports.json` exists, is valid and correct, and belongs to this checkout.

use std::collections::BTreeMap;

use portway_api::{Check, Finding};
use portway_project::{PortsFile, PortsFileError, ports_file};
use serde_json::{Map, Value};

use super::context::{DoctorContext, PortOwner, ValueOrigin, port_keys};
use super::finding_builder::{FindingExt, error, fine, quoted, warning};
use crate::instance::snapshot;

/// The values that the evaluation uses.
pub(super) struct FileState<'a> {
    /// The file, or the error of reading it.
    file: Result<Option<&'a PortsFile>, &'a PortsFileError>,
    /// The keys of all ports.
    keys: Vec<String>,
    /// What Portway would write if the services had the ports of the file.
    own: Map<String, Value>,
    /// The leased ports, by key.
    leased: Map<String, Value>,
    /// Who wrote the ports of the file, by key. Without a record it is the user.
    origins: BTreeMap<String, ValueOrigin>,
    /// The owners of ports.
    owners: BTreeMap<u16, PortOwner>,
    /// Whether the instance is running.
    running: bool,
}

/// Collects the state of the file and evaluates it.
pub(super) fn examine(context: &DoctorContext) -> Vec<Finding> {
    let plan = context.plan.as_ref().ok();
    let file = context.file.as_ref().map(Option::as_ref);
    let mut file = file;
    let invalid;
    if let (Ok(Some(written)), Some(plan)) = (file, plan)
        && let Err(wrong) = check(written, plan, context)
    {
        invalid = wrong;
        file = Err(&invalid);
    }
    let json = |ports: &portway_project::AssignedPorts| {
        let wiring = context.wiring(ports);
        wiring.map(|wiring| wiring.ports_json).unwrap_or_default()
    };
    let entry = context.entry();
    let mut leased = Map::new();
    for (service, lease) in context.services().flat_map(|service| {
        let leases = entry.iter().flat_map(|(_, leases, _)| leases);
        leases
            .filter(|lease| lease.service == service.name)
            .map(move |lease| (service, lease))
    }) {
        let is_it =
            |port: &portway_project::PlannedPort| port.name.as_deref().unwrap_or("") == lease.name;
        if let Some(index) = service.ports.iter().position(is_it) {
            leased.insert(service.port_key(index), lease.port.into());
        }
    }
    let by_file = plan.map(|plan| snapshot::ports(plan, file.ok().flatten(), None));
    let content = file.ok().flatten().map(|file| &file.content);
    let values = content.into_iter().flatten();
    let origins = context.records.iter().flat_map(|records| {
        let origin = |(key, value): (&String, &Value)| (key.clone(), records.origin(key, value));
        values.clone().map(origin)
    });
    let origins = origins.collect();
    evaluate(&FileState {
        file,
        keys: plan.map(port_keys).unwrap_or_default(),
        own: by_file.map(|ports| json(&ports)).unwrap_or_default(),
        leased,
        origins,
        owners: context.owners(),
        running: context.status.is_some(),
    })
}

/// Checks the types of the values.
fn check(
    file: &PortsFile,
    plan: &portway_project::Plan,
    context: &DoctorContext,
) -> Result<(), PortsFileError> {
    let keys = port_keys(plan);
    file.ports(&context.root, keys.iter().map(String::as_str))?;
    for service in plan.services.values() {
        if service.health_path.is_some() {
            let key = portway_project::wiring::health_key(&service.name);
            file.check_local_url(&context.root, &key)?;
        }
    }
    Ok(())
}

const NAME: &str = ports_file::FILE_NAME;

/// How to apply ports that a user wrote to the file.
const APPLY_FILE: &str =
    "restart the services to apply the file: run `portway down`, then `portway up`";

fn evaluate(state: &FileState<'_>) -> Vec<Finding> {
    let wrong = |message: String, repair: &str| {
        if state.running {
            error(Check::PortsFile, NAME, message, repair)
        } else {
            warning(Check::PortsFile, NAME, message, repair)
        }
    };
    let file = match state.file {
        Err(broken) => {
            let finding = error(
                Check::PortsFile,
                NAME,
                broken.problem.to_string(),
                broken.help(),
            );
            return vec![finding.at(broken.file.display().to_string())];
        }
        // Without ports there is nothing to write.
        Ok(None) if state.keys.is_empty() => return Vec::new(),
        Ok(None) => {
            let message = if state.running {
                "is missing, although services are running".to_owned()
            } else {
                "does not exist yet: no ports are allocated".to_owned()
            };
            let finding = wrong(message, "run `portway doctor --fix` to write it");
            return vec![finding.fixable(true)];
        }
        Ok(Some(file)) => file,
    };
    let mut findings = Vec::new();
    let mut user_edited = false;
    for key in &state.keys {
        let Some(value) = file.content.get(key) else {
            continue;
        };
        let (finding, is_by_user) = port(state, key, value);
        user_edited |= is_by_user;
        findings.extend(finding);
    }
    findings.extend(foreign(state, file));
    let differs = |key: &&String| {
        let expected = &state.own[*key];
        file.content
            .get(*key)
            .is_some_and(|value| value != expected)
    };
    let stale: Vec<&String> = state.own.keys().filter(differs).collect();
    if !stale.is_empty() {
        let keys = quoted(stale.iter().map(|key| key.as_str()));
        let verb = if stale.len() == 1 { "does" } else { "do" };
        findings.push(
            error(
                Check::PortsFile,
                NAME,
                format!("is inconsistent: {keys} {verb} not match its ports"),
                "run `portway doctor --fix` to rewrite it",
            )
            .fixable(true),
        );
    }
    let missing = state
        .own
        .keys()
        .filter(|key| !file.content.contains_key(*key));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!("lacks {}", quoted(missing));
        let repair = "run `portway doctor --fix` to rewrite it";
        findings.push(wrong(message, repair).fixable(true));
    }
    // Rewriting the file while services are running would discard the user's changes.
    if user_edited && state.running {
        for finding in findings.iter_mut().filter(|finding| finding.fixable) {
            finding.fixable = false;
            finding.repair = Some(APPLY_FILE.to_owned());
        }
    }
    if findings.is_empty() {
        let message = if state.keys.is_empty() {
            "is valid"
        } else if state.leased.is_empty() {
            "exists and is consistent"
        } else {
            "exists, is correct and belongs to this checkout"
        };
        findings.push(fine(Check::PortsFile, NAME, message));
    }
    findings
}

/// Reports port keys of unknown services that name another checkout's port. They may be the user's own
/// keys and are kept.
fn foreign(state: &FileState<'_>, file: &PortsFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, value) in &file.content {
        let named = key == "port" || key.ends_with("_port");
        if !named || state.keys.contains(key) || state.own.contains_key(key) {
            continue;
        }
        let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
        let owner = port.and_then(|port| state.owners.get(&port));
        if let Some(PortOwner::Other(words)) = owner {
            findings.push(warning(
                Check::PortsFile,
                NAME,
                format!("has the unknown key `{key}`, whose port {value} belongs to {words}"),
                format!("remove `{key}` unless this is intended"),
            ));
        }
    }
    findings
}

/// Evaluates one port of the file, and returns whether a user wrote it.
fn port(state: &FileState<'_>, key: &str, value: &Value) -> (Option<Finding>, bool) {
    let owner = value
        .as_u64()
        .and_then(|port| state.owners.get(&u16::try_from(port).ok()?));
    let origin = state.origins.get(key).copied();
    let origin = origin.unwrap_or(ValueOrigin::User);
    let finding = match (origin, owner, state.leased.get(key)) {
        (_, _, Some(leased)) if leased == value => None,
        (ValueOrigin::User, Some(PortOwner::Other(words)), _) => Some(error(
            Check::PortsFile,
            NAME,
            format!("requires port {value} in `{key}`, but that port belongs to {words}"),
            format!("set another port, or remove `{key}`"),
        )),
        (_, Some(PortOwner::Other(words)), _) => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("belongs to another checkout: its `{key}`, {value}, belongs to {words}"),
                "run `portway doctor --fix` to write this checkout's file",
            )
            .fixable(true),
        ),
        (ValueOrigin::OtherCheckout, _, Some(leased)) => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("belongs to another checkout: `{key}` is {value} there and {leased} here"),
                "run `portway doctor --fix` to rewrite it",
            )
            .fixable(true),
        ),
        (ValueOrigin::Portway, _, Some(leased)) => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("is out of date: `{key}` is {value} in the file, but the leased port is {leased}"),
                "run `portway doctor --fix` to rewrite it",
            )
            .fixable(true),
        ),
        (ValueOrigin::OtherCheckout, _, None) => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("belongs to another checkout: Portway wrote `{key}`, {value}, there"),
                "run `portway doctor --fix` to write this checkout's file",
            )
            .fixable(true),
        ),
        (ValueOrigin::User, _, Some(leased)) if state.running => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("requires port {value} in `{key}`, but the service is running on {leased}"),
                APPLY_FILE,
            )
            .command("portway down && portway up --detach"),
        ),
        // The next start applies the port.
        _ => None,
    };
    (finding, origin == ValueOrigin::User)
}

#[cfg(test)]
mod tests;
