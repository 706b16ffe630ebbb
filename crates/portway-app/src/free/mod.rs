//! Freeing a port: what has to be done is decided, and refused, before anything is touched.

pub(crate) mod stop;

use std::thread;
use std::time::{Duration, Instant};

use portway_api::{
    ErrorCode, FreeAction, FreeReport, LeaseState, PortReport, PortState, ProcessInfo, ServiceRef,
};
use portway_ports::Process;
use portway_supervisor::control::{self, Client};
use portway_supervisor::process::ProcessTree;

use crate::dirs;
use crate::error::CommandError;
use crate::gateway::state;
use crate::inspect::{self, Known};
use crate::instance::{attach, connection};
use crate::runtime::runtime;
use stop::Asker;

/// How long the kernel may take to let go of a port whose last process has ended.
const LETS_GO: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A port that is about to be freed.
pub struct Freeing {
    /// What would be done.
    pub freed: FreeReport,
    way: Way,
}

/// What has to be done.
enum Way {
    /// The supervisor stops a service and lets go of its ports.
    Release(ServiceRef),
    /// Processes are ended.
    End(Vec<ProcessTree>),
}

impl Freeing {
    /// Finds the process that uses `port`, and decides how to free it.
    ///
    /// # Errors
    /// When the port is free, or its process must not be stopped.
    pub fn of(port: u16) -> Result<Self, CommandError> {
        let known = Known::read();
        let report = inspect::report(&[port], &known)?.swap_remove(0);
        let way = way(&report, &known)?;
        let freed = FreeReport {
            port,
            action: FreeAction::DryRun,
            processes: processes(&way),
            service: match &way {
                Way::Release(service) => Some(service.clone()),
                Way::End(_) => None,
            },
            free: false,
        };
        Ok(Self { freed, way })
    }

    /// Does it, and sees that the port is free. What does not end within `grace` is killed.
    ///
    /// # Errors
    /// When a process cannot be stopped, or another takes the port.
    pub fn carry_out(mut self, grace: Duration) -> Result<FreeReport, CommandError> {
        self.freed.action = match &self.way {
            Way::Release(service) => release(service)?,
            Way::End(trees) if stop::end(trees, grace)? => FreeAction::Killed,
            Way::End(_) => FreeAction::Terminated,
        };
        until_free(self.freed.port)?;
        self.freed.free = true;
        Ok(self.freed)
    }
}

/// Decides, and refuses, before anything is touched.
fn way(report: &PortReport, known: &Known) -> Result<Way, CommandError> {
    let port = report.port;
    let nothing = |why: String| CommandError::new(ErrorCode::NotFound, why);
    let lease = report.lease.as_ref();
    let live = lease.filter(|lease| lease.state == LeaseState::Live);
    match (report.state, lease) {
        (PortState::Free, _) => return Err(nothing(format!("nobody has port {port}"))),
        (PortState::Kept, Some(lease)) => {
            let (service, instance) = (&lease.owner.service, &lease.owner.instance);
            return Err(nothing(format!(
                "nobody uses port {port}; it is kept for `{service}` of {instance}"
            ))
            .hint(format!("`portway forget {port}` gives it up")));
        }
        _ => {}
    }
    // What serves a port of a running instance is its service, or stands for it (a container's
    // proxy), unless it is a stranger that carries no mark of it.
    let strangers = report.holders.iter().any(|holder| {
        holder.container.is_none()
            && holder.service.as_ref().map(|service| &service.id)
                != live.map(|lease| &lease.owner.id)
    });
    if let Some(lease) = live.filter(|_| !strangers) {
        return Ok(Way::Release(lease.owner.clone()));
    }
    if let Some(gateway) = known.gateway_among(&report.holders) {
        let (what, way_out) = state::on_port(gateway, port);
        let why = format!("port {port} stays as it is: {what}");
        return Err(CommandError::new(ErrorCode::Refused, why).hint(way_out));
    }
    let asker = Asker::this();
    let mut trees = Vec::new();
    for holder in &report.holders {
        if let Some(container) = &holder.container {
            return Err(CommandError::new(
                ErrorCode::Refused,
                format!("port {port} is served by container {container}"),
            )
            .hint("stop the container: `docker stop NAME`, `podman stop NAME`, or by its compose file"));
        }
        let Some(process) = holder.process.as_ref().and_then(|p| Process::read(p.pid)) else {
            return Err(CommandError::new(
                ErrorCode::Refused,
                format!("port {port} belongs to a process of user {}", holder.user),
            )
            .hint(format!("`sudo portway who {port}` tells which it is")));
        };
        asker.may_end(&process)?;
        let sharing: Vec<u32> = holder.shared_with.iter().map(|other| other.pid).collect();
        let tree = ProcessTree::around(&process, &sharing, asker.own());
        asker.may_end(&tree.root)?;
        for process in tree
            .descendants
            .iter()
            .filter_map(|below| Process::read(below.pid))
        {
            asker.may_end(&process)?;
        }
        if !trees
            .iter()
            .any(|known: &ProcessTree| known.root.id == tree.root.id)
        {
            trees.push(tree);
        }
    }
    Ok(Way::End(trees))
}

/// All that would be ended, each tree's root first.
fn processes(way: &Way) -> Vec<ProcessInfo> {
    let Way::End(trees) = way else {
        return Vec::new();
    };
    trees
        .iter()
        .flat_map(|tree| {
            let below = tree
                .descendants
                .iter()
                .filter_map(|one| Process::read(one.pid));
            std::iter::once(tree.root.clone()).chain(below)
        })
        .map(|process| inspect::info(&process))
        .collect()
}

/// Has a service stopped by its supervisor, and its ports let go of.
fn release(service: &ServiceRef) -> Result<FreeAction, CommandError> {
    let dir = portway_registry::instance_dir(&dirs::state_dir()?, &service.id);
    let client = Client::new(&dir.join(control::SOCKET));
    let names = [service.service.clone()];
    runtime()?.block_on(async {
        let events = client.events().await.map_err(|_| {
            CommandError::new(
                ErrorCode::Refused,
                format!("a command uses the ports of {}", service.instance),
            )
            .hint(format!("end the `portway exec` in {}", service.directory))
        })?;
        connection::request(&client, "release", &names).await?;
        attach::until_services_stopped(events, &names).await
    })?;
    Ok(FreeAction::Stopped)
}

/// Sees that nobody has the port any more.
fn until_free(port: u16) -> Result<(), CommandError> {
    let deadline = Instant::now() + LETS_GO;
    loop {
        let known = Known::read();
        let report = inspect::report(&[port], &known)?.swap_remove(0);
        let bound = portway_ports::bound_owners(port).unwrap_or_default();
        if report.holders.is_empty() && bound.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let by = report.holders.iter().find_map(|holder| {
                let parent = holder.parents.first()?;
                let process = holder.process.as_ref()?;
                Some(format!(
                    "`{}` (pid {}), started by `{}` (pid {})",
                    process.name, process.pid, parent.name, parent.pid
                ))
            });
            let by = by.unwrap_or_else(|| "somebody".into());
            return Err(CommandError::new(
                ErrorCode::PortTaken,
                format!("port {port} is taken again by {by}"),
            )
            .hint("what starts it again has to be stopped itself"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}
