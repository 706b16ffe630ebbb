//! From a plan to ports that are leased and held, and to the wiring that tells of them.
//!
//! This is where the stages meet: the plan says what is wanted, `.ports.json` and the command line
//! what a person forces, the registry chooses, and holding is how it finds out what is free.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::sync::Arc;

use indexmap::IndexMap;
use portway_api::{Displaced, ErrorCode, PortStatus, ServiceState, ServiceStatus};
use portway_ports::{Facts, Hold, HoldError};
use portway_project::manifest::FILE_NAME;
use portway_project::plan::key;
use portway_project::{AssignedPorts, PortsFile, Wiring, ports_file, wiring};
use portway_registry::{
    AllocateError, Allotted, ChooseError, Displacement, Lease, Liveness, Registry, Request, Wanted,
};
use serde_json::{Map, Value};

use crate::args::Choice;
use crate::error::CommandError;
use crate::follow::{self, not_running};
use crate::project::Project;
use crate::ui;

/// Ports of an instance, and everything that follows from them.
pub(crate) struct Allocation {
    pub(crate) ports: AssignedPorts,
    pub(crate) wiring: Wiring,
    /// The ports that are not the ones that were wanted.
    pub(crate) displaced: HashMap<u16, Displaced>,
    /// The holds; empty when the instance runs and its supervisor has them.
    pub(crate) holds: Vec<Arc<Hold>>,
}

/// What becomes of the holds with which ports were found free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// They are let go before anybody else may look: the leases are all that is wanted.
    No,
    /// They are kept, open for a command that is no supervisor.
    Soft,
    /// They are kept, closed, by the instance's supervisor.
    Hard,
}

/// Chooses, leases and holds a port for everything in the plan, and writes `.ports.json`. `None`
/// when the instance runs and it is not its supervisor that asks.
pub(crate) fn allocate(
    project: &mut Project,
    choice: &Choice,
    keep: Keep,
) -> Result<Option<Allocation>, CommandError> {
    let file = PortsFile::read(&project.checkout.root)?;
    let wishes = wishes(project, file.as_ref(), choice)?;
    let wanted = wanted(project, &wishes);
    let Some((given, holds)) = choose(project, wanted, true, None, keep)? else {
        return Ok(None);
    };
    let env_files = project.env_files()?;
    let displaced = displaced(project, &given)?;
    let ports = assigned(project, &given);
    let wiring = Wiring::new(
        &project.plan,
        &ports,
        &project.checkout,
        &project.instance.name,
        &env_files,
    );
    write_ports_file(project, file.unwrap_or_default(), &wiring)?;
    Ok(Some(Allocation {
        ports,
        wiring,
        displaced,
        holds,
    }))
}

/// The ports of an instance that runs: those it has leased.
pub(crate) fn current(project: &mut Project) -> Result<Allocation, CommandError> {
    let leases = project.registry.leases(&project.instance.id)?;
    let mut ports = AssignedPorts::default();
    for service in project.plan.services.values() {
        let mut own = Vec::new();
        for planned in &service.ports {
            let name = planned.name.as_deref().unwrap_or("");
            let is_it = |lease: &&Lease| lease.service == service.name && lease.name == name;
            let lease = leases
                .iter()
                .find(is_it)
                .ok_or_else(|| changed(&service.name))?;
            own.push(lease.port);
        }
        ports.0.insert(service.name.clone(), own);
    }
    let wiring = Wiring::new(
        &project.plan,
        &ports,
        &project.checkout,
        &project.instance.name,
        &project.env_files()?,
    );
    Ok(Allocation {
        ports,
        wiring,
        displaced: HashMap::new(),
        holds: Vec::new(),
    })
}

/// The present ports if the instance runs, otherwise newly chosen ones.
pub(crate) fn current_or_new(
    project: &mut Project,
    choice: &Choice,
    keep: Keep,
) -> Result<Allocation, CommandError> {
    loop {
        if let Some(allocation) = allocate(project, choice, keep)? {
            return Ok(allocation);
        }
        if !choice.ports.is_empty() {
            return Err(CommandError::new(
                ErrorCode::Usage,
                "the instance runs; its ports cannot change now",
            )
            .hint("stop it first: `portway down`"));
        }
        // A supervisor that can be reached has its ports.
        if follow::reachable(project)? {
            return current(project);
        }
    }
}

/// Another port for one that was lost: held, leased and written down like the first ones.
pub(crate) fn replace(
    project: &mut Project,
    ports: &AssignedPorts,
    service: &str,
    lost: u16,
) -> Result<(Arc<Hold>, AssignedPorts, Wiring), CommandError> {
    let index = ports.of(service).iter().position(|&port| port == lost);
    let mut wanted: Vec<Wanted> = wanted(project, &HashMap::new())
        .into_iter()
        .filter(|wanted| wanted.service == service)
        .collect();
    let wanted = vec![wanted.swap_remove(index.unwrap_or(0))];
    let chosen = choose(project, wanted, false, Some(lost), Keep::Hard)?;
    let (given, mut holds) = chosen.ok_or_else(not_running)?;
    let mut ports = ports.clone();
    ports.replace(service, lost, given[0].port);
    let wiring = Wiring::new(
        &project.plan,
        &ports,
        &project.checkout,
        &project.instance.name,
        &project.env_files()?,
    );
    let file = PortsFile::read(&project.checkout.root)?;
    write_ports_file(project, file.unwrap_or_default(), &wiring)?;
    Ok((holds.swap_remove(0), ports, wiring))
}

fn changed(service: &str) -> CommandError {
    CommandError::new(
        ErrorCode::Failed,
        format!("the running instance has no ports for `{service}`: `portway.toml` has changed since it started"),
    )
    .hint("take the change over: `portway down`, then `portway up`")
}

/// Identifies a port: the service, and the port's name within it (empty for the only one).
type PortKey = (String, String);

fn port_keys(project: &Project) -> Vec<(PortKey, String)> {
    let mut keys = Vec::new();
    for service in project.plan.services.values() {
        for (index, port) in service.ports.iter().enumerate() {
            let name = port.name.clone().unwrap_or_default();
            let part = match &port.name {
                Some(name) if index > 0 => format!("_{}", key(name)),
                _ => String::new(),
            };
            let json = format!("{}{part}_port", key(&service.name));
            keys.push(((service.name.clone(), name), json));
        }
    }
    keys
}

/// The ports that a person forces: on the command line, or in `.ports.json`.
///
/// A port in the file is forced when Portway did not put it there. It stays forced until a person
/// takes it out again, although Portway itself has written the file since then; so the registry
/// remembers the wish with the lease. A file that was copied from another checkout holds what
/// Portway wrote there, and forces nothing.
fn wishes(
    project: &mut Project,
    file: Option<&PortsFile>,
    choice: &Choice,
) -> Result<HashMap<PortKey, u16>, CommandError> {
    let keys = port_keys(project);
    let mut wishes = HashMap::new();
    if let Some(file) = file {
        let root = &project.checkout.root;
        let ports = file.ports(root, keys.iter().map(|(_, json)| json.as_str()))?;
        let id = &project.instance.id;
        let last: IndexMap<String, u16> = project
            .registry
            .last_written(id)?
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let leases = project.registry.leases(id)?;
        let content = serde_json::to_string(&ports).unwrap_or_default();
        let by_portway = ports != last && project.registry.was_written(&content)?;
        for ((service, name), json) in &keys {
            let Some(&port) = ports.get(json) else {
                continue;
            };
            let wish = if last.get(json) == Some(&port) {
                let own = |lease: &&Lease| lease.service == *service && lease.name == *name;
                leases.iter().find(own).and_then(|lease| lease.wish)
            } else {
                (!by_portway).then_some(port)
            };
            if let Some(wish) = wish {
                wishes.insert((service.clone(), name.clone()), wish);
            }
        }
    }
    for (service, port) in &choice.ports {
        let (service, name) = service.split_once('.').unwrap_or((service, ""));
        project.known(service)?;
        let planned = &project.plan.services[service].ports;
        let chosen = planned
            .iter()
            .find(|port| name.is_empty() || port.name.as_deref() == Some(name))
            .ok_or_else(|| {
                let message = if name.is_empty() {
                    format!("`{service}` has no port")
                } else {
                    format!("`{service}` has no port `{name}`")
                };
                CommandError::new(ErrorCode::Usage, message)
            })?;
        let name = chosen.name.clone().unwrap_or_default();
        wishes.insert((service.to_owned(), name), *port);
    }
    Ok(wishes)
}

fn wanted(project: &Project, wishes: &HashMap<PortKey, u16>) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for service in project.plan.services.values() {
        for port in &service.ports {
            let name = port.name.clone().unwrap_or_default();
            wanted.push(Wanted {
                wish: wishes.get(&(service.name.clone(), name.clone())).copied(),
                service: service.name.clone(),
                name,
                prefer: port.spec.prefer,
                range: port.spec.range,
                fallback: service.fallback,
            });
        }
    }
    wanted
}

/// Leases and holds in one step, under the registry's lock.
fn choose(
    project: &mut Project,
    wanted: Vec<Wanted>,
    whole: bool,
    lost: Option<u16>,
    keep: Keep,
) -> Result<Option<(Vec<Allotted>, Vec<Arc<Hold>>)>, CommandError> {
    let facts = Facts::read().map_err(|error| {
        CommandError::new(
            ErrorCode::Failed,
            format!("the system does not tell which ports are free to use: {error}"),
        )
    })?;
    for one in &wanted {
        let port = one.wish.unwrap_or(one.prefer);
        if let Some(why) = facts.exclusion(port) {
            ui::warning(&format!("port {port} of `{}`: {why}", one.service));
        }
    }
    let id = project.instance.id.clone();
    // Another command of this checkout (`portway exec`) may hold its ports softly.
    let shared = project.registry.is_used(&id)?;
    let mut holds: HashMap<u16, Hold> = HashMap::new();
    let mut hold = |port: u16, own: bool| {
        if Some(port) == lost {
            return Ok(false);
        }
        let held = match Hold::acquire(port) {
            Err(HoldError::Taken(_)) if own && shared => Hold::join(port),
            other => other,
        };
        match held {
            Ok(held) => {
                // Decided here, inside the lock, so that another command of this checkout never
                // finds its ports held against it.
                match keep {
                    Keep::No => return Ok(true),
                    Keep::Soft => held.soften(),
                    Keep::Hard => held.harden(),
                }
                holds.insert(port, held);
                Ok(true)
            }
            Err(HoldError::System { .. }) => {
                Err(held.err().map_or_else(String::new, |e| e.to_string()))
            }
            Err(_) => Ok(false),
        }
    };
    let request = Request {
        instance: &id,
        main: project.instance.main,
        wanted,
        excluded: &|port| Some(port) == lost || facts.exclusion(port).is_some(),
        whole,
        supervises: keep == Keep::Hard,
    };
    let given = project
        .registry
        .allocate(&request, &mut hold, portway_supervisor::now());
    let given = match given {
        Ok(given) => given,
        Err(AllocateError::Supervised) => return Ok(None),
        Err(AllocateError::Registry(error)) => return Err(error.into()),
        Err(AllocateError::Choose(error)) => return Err(refused(project, &error)),
    };
    let holds = given
        .iter()
        .filter_map(|one| holds.remove(&one.port))
        .map(Arc::new)
        .collect();
    Ok(Some((given, holds)))
}

fn assigned(project: &Project, given: &[Allotted]) -> AssignedPorts {
    let mut ports = AssignedPorts::default();
    for service in project.plan.services.values() {
        let own = given.iter().filter(|one| one.service == service.name);
        ports
            .0
            .insert(service.name.clone(), own.map(|one| one.port).collect());
    }
    ports
}

// === words about who has what ===

/// Who has the ports that were wanted most.
fn displaced(
    project: &mut Project,
    given: &[Allotted],
) -> Result<HashMap<u16, Displaced>, CommandError> {
    let mut words = HashMap::new();
    for one in given {
        if let Some(displacement) = &one.displaced {
            let displaced = Displaced {
                wanted: displacement.wanted,
                forced: displacement.forced,
                holder: holder(project, displacement)?,
            };
            words.insert(one.port, displaced);
        }
    }
    Ok(words)
}

fn holder(project: &mut Project, displacement: &Displacement) -> Result<String, CommandError> {
    match &displacement.lease {
        Some(lease) => leaseholder(project, lease),
        None if displacement.left_to_main => Ok("the main checkout".to_owned()),
        None => Ok(stranger(displacement.wanted)),
    }
}

/// The instance that a lease belongs to.
fn leaseholder(project: &mut Project, lease: &Lease) -> Result<String, CommandError> {
    let instances = project.registry.instances()?;
    let owner = instances.iter().find(|(one, ..)| one.id == lease.instance);
    Ok(match owner {
        Some((one, _, liveness)) => {
            let rests = if *liveness == Liveness::Live {
                ""
            } else {
                ", which does not run"
            };
            format!(
                "`{}` of {} ({}){rests}",
                lease.service,
                one.name,
                one.dir.display()
            )
        }
        None => "another instance".to_owned(),
    })
}

/// The process that listens on a port, or why nobody can be named.
fn stranger(port: u16) -> String {
    let holders = portway_ports::holders(port).unwrap_or_default();
    let process = holders.iter().find_map(|holder| holder.process.as_ref());
    match (process, holders.first()) {
        (Some(process), _) => {
            let dir = process.dir.as_ref();
            let dir = dir
                .map(|dir| format!(", in {}", dir.display()))
                .unwrap_or_default();
            format!("`{}` (pid {}{dir})", process.name, process.id.pid)
        }
        (None, Some(holder)) => format!("a process of user {}", holder.listener.uid),
        (None, None) => "a program that has bound it and does not listen".to_owned(),
    }
}

/// The words for a request that cannot be satisfied.
fn refused(project: &mut Project, error: &ChooseError) -> CommandError {
    match error {
        ChooseError::ForcedTaken {
            service,
            port,
            lease,
        } => {
            let by = match lease {
                Some(lease) => leaseholder(project, lease).unwrap_or_default(),
                None => stranger(*port),
            };
            let file = ports_file::FILE_NAME;
            CommandError::new(
                ErrorCode::PortTaken,
                format!("port {port}, which is forced for `{service}`, is taken by {by}"),
            )
            .hint(format!(
                "end what has it, or stop that instance (`portway -C DIR down`)"
            ))
            .hint(format!(
                "take `{}_port` out of `{file}`, or another port in it, to let Portway choose",
                key(service)
            ))
            .hint(format!(
                "write `fallback = true` in `[services.{service}]` to let it take another port"
            ))
        }
        ChooseError::RangeFull {
            service,
            range,
            leases,
            excluded,
        } => {
            let holders = holders_in_short(project, *range, leases, *excluded);
            CommandError::new(ErrorCode::RangeFull, error.to_string())
                .hint(format!("it is taken by {holders}"))
                .hint(format!(
                    "give it more room: `port = \"{}-{}\"` in `[services.{service}]` of `{FILE_NAME}`",
                    range.first(),
                    range.last().saturating_add(100)
                ))
                .hint("stop an instance that is not needed; `portway ps` lists them")
        }
        ChooseError::System(words) => CommandError::new(ErrorCode::Failed, words.clone()),
    }
}

/// "`python3` (9000-9090), `jobi` (9091)": the holders of a range, in as few words as possible.
fn holders_in_short(
    project: &mut Project,
    range: portway_ports::PortRange,
    leases: &[Lease],
    excluded: usize,
) -> String {
    let instances = project.registry.instances().unwrap_or_default();
    let mut by_holder: IndexMap<String, Vec<u16>> = IndexMap::new();
    for port in range.ports() {
        let lease = leases.iter().find(|lease| lease.port == port);
        let name = match lease {
            Some(lease) => instances
                .iter()
                .find(|(one, ..)| one.id == lease.instance)
                .map_or_else(|| "another instance".into(), |(one, ..)| one.name.clone()),
            None => stranger(port),
        };
        by_holder.entry(name).or_default().push(port);
    }
    const SHOWN: usize = 6;
    let mut words: Vec<String> = by_holder
        .iter()
        .take(SHOWN)
        .map(|(name, ports)| format!("{name}: {}", runs(ports)))
        .collect();
    if by_holder.len() > SHOWN {
        words.push(format!("{} more", by_holder.len() - SHOWN));
    }
    if excluded > 0 {
        words.push(format!("{excluded} of its ports are never given out"));
    }
    words.join("; ")
}

/// `[1, 2, 3, 5]` as `1-3, 5`.
fn runs(ports: &[u16]) -> String {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => runs.push((port, port)),
        }
    }
    let words: Vec<String> = runs
        .into_iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    words.join(", ")
}

// === `.ports.json` ===

/// Writes what Portway owns in `.ports.json`, and has git ignore the file.
fn write_ports_file(
    project: &mut Project,
    file: PortsFile,
    wiring: &Wiring,
) -> Result<(), CommandError> {
    let owned = &wiring.ports_json;
    let ports: IndexMap<&String, &Value> = port_keys(project)
        .iter()
        .filter_map(|(_, json)| owned.get_key_value(json))
        .collect();
    let content = serde_json::to_string(&ports).unwrap_or_default();
    let id = project.instance.id.clone();
    let previous: Map<String, Value> = project
        .registry
        .last_written(&id)?
        .and_then(|text| serde_json::from_str::<Map<String, Value>>(&text).ok())
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(key, port)| {
            let url = format!("{}_url", key.trim_end_matches("_port"));
            [(key, port), (url, Value::Null)]
        })
        .collect();
    // First remembered, then written: a file that the registry does not know would count as a
    // person's.
    let now = portway_supervisor::now();
    project.registry.record_written(&id, &content, now)?;
    file.merged(owned, &previous)
        .write(&project.checkout.root)?;
    ignore_ports_file(project);
    Ok(())
}

/// Tells git, for this clone only, to ignore `.ports.json`, so that no tracked file changes.
/// Nothing depends on it: where it cannot be done, the file merely shows up as untracked.
fn ignore_ports_file(project: &Project) {
    let Some(exclude) = project.checkout.git_exclude() else {
        return;
    };
    let name = ports_file::FILE_NAME;
    let ignores = |text: &str| {
        text.lines()
            .any(|line| line.trim_start_matches('/') == name)
    };
    let current = fs::read_to_string(&exclude).unwrap_or_default();
    let own = fs::read_to_string(project.checkout.root.join(".gitignore")).unwrap_or_default();
    if ignores(&current) || ignores(&own) {
        return;
    }
    let newline = if current.is_empty() || current.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = exclude.parent().map(fs::create_dir_all);
    let _ = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&exclude)
        .and_then(|mut file| file.write_all(format!("{newline}{name}\n").as_bytes()));
}

/// The services as a status of an instance that does not run.
pub(crate) fn service_statuses(project: &Project, allocation: &Allocation) -> Vec<ServiceStatus> {
    project
        .plan
        .services
        .values()
        .map(|service| {
            let ports: Vec<PortStatus> = service
                .ports
                .iter()
                .zip(allocation.ports.of(&service.name))
                .map(|(planned, &port)| PortStatus {
                    name: planned.name.clone(),
                    port,
                    url: wiring::url(service.kind, port),
                    displaced: allocation.displaced.get(&port).cloned(),
                })
                .collect();
            ServiceStatus {
                name: service.name.clone(),
                state: ServiceState::Stopped,
                url: ports.first().map(|port| port.url.clone()),
                ports,
                pid: None,
                since: None,
                restarts: 0,
                message: None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_in_runs() {
        assert_eq!(runs(&[9000, 9001, 9002, 9005]), "9000-9002, 9005");
        assert_eq!(runs(&[9000]), "9000");
    }
}
