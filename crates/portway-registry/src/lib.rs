//! Leases: which port belongs to which service of which checkout.
//!
//! All instances of a user share one SQLite file, which a command writes under one OS file lock. A
//! lease is *live* while the supervisor of its instance holds a lock ([`InstanceLock`]), which is
//! exact after SIGKILL and after a reboot. The leases of stopped instances are retained; others get
//! their ports only if their range has no other free port. This crate opens no sockets. The caller
//! passes a function that tries to hold a port, which runs inside the lock.

mod choose;
mod error;
mod lock;
mod private_file;
mod request;
mod running;
mod sqlite;
mod written;

pub use error::{AllocateError, RegistryError, RegistryProblem};
pub use lock::{
    InstanceLock, RegistryWait, create_private_dir, has_lock_file, has_supervisor, has_users,
    instance_dir, instance_ids, lock_as_supervisor, on_wait, open_lock_file,
};
pub use private_file::replace_file;
pub use request::{
    AllocatedPort, AllocationRequest, ChooseError, Displacement, DisplacementReason, HoldFailure,
    HoldFn, PortRequest,
};
pub use running::{DirectoryId, RunningRecord, own_network};
pub use sqlite::{Fingerprint, SqliteRegistry};
pub use written::{WrittenValue, WrittenValues};

/// The file in an instance's directory with the databases that were created for it. It is kept when the
/// other files of a deleted checkout are removed.
pub const DATABASES_FILE: &str = "databases.json";

use std::path::PathBuf;

use indexmap::IndexMap;
use portway_api::GatewayPorts;
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01 UTC.
pub type Millis = u64;

/// A checkout to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInstance {
    /// Identifies the checkout on this machine.
    pub id: String,
    /// Its real directory.
    pub dir: PathBuf,
    /// The project's name.
    pub project: String,
    /// The preferred name.
    pub name: String,
    /// The name if another instance has the preferred one.
    pub fallback_name: String,
    /// The branch or short commit.
    pub branch: Option<String>,
    /// Whether it is the main checkout of its repository.
    pub is_main: bool,
    /// The identity of its directory.
    pub identity: Option<DirectoryId>,
}

/// A registered checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Identifies the checkout on this machine.
    pub id: String,
    /// Its real directory.
    #[serde(with = "running::os_path")]
    pub dir: PathBuf,
    /// The project's name.
    pub project: String,
    /// Its name, unique on this machine.
    pub name: String,
    /// The branch or short commit when it was last used.
    pub branch: Option<String>,
    /// Whether it is the main checkout of its repository.
    pub is_main: bool,
    /// The optional services that are enabled.
    pub options: Vec<String>,
    /// Where the gateway served names when the supervisor started ([`Registry::set_gateway`]).
    pub gateway: Option<GatewayPorts>,
    /// When it was last used.
    pub last_used: Millis,
    /// The identity of its directory when it was last used.
    #[serde(default)]
    pub identity: Option<DirectoryId>,
}

impl Instance {
    /// Returns whether its directory was deleted. A directory on a device that is not mounted, or that
    /// is not visible to this process, was not.
    pub fn is_deleted(&self) -> bool {
        let device = self.identity.map(|identity| identity.device);
        running::is_deleted(&self.dir, device)
    }
}

/// A port that belongs to a service of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The port.
    pub port: u16,
    /// The instance's id.
    pub instance: String,
    /// The service.
    pub service: String,
    /// The port's name within the service, empty for the only one.
    pub name: String,
    /// The port that the user forced, which may differ from the leased one.
    pub forced_port: Option<u16>,
    /// The preferred port that another user of the machine had when a main checkout got this one instead.
    pub yielded_port: Option<u16>,
    /// When it was last used.
    pub last_used: Millis,
}

impl Lease {
    /// Returns whether the port was observed in the network of its instance. Its name is then the number
    /// that it has there; all other names start with a letter. The lease stays when the instance gets
    /// its ports again.
    pub fn is_observed(&self) -> bool {
        self.name.starts_with(|char: char| char.is_ascii_digit())
    }
}

/// The state of an instance's checkout, which decides whether others may use its leased ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckoutState {
    /// A supervisor or a command uses the instance.
    Running,
    /// The instance is stopped, and its directory exists.
    Stopped,
    /// The directory does not exist.
    Missing,
}

/// The operations of a registry.
pub trait Registry {
    /// Registers a checkout or updates its record, and decides its name.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn register(&mut self, new: &NewInstance, now: Millis) -> Result<Instance, RegistryError>;

    /// Records which optional services are enabled.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn set_options(&mut self, instance: &str, options: &[String]) -> Result<(), RegistryError>;

    /// Records where the gateway served names when the instance's supervisor started.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn set_gateway(
        &mut self,
        instance: &str,
        gateway: Option<&GatewayPorts>,
    ) -> Result<(), RegistryError>;

    /// Returns the record of one instance, if it is registered.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn instance(&mut self, id: &str) -> Result<Option<Instance>, RegistryError>;

    /// Leases a port for every entry of `request`, or none.
    ///
    /// # Errors
    /// Fails if a forced port is in use, if a range is full, if another process than the supervisor
    /// requests ports for a running instance, and if the registry cannot be written.
    fn allocate(
        &mut self,
        request: &AllocationRequest<'_>,
        hold: &mut HoldFn<'_>,
        now: Millis,
    ) -> Result<Vec<AllocatedPort>, AllocateError>;

    /// Records a running instance and its leases again, after the database was replaced. Leases of
    /// instances that do not run give way. Does nothing if everything is recorded.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn restore(
        &mut self,
        instance: &Instance,
        leases: &[Lease],
        now: Millis,
    ) -> Result<(), RegistryError>;

    /// Returns the leases of one instance.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn leases(&mut self, instance: &str) -> Result<Vec<Lease>, RegistryError>;

    /// Returns all registered instances with their leases and states, ordered by project and name,
    /// main checkouts first.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn instances(&mut self) -> Result<Vec<(Instance, Vec<Lease>, CheckoutState)>, RegistryError>;

    /// Deletes the leases of `ports`, or none if the instance of one is running. Returns the leases
    /// that it found.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn release(
        &mut self,
        ports: &[u16],
    ) -> Result<Vec<(Instance, Lease, CheckoutState)>, RegistryError>;

    /// Deletes the instances whose directories are gone, with all that belongs to them. Returns
    /// them with the leases that they had.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn prune(&mut self) -> Result<Vec<(Instance, Vec<Lease>)>, RegistryError>;

    /// Returns what Portway last wrote into this instance's `.ports.json`; nothing if it never
    /// wrote one.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn last_written(&mut self, instance: &str) -> Result<WrittenValues, RegistryError>;

    /// Returns whether Portway ever wrote exactly these ports, in this order, into a `.ports.json`
    /// on this machine. A file with these ports was copied, not edited.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn was_written(&mut self, ports: &IndexMap<String, u16>) -> Result<bool, RegistryError>;

    /// Records what is about to be written into this instance's `.ports.json`.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn record_written(
        &mut self,
        instance: &str,
        values: &WrittenValues,
        now: Millis,
    ) -> Result<(), RegistryError>;

    /// Waits until everything that this process recorded survives a power failure, and with
    /// `others` also what other processes recorded. Call it before a port is printed or written.
    ///
    /// # Errors
    /// Fails if the disk reports an error.
    fn sync(&mut self, others: bool) -> Result<(), RegistryError>;

    /// Returns the digest and the outputs of a service's last successful prepare step.
    ///
    /// # Errors
    /// Fails if the registry cannot be read.
    fn prepared(
        &mut self,
        instance: &str,
        service: &str,
    ) -> Result<Option<(String, Vec<String>)>, RegistryError>;

    /// Removes the records of the prepare steps of `services`, so that they run again.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn forget_prepared(&mut self, instance: &str, services: &[String])
    -> Result<(), RegistryError>;

    /// Records a successful prepare step.
    ///
    /// # Errors
    /// Fails if the registry cannot be written.
    fn record_prepared(
        &mut self,
        instance: &str,
        service: &str,
        digest: &str,
        outputs: &[String],
    ) -> Result<(), RegistryError>;
}
