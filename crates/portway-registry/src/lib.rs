//! Leases: which port belongs to which service of which checkout.
//!
//! One SQLite file that all instances of a user share, written in one transaction under one OS file
//! lock, so that waiting is queued by the kernel and not polled. Nothing has to be running for it
//! to be right.
//!
//! Liveness needs no pid. A supervisor holds an OS file lock for as long as it lives
//! ([`InstanceLock`]), and a lease is *live* while its owner's lock is held: exact after SIGKILL
//! and after a reboot. A lease without a live owner is *kept*: others pass it by as long as their
//! range has another free port.
//!
//! This crate knows no sockets. Whether a port is free is asked of a function that tries to hold
//! it, inside the lock, so that leasing and holding are one step.

mod choose;
mod error;
mod lock;
mod sqlite;

pub use choose::{Allotted, ChooseError, Displacement, Request, Wanted};
pub use error::{AllocateError, RegistryError};
pub use lock::{InstanceLock, instance_dir, is_used, private_dir};
pub use sqlite::SqliteRegistry;

use std::path::PathBuf;

/// Milliseconds since 1970-01-01 UTC.
pub type Millis = u64;

/// A checkout that asks to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Identifies the checkout on this machine.
    pub id: String,
    /// Its real directory.
    pub dir: PathBuf,
    /// The project's name.
    pub project: String,
    /// The name it would like to have.
    pub name: String,
    /// The name it takes when somebody else has that.
    pub distinct_name: String,
    /// The branch or short commit.
    pub branch: Option<String>,
    /// Whether it is the main checkout of its repository.
    pub main: bool,
}

/// A checkout that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Identifies the checkout on this machine.
    pub id: String,
    /// Its real directory.
    pub dir: PathBuf,
    /// The project's name.
    pub project: String,
    /// Its name, which no other checkout has.
    pub name: String,
    /// The branch or short commit when it was last used.
    pub branch: Option<String>,
    /// Whether it is the main checkout of its repository.
    pub main: bool,
    /// The optional services that take part.
    pub options: Vec<String>,
    /// Where the gateway served names when its supervisor started, as [`Registry::set_gateway`] was
    /// told.
    pub gateway: Option<String>,
    /// When it was last used.
    pub last_used: Millis,
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
    /// The port that a person asked for, which may be another.
    pub wish: Option<u16>,
    /// When it was last used.
    pub last_used: Millis,
}

/// Whether the owner of a lease is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Live,
    /// It does not run; its directory is there.
    Kept,
    /// Its directory is gone.
    Gone,
}

/// What Portway needs of a registry. One is a file; others may be shared between machines.
pub trait Registry {
    /// Makes a checkout known, or brings what is known of it up to date. It gets its name here.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn enroll(&mut self, newcomer: &Newcomer, now: Millis) -> Result<Instance, RegistryError>;

    /// Remembers which optional services take part.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn set_options(&mut self, instance: &str, options: &[String]) -> Result<(), RegistryError>;

    /// Remembers where the gateway served names when the instance's supervisor started.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn set_gateway(&mut self, instance: &str, gateway: Option<&str>) -> Result<(), RegistryError>;

    /// Finds a port for everything that `request` wants and leases all of them, or none. `hold`
    /// tries to hold a port and says whether it could; its second argument tells whether the port
    /// was this instance's before.
    ///
    /// # Errors
    /// When a forced port is taken or a range is full, and when the registry cannot be written.
    fn allocate(
        &mut self,
        request: &Request<'_>,
        hold: &mut dyn FnMut(u16, bool) -> Result<bool, String>,
        now: Millis,
    ) -> Result<Vec<Allotted>, AllocateError>;

    /// The leases of one instance.
    ///
    /// # Errors
    /// When the registry cannot be read.
    fn leases(&mut self, instance: &str) -> Result<Vec<Lease>, RegistryError>;

    /// All known instances with their leases and whether they run, by name.
    ///
    /// # Errors
    /// When the registry cannot be read.
    fn instances(&mut self) -> Result<Vec<(Instance, Vec<Lease>, Liveness)>, RegistryError>;

    /// Gives up the leases of `ports`, all of them or, when the instance of one runs, none. Answers
    /// those that there were.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn forget(&mut self, ports: &[u16]) -> Result<Vec<(Instance, Lease, Liveness)>, RegistryError>;

    /// Drops the instances whose directories are gone, with all that is kept of them. Answers them
    /// with the leases that they had.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn prune(&mut self) -> Result<Vec<(Instance, Vec<Lease>)>, RegistryError>;

    /// What Portway last wrote into this instance's `.ports.json`, as it was recorded.
    ///
    /// # Errors
    /// When the registry cannot be read.
    fn last_written(&mut self, instance: &str) -> Result<Option<String>, RegistryError>;

    /// Whether Portway ever wrote `content` into any `.ports.json` of this machine: then a file
    /// that holds it was copied, not written by a person.
    ///
    /// # Errors
    /// When the registry cannot be read.
    fn was_written(&mut self, content: &str) -> Result<bool, RegistryError>;

    /// Remembers what is about to be written into this instance's `.ports.json`: `owned` for
    /// [`Registry::last_written`], and `content`, the part by which a copy is known, for
    /// [`Registry::was_written`].
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn record_written(
        &mut self,
        instance: &str,
        owned: &str,
        content: &str,
        now: Millis,
    ) -> Result<(), RegistryError>;

    /// Waits until what was recorded here survives a power cut, and with `others` what other
    /// processes recorded too. Nothing that names a port may leave the process before.
    ///
    /// # Errors
    /// When the disk does not take it.
    fn settle(&mut self, others: bool) -> Result<(), RegistryError>;

    /// The digest and the outputs of a service's last successful prepare step.
    ///
    /// # Errors
    /// When the registry cannot be read.
    fn prepared(
        &mut self,
        instance: &str,
        service: &str,
    ) -> Result<Option<(String, Vec<String>)>, RegistryError>;

    /// Remembers a successful prepare step.
    ///
    /// # Errors
    /// When the registry cannot be written.
    fn record_prepared(
        &mut self,
        instance: &str,
        service: &str,
        digest: &str,
        outputs: &[String],
    ) -> Result<(), RegistryError>;
}
