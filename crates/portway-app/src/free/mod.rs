//! Frees a port: plans first which service or processes to stop, and refuses before anything is
//! stopped.

pub(crate) mod stop;

use std::thread;
use std::time::{Duration, Instant};

use portway_api::{
    ErrorCode, FreeAction, FreeReport, LeaseState, PortReport, PortState, ProcessInfo, ServiceRef,
};
use portway_ports::Process;
use portway_supervisor::process::ProcessTree;

use crate::dirs;
use crate::error::CommandError;
use crate::gateway::state;
use crate::inspect::{self, Known};
use crate::instance::connection::{self, InstanceDir};
use crate::instance::stop::until_services_stopped;
use crate::runtime::runtime;
use stop::StopPolicy;

/// How long the kernel may take to release a port after its last process has exited.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// The interval between two checks whether the port is free.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The plan for freeing a port.
pub struct FreePlan {
    /// The port and the processes to stop, as a dry run reports them.
    pub report: FreeReport,
    target: Target,
}

/// What has to be stopped.
enum Target {
    /// A service, which its supervisor stops before it releases the ports.
    Service(ServiceRef),
    /// Process trees that belong to no running instance.
    Processes(Vec<ProcessTree>),
}

impl FreePlan {
    /// Finds out what uses `port` and plans how to free it.
    ///
    /// # Errors
    /// When the port is free, or what uses it must not be stopped.
    pub fn new(port: u16) -> Result<Self, CommandError> {
        let known = Known::read();
        let report = inspect::report(&[port], &known)?.swap_remove(0);
        let target = find_target(&report, &known)?;
        let report = FreeReport {
            port,
            action: FreeAction::DryRun,
            processes: processes(&target),
            service: match &target {
                Target::Service(service) => Some(service.clone()),
                Target::Processes(_) => None,
            },
            free: false,
        };
        Ok(Self { report, target })
    }

    /// Stops the service or the processes and waits until the port is free. Kills processes that do
    /// not exit within `grace`.
    ///
    /// # Errors
    /// When a process cannot be stopped, or another process starts to use the port.
    pub fn execute(mut self, grace: Duration) -> Result<FreeReport, CommandError> {
        self.report.action = match &self.target {
            Target::Service(service) => stop_service(service)?,
            Target::Processes(trees) if stop::stop_trees(trees, grace)? => FreeAction::Killed,
            Target::Processes(_) => FreeAction::Terminated,
        };
        wait_until_free(self.report.port)?;
        self.report.free = true;
        Ok(self.report)
    }
}

/// Finds what to stop to free a port.
///
/// # Errors
/// When the port is not in use, or what uses it must not be stopped.
fn find_target(report: &PortReport, known: &Known) -> Result<Target, CommandError> {
    let port = report.port;
    let not_in_use = |message: String| CommandError::new(ErrorCode::NotFound, message);
    let lease = report.lease.as_ref();
    let live = lease.filter(|lease| lease.state == LeaseState::Live);
    match (report.state, lease) {
        (PortState::Free, _) => return Err(not_in_use(format!("port {port} is not in use"))),
        (PortState::Kept, Some(lease)) => {
            let (service, instance) = (&lease.owner.service, &lease.owner.instance);
            return Err(not_in_use(format!(
                "port {port} is not in use; `{service}` of `{instance}` has a lease on it"
            ))
            .hint(format!("run `portway forget {port}` to release the lease")));
        }
        _ => {}
    }
    // A port of a running instance is used by its service or by the proxy of its container. A
    // process without the mark of that instance does not belong to it.
    let has_other_process = report.holders.iter().any(|holder| {
        holder.container.is_none()
            && holder.service.as_ref().map(|service| &service.id)
                != live.map(|lease| &lease.owner.id)
    });
    if let Some(lease) = live.filter(|_| !has_other_process) {
        return Ok(Target::Service(lease.owner.clone()));
    }
    if let Some(gateway) = known.gateway_among(&report.holders) {
        let (usage, help) = state::describe_port_usage(gateway, port);
        let message = format!("cannot free port {port}: {usage}");
        return Err(CommandError::new(ErrorCode::Refused, message).hint(help));
    }
    let policy = StopPolicy::for_this_process();
    let mut trees = Vec::new();
    for holder in &report.holders {
        if let Some(container) = &holder.container {
            return Err(CommandError::new(
                ErrorCode::Refused,
                format!("port {port} is in use by container `{container}`"),
            )
            .hint("stop the container: run `docker stop NAME`, `podman stop NAME` or `docker compose down`"));
        }
        let Some(process) = holder.process.as_ref().and_then(|p| Process::read(p.pid)) else {
            return Err(CommandError::new(
                ErrorCode::Refused,
                format!(
                    "port {port} is in use by a process of user `{}`",
                    holder.user
                ),
            )
            .hint(format!("run `sudo portway who {port}` to see the process")));
        };
        policy.check(&process)?;
        let sharing: Vec<u32> = holder.shared_with.iter().map(|other| other.pid).collect();
        let tree = ProcessTree::around(&process, &sharing, policy.own_processes());
        policy.check(&tree.root)?;
        for process in tree
            .descendants
            .iter()
            .filter_map(|descendant| Process::read(descendant.pid))
        {
            policy.check(&process)?;
        }
        if !trees
            .iter()
            .any(|other: &ProcessTree| other.root.id == tree.root.id)
        {
            trees.push(tree);
        }
    }
    Ok(Target::Processes(trees))
}

/// Returns all processes to stop. The root of each tree comes first.
fn processes(target: &Target) -> Vec<ProcessInfo> {
    let Target::Processes(trees) = target else {
        return Vec::new();
    };
    trees
        .iter()
        .flat_map(|tree| {
            let descendants = tree
                .descendants
                .iter()
                .filter_map(|one| Process::read(one.pid));
            std::iter::once(tree.root.clone()).chain(descendants)
        })
        .map(|process| inspect::info(&process))
        .collect()
}

/// Sends the supervisor a request to stop a service and release its ports, and waits for it.
fn stop_service(service: &ServiceRef) -> Result<FreeAction, CommandError> {
    let dir = portway_registry::instance_dir(&dirs::state_dir()?, &service.id);
    let instance = InstanceDir(dir);
    let names = [service.service.clone()];
    runtime()?.block_on(async {
        let events = connection::events(&instance).await?.ok_or_else(|| {
            CommandError::new(
                ErrorCode::Refused,
                format!(
                    "a `portway exec` command is using the ports of `{}`",
                    service.instance
                ),
            )
            .hint(format!(
                "stop the `portway exec` command in `{}`",
                service.directory
            ))
        })?;
        connection::request(&instance, "release", &names).await?;
        until_services_stopped(&instance, events, &names).await
    })?;
    Ok(FreeAction::Stopped)
}

/// Waits until no process has bound the port.
///
/// # Errors
/// When a process still has it after [`RELEASE_TIMEOUT`].
fn wait_until_free(port: u16) -> Result<(), CommandError> {
    let deadline = Instant::now() + RELEASE_TIMEOUT;
    loop {
        let known = Known::read();
        let report = inspect::report(&[port], &known)?.swap_remove(0);
        let bound = portway_ports::bound_owners(port).unwrap_or_default();
        if report.holders.is_empty() && bound.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let occupant = report.holders.iter().find_map(|holder| {
                let parent = holder.parents.first()?;
                let process = holder.process.as_ref()?;
                Some(format!(
                    "`{}` (pid {}), started by `{}` (pid {})",
                    process.name, process.pid, parent.name, parent.pid
                ))
            });
            let occupant = occupant.unwrap_or_else(|| "an unknown process".into());
            return Err(CommandError::new(
                ErrorCode::PortTaken,
                format!("port {port} is in use again, by {occupant}"),
            )
            .hint("stop the program that restarts the process"));
        }
        thread::sleep(POLL_INTERVAL);
    }
}
