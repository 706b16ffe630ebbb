//! Whether `.ports.json` is there, can be read, is true, and is this checkout's.

use std::collections::BTreeMap;

use portway_api::{Check, Finding};
use portway_project::{PortsFile, PortsFileError, ports_file};
use portway_registry::WrittenValues;
use serde_json::{Map, Value};

use super::note::{Further, error, fine, quoted, warning};
use super::scene::{PortOwner, Scene, port_keys, port_value};
use crate::instance::snapshot;

/// What is to be judged.
pub(super) struct Facts<'a> {
    /// The file, or why it cannot be used.
    file: Result<Option<&'a PortsFile>, &'a PortsFileError>,
    /// The keys of all ports.
    keys: Vec<String>,
    /// Everything that Portway would write when the services have the ports that the file gives
    /// them.
    own: Map<String, Value>,
    /// The same for the ports that are leased; only those.
    leased: Map<String, Value>,
    /// What Portway wrote last.
    written: &'a WrittenValues,
    /// Whether these are ports that Portway wrote into another checkout's file.
    copied: bool,
    /// Whose ports are.
    owners: BTreeMap<u16, PortOwner>,
    /// Whether services run.
    running: bool,
}

/// What the scene tells about the file.
pub(super) fn look(scene: &Scene) -> Vec<Finding> {
    let nothing = WrittenValues::default();
    let plan = scene.plan.as_ref().ok();
    let file = scene.file.as_ref().map(Option::as_ref);
    let mut file = file;
    let invalid;
    if let (Ok(Some(written)), Some(plan)) = (file, plan)
        && let Err(wrong) = check(written, plan, scene)
    {
        invalid = wrong;
        file = Err(&invalid);
    }
    let json = |ports: &portway_project::AssignedPorts| {
        let wiring = scene.wiring(ports);
        wiring.map(|wiring| wiring.ports_json).unwrap_or_default()
    };
    let entry = scene.entry();
    let mut leased = Map::new();
    for (service, lease) in scene.services().flat_map(|service| {
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
    let records = scene.records.as_ref().ok();
    judge(&Facts {
        file,
        keys: plan.map(port_keys).unwrap_or_default(),
        own: by_file.map(|ports| json(&ports)).unwrap_or_default(),
        leased,
        written: records.map_or(&nothing, |records| &records.written),
        copied: records.is_some_and(|records| records.copied),
        owners: scene.owners(),
        running: scene.status.is_some(),
    })
}

/// Whether the values are of the right kind.
fn check(
    file: &PortsFile,
    plan: &portway_project::Plan,
    scene: &Scene,
) -> Result<(), PortsFileError> {
    let keys = port_keys(plan);
    file.ports(&scene.root, keys.iter().map(String::as_str))?;
    for service in plan.services.values() {
        if service.health_path.is_some() {
            let key = portway_project::wiring::health_key(&service.name);
            file.check_local_url(&scene.root, &key)?;
        }
    }
    Ok(())
}

const NAME: &str = ports_file::FILE_NAME;

/// What gives a person who has changed the file what it asks for.
const TAKE_OVER: &str = "have what it asks for taken over: `portway down`, then `portway up`";

fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    let wrong = |message: String, repair: &str| {
        if facts.running {
            error(Check::PortsFile, NAME, message, repair)
        } else {
            warning(Check::PortsFile, NAME, message, repair)
        }
    };
    let file = match facts.file {
        Err(broken) => {
            let finding = error(
                Check::PortsFile,
                NAME,
                broken.problem.to_string(),
                broken.help(),
            );
            return vec![finding.at(broken.file.display().to_string())];
        }
        // Nothing is to be written there.
        Ok(None) if facts.keys.is_empty() => return Vec::new(),
        Ok(None) => {
            let message = if facts.running {
                "is not there, although the services run".to_owned()
            } else {
                "is not there yet: no port has been chosen".to_owned()
            };
            let finding = wrong(message, "have it written: `portway doctor --fix`");
            return vec![finding.fixable(true)];
        }
        Ok(Some(file)) => file,
    };
    let mut findings = Vec::new();
    let mut asked_for = false;
    for key in &facts.keys {
        let Some(value) = file.content.get(key) else {
            continue;
        };
        let (finding, by_hand) = port(facts, key, value);
        asked_for |= by_hand;
        findings.extend(finding);
    }
    findings.extend(foreign(facts, file));
    let differs = |key: &&String| {
        let expected = &facts.own[*key];
        file.content
            .get(*key)
            .is_some_and(|value| value != expected)
    };
    let stale: Vec<&String> = facts.own.keys().filter(differs).collect();
    if !stale.is_empty() {
        let keys = quoted(stale.iter().map(|key| key.as_str()));
        let verb = if stale.len() == 1 { "leads" } else { "lead" };
        findings.push(
            error(
                Check::PortsFile,
                NAME,
                format!("is not true: {keys} {verb} elsewhere than the ports beside it"),
                "have it written anew: `portway doctor --fix`",
            )
            .fixable(true),
        );
    }
    let missing = facts
        .own
        .keys()
        .filter(|key| !file.content.contains_key(*key));
    let missing: Vec<&str> = missing.map(String::as_str).collect();
    if !missing.is_empty() {
        let message = format!("lacks {}", quoted(missing));
        let repair = "have it written anew: `portway doctor --fix`";
        findings.push(wrong(message, repair).fixable(true));
    }
    // Writing the file anew while services run would take a person's wish out of it.
    if asked_for && facts.running {
        for finding in findings.iter_mut().filter(|finding| finding.fixable) {
            finding.fixable = false;
            finding.repair = Some(TAKE_OVER.to_owned());
        }
    }
    if findings.is_empty() {
        let message = if facts.keys.is_empty() {
            "can be read"
        } else if facts.leased.is_empty() {
            "is there and agrees with itself"
        } else {
            "is there, true, and this checkout's"
        };
        findings.push(fine(Check::PortsFile, NAME, message));
    }
    findings
}

/// Keys of ports that no service here has, and that lead to another checkout's. They may be a
/// person's own, and stay.
fn foreign(facts: &Facts<'_>, file: &PortsFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, value) in &file.content {
        let named = key == "port" || key.ends_with("_port");
        if !named || facts.keys.contains(key) || facts.own.contains_key(key) {
            continue;
        }
        let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
        let owner = port.and_then(|port| facts.owners.get(&port));
        if let Some(PortOwner::Other(words)) = owner {
            findings.push(warning(
                Check::PortsFile,
                NAME,
                format!("has `{key}`, {value}, which is no service's here and belongs to {words}"),
                format!("take `{key}` out, if nobody here means that one"),
            ));
        }
    }
    findings
}

/// What is wrong with one port of the file, and whether a person put it there.
fn port(facts: &Facts<'_>, key: &str, value: &Value) -> (Option<Finding>, bool) {
    let owner = value
        .as_u64()
        .and_then(|port| facts.owners.get(&u16::try_from(port).ok()?));
    let by_hand =
        !facts.copied && port_value(value).is_none_or(|port| facts.written.port(key) != Some(port));
    let finding = match (owner, facts.leased.get(key)) {
        (_, Some(leased)) if leased == value => None,
        (Some(PortOwner::Other(words)), _) if by_hand => Some(error(
            Check::PortsFile,
            NAME,
            format!("asks for port {value} as `{key}`, which belongs to {words}"),
            format!("write another port there, or take `{key}` out"),
        )),
        (Some(PortOwner::Other(words)), _) => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("is of another checkout: its `{key}`, {value}, belongs to {words}"),
                "have this checkout's own written: `portway doctor --fix`",
            )
            .fixable(true),
        ),
        (_, Some(leased)) if !by_hand => Some(
            error(
                Check::PortsFile,
                NAME,
                if facts.copied {
                    format!("is of another checkout: `{key}` is {value} there and {leased} here")
                } else {
                    format!("is out of date: `{key}` is {leased} now, and {value} in it")
                },
                "have it written anew: `portway doctor --fix`",
            )
            .fixable(true),
        ),
        (_, None) if facts.copied => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("is of another checkout: Portway wrote its `{key}`, {value}, elsewhere"),
                "have this checkout's own written: `portway doctor --fix`",
            )
            .fixable(true),
        ),
        (_, Some(leased)) if facts.running => Some(
            error(
                Check::PortsFile,
                NAME,
                format!("asks for port {value} as `{key}`, and the service runs on {leased}"),
                TAKE_OVER,
            )
            .command("portway down && portway up --detach"),
        ),
        // A wish that the next start will look at.
        _ => None,
    };
    (finding, by_hand)
}

#[cfg(test)]
mod tests;
