//! Restores what shows other processes that an instance is running, if it was deleted: its lock and
//! record, and its leases in the registry.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_api::{InstanceStatus, PortConflict, PortStatus};
use portway_registry::{
    Fingerprint, Instance, InstanceLock, Lease, Registry, RegistryError, RunningRecord,
    SqliteRegistry, create_private_dir, lock_as_supervisor, own_network,
};

use crate::error::CommandError;
use crate::instance::connection::Supervised;
use crate::project::RegisteredProject;

/// What shows that an instance is running, until it is dropped. It must outlive the processes of the
/// instance.
pub(super) struct Presence {
    dir: PathBuf,
    /// The locks. More than one if the first was deleted.
    locks: Arc<Mutex<Vec<InstanceLock>>>,
    /// Keeps the kernel from using the directory's inode again after the directory was deleted. `None`
    /// on Windows.
    _directory: Option<std::fs::File>,
}

impl Presence {
    /// Records the instance that `lock` belongs to.
    pub(super) fn new(registered: &RegisteredProject, lock: InstanceLock) -> Self {
        let dir = registered.dir();
        // In place of the record of a killed supervisor.
        write_record(&dir, registered);
        Self {
            dir,
            locks: Arc::new(Mutex::new(vec![lock])),
            _directory: std::fs::File::open(&registered.project.checkout.root).ok(),
        }
    }

    /// Records the instance as it is after its ports are chosen. Returns what restores it.
    pub(super) fn restorer(
        &self,
        registered: &mut RegisteredProject,
        state_dir: PathBuf,
    ) -> Result<Restorer, CommandError> {
        let recorded = Recorded {
            dir: self.dir.clone(),
            record: write_record(&self.dir, registered),
            forced: forced_ports(registered)?,
        };
        Ok(Restorer {
            fingerprint: Fingerprint::read(&state_dir),
            state_dir,
            dir: self.dir.clone(),
            recorded: Arc::new(Mutex::new(recorded)),
            locks: self.locks.clone(),
        })
    }
}

/// The forced ports of an instance by service and name of the port.
type ForcedPorts = HashMap<(String, String), u16>;

/// Returns the forced ports of an instance.
pub(super) fn forced_ports(
    registered: &mut RegisteredProject,
) -> Result<ForcedPorts, CommandError> {
    let leases = registered.registry.leases(&registered.instance.id)?;
    let forced = leases.into_iter().filter_map(|lease| {
        let port = lease.forced_port?;
        Some(((lease.service, lease.name), port))
    });
    Ok(forced.collect())
}

/// The instance as it is recorded. A change of the project changes it.
pub(super) struct Recorded {
    dir: PathBuf,
    pub(super) record: RunningRecord,
    forced: ForcedPorts,
}

impl Recorded {
    /// Records the network that the instance has for itself.
    pub(super) fn set_inner_network(&mut self, network: Option<u64>) {
        if self.record.inner_network != network {
            self.record.inner_network = network;
            write(&self.record, &self.dir);
        }
    }

    /// Records the instance after a change. `forced` is `None` if its ports are the same.
    pub(super) fn update(&mut self, instance: Instance, forced: Option<ForcedPorts>) {
        self.forced = forced.unwrap_or_else(|| std::mem::take(&mut self.forced));
        if self.record.instance == instance {
            return;
        }
        self.record.instance = instance;
        write(&self.record, &self.dir);
    }
}

fn write_record(dir: &Path, registered: &RegisteredProject) -> RunningRecord {
    let record = RunningRecord {
        instance: registered.instance.clone(),
        pid: std::process::id(),
        network: own_network(),
        inner_network: None,
    };
    write(&record, dir);
    record
}

fn write(record: &RunningRecord, dir: &Path) {
    if let Err(error) = record.write(dir) {
        // The instance is then found by its path only.
        tracing::warn!(%error, "cannot record the instance as running");
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        RunningRecord::remove(&self.dir);
    }
}

/// Restores what was deleted.
pub(super) struct Restorer {
    state_dir: PathBuf,
    dir: PathBuf,
    pub(super) recorded: Arc<Mutex<Recorded>>,
    locks: Arc<Mutex<Vec<InstanceLock>>>,
    fingerprint: Fingerprint,
}

impl Restorer {
    /// Records the network that the instance has for itself.
    pub(super) fn set_inner_network(&self, network: Option<u64>) {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.set_inner_network(network);
    }

    /// Restores what was deleted. `status` returns the status of the instance.
    pub(super) fn check(&mut self, status: &dyn Fn() -> InstanceStatus) {
        if let Err(error) = self.restore_lock() {
            tracing::warn!(%error, "cannot restore the lock of the instance");
        }
        let now = Fingerprint::read(&self.state_dir);
        if now == self.fingerprint || !may_create(&self.state_dir) {
            return;
        }
        let status = status();
        // The first status has no services.
        if status.services.is_empty() {
            return;
        }
        match self.restore_leases(&status) {
            Ok(()) => self.fingerprint = Fingerprint::read(&self.state_dir),
            Err(error) => {
                tracing::warn!(%error, "cannot record the leases of the instance");
                // Tried again after the next change.
                self.fingerprint = now;
            }
        }
    }

    fn restore_lock(&self) -> io::Result<()> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_visible = locks.last().is_some_and(InstanceLock::is_visible);
        if !is_visible && may_create(&self.state_dir) {
            create_private_dir(&self.dir)?;
            match lock_as_supervisor(&self.dir)? {
                Some(lock) => locks.push(lock),
                None => return Err(io::Error::from(io::ErrorKind::WouldBlock)),
            }
        }
        if !RunningRecord::exists(&self.dir) && self.dir.exists() {
            self.recorded().record.write(&self.dir)?;
        }
        Ok(())
    }

    fn restore_leases(&self, status: &InstanceStatus) -> Result<(), RegistryError> {
        let recorded = self.recorded();
        let leases: Vec<Lease> = leases(status, &recorded.forced);
        let instance = recorded.record.instance.clone();
        drop(recorded);
        SqliteRegistry::open(&self.state_dir)?.restore(
            &instance,
            &leases,
            portway_supervisor::now(),
        )
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether a deleted state directory may be created again: not if the directories above it are
/// gone, too.
fn may_create(state_dir: &Path) -> bool {
    state_dir.ancestors().nth(2).is_some_and(Path::exists)
}

/// Returns the preferred port that a service leaves to another user of the machine.
fn yielded_port(port: &PortStatus) -> Option<u16> {
    let displaced = port.displaced.as_ref()?;
    (displaced.reason == PortConflict::OtherUser).then_some(displaced.wanted)
}

/// Returns the leases of a running instance from its status.
pub(crate) fn leases(
    status: &InstanceStatus,
    forced: &HashMap<(String, String), u16>,
) -> Vec<Lease> {
    let mut leases = Vec::new();
    for service in &status.services {
        for port in &service.ports {
            let name = port.name.clone().unwrap_or_default();
            leases.push(Lease {
                port: port.port,
                instance: status.id.clone(),
                service: service.name.clone(),
                yielded_port: yielded_port(port),
                forced_port: forced.get(&(service.name.clone(), name.clone())).copied(),
                name,
                last_used: status.since.unwrap_or_default(),
            });
        }
    }
    leases
}
