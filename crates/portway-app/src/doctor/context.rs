//! The state of a checkout, collected once; errors are part of the value. Creates, leases and writes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use portway_api::{ErrorCode, InstanceStatus};
use portway_detect::Detection;
use portway_project::checkout::directories_above;
use portway_project::manifest::FILE_NAME;
use portway_project::{
    AssignedPorts, Checkout, Manifest, Plan, PlannedService, PortsFile, PortsFileError,
    Preferences, Wiring, WiringInput,
};
use portway_registry::{CheckoutState, Registry, RunningRecord, WrittenValues};
use portway_supervisor::control::{self, Client};
use serde_json::Value;
use tokio::time::timeout;

use crate::dirs;
use crate::error::CommandError;
use crate::instance::snapshot;
use crate::mapping::mappings;
use crate::preferences;
use crate::project::{Described, describe_for};
use crate::registry::{Entry, RegistryReader};

/// Timeout of a supervisor's status.
const STATUS_TIMEOUT: Duration = Duration::from_secs(2);

/// A checkout and everything that is known about it.
pub(super) struct DoctorContext {
    /// The project's root, or the requested directory if there is no project.
    pub(super) root: PathBuf,
    /// Its identity.
    pub(super) checkout: Checkout,
    /// The error of the user's preferences, if any; the defaults then apply.
    pub(super) preferences: Result<(), CommandError>,
    /// The plan.
    pub(super) plan: Result<Plan, CommandError>,
    /// What was detected, if there is no manifest.
    pub(super) found: Option<Detection>,
    /// The manifest file; `None` if it is invalid or missing.
    pub(super) manifest: Option<Manifest>,
    /// The records of the registry.
    pub(super) records: Result<Records, CommandError>,
    /// `.ports.json`.
    pub(super) file: Result<Option<PortsFile>, PortsFileError>,
    /// The ports on which the services should be.
    pub(super) ports: AssignedPorts,
    /// The supervisor's status, if the instance is running.
    pub(super) status: Option<InstanceStatus>,
    /// Milliseconds since 1970-01-01 UTC.
    pub(super) now: u64,
}

/// Who wrote a port into `.ports.json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueOrigin {
    /// Portway, into this file.
    Portway,
    /// Portway, into the file of another checkout, of which this file is a copy.
    OtherCheckout,
    /// The user.
    User,
}

/// Records of the registry.
#[derive(Default)]
pub(super) struct Records {
    /// Every instance with its leases.
    pub(super) entries: Vec<Entry>,
    /// What Portway last wrote to this checkout's `.ports.json`.
    written: WrittenValues,
    /// Whether Portway wrote the ports of the file to another checkout's file.
    is_copy: bool,
}

impl Records {
    /// Returns who wrote a value of `.ports.json`.
    pub(super) fn origin(&self, key: &str, value: &Value) -> ValueOrigin {
        match port_value(value) {
            _ if self.is_copy => ValueOrigin::OtherCheckout,
            Some(port) if self.written.port(key) == Some(port) => ValueOrigin::Portway,
            _ => ValueOrigin::User,
        }
    }
}

/// The owner of a port, from plan and leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PortOwner {
    /// This service of this checkout.
    Own(String),
    /// A service of another checkout, as text.
    Other(String),
    /// No known service.
    None,
}

impl DoctorContext {
    /// Collects the state of the project in `directory`.
    ///
    /// # Errors
    /// If the directory does not exist.
    pub(super) async fn collect(directory: Option<&Path>) -> Result<Self, CommandError> {
        let directory = dirs::directory(directory)?;
        let (user, preferences) = match preferences::read_user() {
            Ok(user) => (user, Ok(())),
            Err(wrong) => (Preferences::default(), Err(wrong)),
        };
        let described = describe_for(&directory, || Ok(user));
        let root = match &described {
            Ok(described) => described.manifest.root().to_owned(),
            // Even an invalid manifest marks the project's root.
            Err(_) => directories_above(&directory)
                .find(|dir| dir.join(FILE_NAME).symlink_metadata().is_ok())
                .unwrap_or(&directory)
                .to_owned(),
        };
        let checkout = Checkout::read(&root)?;
        let root = checkout.root.clone();
        let file = PortsFile::read(&root);
        let entries = RegistryReader::open().and_then(|mut registry| registry.instances());
        let is_it = |entry: &&Entry| entry.0.id == checkout.id;
        let entry = entries.as_ref().ok().and_then(|all| all.iter().find(is_it));
        let found = described.as_ref().ok().and_then(|one| one.found.clone());
        let written_down = described.as_ref().ok().filter(|one| one.found.is_none());
        let manifest = written_down.map(|one| one.manifest.clone());
        let plan = match running_plan(&root, entry, &described).await {
            Some(plan) => Ok(plan),
            None => described.and_then(|described| snapshot::plan(&described, entry)),
        };
        let written = file.as_ref().ok().and_then(Option::as_ref);
        let ports = plan
            .as_ref()
            .map(|plan| snapshot::ports(plan, written, entry))
            .unwrap_or_default();
        let status = match entry {
            Some((instance, _, CheckoutState::Running)) => status(&instance.id).await,
            _ => None,
        };
        let records = entries.and_then(|entries| {
            let keys = plan.as_ref().map(port_keys).unwrap_or_default();
            records(entries, &checkout.id, written, &keys)
        });
        Ok(Self {
            root,
            checkout,
            preferences,
            plan,
            found,
            manifest,
            records,
            file,
            ports,
            status,
            now: portway_supervisor::now(),
        })
    }

    /// Returns the registry's record of this checkout.
    pub(super) fn entry(&self) -> Option<&Entry> {
        let records = self.records.as_ref().ok()?;
        let mut entries = records.entries.iter();
        entries.find(|(instance, ..)| instance.id == self.checkout.id)
    }

    /// Iterates over the enabled services in the order of the manifest; empty without a plan.
    pub(super) fn services(&self) -> impl Iterator<Item = &PlannedService> {
        self.plan.iter().flat_map(|plan| plan.services.values())
    }

    /// The directory of a service.
    pub(super) fn dir(&self, service: &PlannedService) -> PathBuf {
        service.working_dir(&self.root)
    }

    /// Returns the owners of all ports that have one.
    pub(super) fn owners(&self) -> BTreeMap<u16, PortOwner> {
        let mut owners = BTreeMap::new();
        for (instance, leases, liveness) in self.records.iter().flat_map(|one| &one.entries) {
            if instance.id == self.checkout.id || *liveness == CheckoutState::Missing {
                continue;
            }
            for lease in leases {
                let words = format!(
                    "`{}` of `{}`, in {}",
                    lease.service,
                    instance.name,
                    instance.dir.display()
                );
                owners.insert(lease.port, PortOwner::Other(words));
            }
        }
        for service in self.services() {
            for port in self.ports.of(&service.name) {
                // A lease of another instance takes precedence over this checkout's file.
                owners
                    .entry(*port)
                    .or_insert_with(|| PortOwner::Own(service.name.clone()));
            }
        }
        owners
    }

    /// Returns the wiring for these ports; `None` without a plan.
    pub(super) fn wiring(&self, ports: &AssignedPorts) -> Option<Wiring> {
        let plan = self.plan.as_ref().ok()?;
        let name = self.entry().map_or("", |(instance, ..)| &instance.name);
        let input = WiringInput {
            instance: name,
            env_files: &IndexMap::new(),
            mappings: &mappings(&self.root, plan, self.found.is_some(), &[]),
            trust: &IndexMap::new(),
            gateway: None,
            inner: None,
        };
        Some(Wiring::new(plan, ports, &self.checkout, &input))
    }

    /// Returns whether Portway or the manifest sets a variable for every service that loads the `.env`
    /// files of `dir`, which therefore do not apply. A service loads those of its own directory or, if
    /// no service is there, of the root.
    pub(super) fn is_overridden(&self, dir: &Path, variable: &str, wiring: &Wiring) -> bool {
        let all: Vec<&PlannedService> = self.services().collect();
        let mut loading: Vec<&PlannedService> = all.clone();
        loading.retain(|service| self.dir(service) == dir);
        if loading.is_empty() {
            loading = all;
        }
        let is_set = |service: &&PlannedService| {
            let launch = wiring.services.get(&service.name);
            launch.is_some_and(|launch| launch.env.contains_key(variable))
        };
        wiring.shared.contains_key(variable) || (!loading.is_empty() && loading.iter().all(is_set))
    }

    /// Returns the directories whose `.env` files are read.
    pub(super) fn dirs(&self) -> BTreeSet<PathBuf> {
        let services = self.services().map(|service| self.dir(service));
        services.chain([self.root.clone()]).collect()
    }
}

/// Returns the plan of the instance that is running. `None` if it is not running, or if the manifest is
/// invalid now, which is reported.
async fn running_plan(
    root: &Path,
    entry: Option<&Entry>,
    described: &Result<Described, CommandError>,
) -> Option<Plan> {
    let preferences = match described {
        Ok(described) => described.preferences.clone(),
        Err(error) if error.info.code == ErrorCode::NoManifest => Preferences::default(),
        Err(_) => return None,
    };
    let (instance, _, CheckoutState::Running) = entry? else {
        return None;
    };
    let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, &instance.id);
    let record = RunningRecord::read(&dir)?;
    let client = Client::new(&dir.join(control::SOCKET));
    let text = timeout(STATUS_TIMEOUT, client.get::<String>("/v1/manifest"));
    let text = text.await.ok()?.ok()?;
    let manifest = Manifest::parse(&root.join(FILE_NAME), &text).ok()?;
    let options = record.instance.options;
    Plan::with_preferences(&manifest, &options, &preferences).ok()
}

async fn status(id: &str) -> Option<InstanceStatus> {
    let dir = portway_registry::instance_dir(&dirs::state_dir().ok()?, id);
    let client = Client::new(&dir.join(control::SOCKET));
    timeout(STATUS_TIMEOUT, client.status()).await.ok()?.ok()
}

/// Returns the keys of all ports in `.ports.json`.
pub(super) fn port_keys(plan: &Plan) -> Vec<String> {
    let of = |service: &PlannedService| {
        let keys = (0..service.ports.len()).map(|index| service.port_key(index));
        keys.collect::<Vec<_>>()
    };
    plan.services.values().flat_map(of).collect()
}

/// A value of `.ports.json` as a port.
fn port_value(value: &Value) -> Option<u16> {
    u16::try_from(value.as_u64()?).ok()
}

fn records(
    entries: Vec<Entry>,
    id: &str,
    file: Option<&PortsFile>,
    keys: &[String],
) -> Result<Records, CommandError> {
    let mut reader = RegistryReader::open()?;
    let Some(registry) = reader.get()? else {
        return Ok(Records::default());
    };
    let written = registry.last_written(id)?;
    let found: Vec<(&String, Option<u16>)> = keys
        .iter()
        .filter_map(|key| Some((key, port_value(file?.content.get(key)?))))
        .collect();
    let is_own = found
        .iter()
        .all(|(key, port)| port.is_some() && written.port(key) == *port);
    // A value that is not a port was not written by Portway.
    let ports: Option<IndexMap<String, u16>> = found
        .iter()
        .map(|(key, port)| Some(((*key).clone(), (*port)?)))
        .collect();
    let is_copy = match ports {
        Some(ports) if !is_own && !ports.is_empty() => registry.was_written(&ports)?,
        _ => false,
    };
    Ok(Records {
        entries,
        written,
        is_copy,
    })
}
