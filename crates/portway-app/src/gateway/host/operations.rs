//! The operations on this machine that the gateway's web API offers.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use portway_api::{
    ErrorBody, ErrorCode, ErrorInfo, ExcludedPort, FreeReport, GatewayStatus, NamedRange, PortMap,
    PortReport,
};
use portway_ports::PortRange;
use portway_project::Preferences;

use super::listen;
use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::free::FreePlan;
use crate::gateway::state;
use crate::inspect::{self, Known};
use crate::platform;

/// How long processes may take to exit before they are killed; the default of `portway free`.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Executes the operations with the preferences of the user.
pub(crate) struct HostOperations {
    preferences: Preferences,
    /// Serializes the writes of the saved status.
    save_lock: Mutex<()>,
}

impl portway_gateway::Operations for HostOperations {
    fn port_map(&self) -> Result<PortMap, ErrorInfo> {
        self.map().map_err(|error| error.info)
    }

    fn port_report(&self, port: u16) -> Result<PortReport, ErrorInfo> {
        let reports = inspect::report(&[port], &Known::read());
        let mut reports = reports.map_err(|error| error.info)?;
        Ok(reports.swap_remove(0))
    }

    fn free_port(&self, port: u16, dry_run: bool) -> Result<FreeReport, ErrorInfo> {
        let free = || -> Result<FreeReport, CommandError> {
            let plan = FreePlan::new(port)?;
            if dry_run {
                return Ok(plan.report);
            }
            plan.execute(STOP_TIMEOUT)
        };
        free().map_err(|error| error.info)
    }

    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo> {
        reject_leased(port)
            .and_then(|()| listen::listen_on(port))
            .map_err(|error| error.info)
    }

    fn save_status(&self, gateway: &GatewayStatus) -> Result<(), ErrorInfo> {
        let _guard = self.save_lock.lock();
        state::publish(gateway).map_err(|error| error.info)
    }

    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo> {
        let failure = run_up(directory, services).map_err(|error| {
            CommandError::new(ErrorCode::Failed, "cannot start `portway up`")
                .caused_by(error)
                .info
        })?;
        match failure {
            None => Ok(()),
            Some(output) => Err(match serde_json::from_slice::<ErrorBody>(&output) {
                Ok(body) => body.error,
                Err(_) => CommandError::new(ErrorCode::Failed, "`portway up` failed").info,
            }),
        }
    }
}

/// Returns an error if a service has a lease on the port, whether it is running or not.
fn reject_leased(port: u16) -> Result<(), CommandError> {
    let leases = Known::read().leases();
    leases.get(&port).map_or(Ok(()), |lease| {
        let owner = format!("`{}` of `{}`", lease.owner.service, lease.owner.instance);
        let message = format!("port {port} is leased to {owner}");
        Err(
            CommandError::new(ErrorCode::PortTaken, message).hint(format!(
                "run `portway forget {port}` to release the lease, or use another port"
            )),
        )
    })
}

impl HostOperations {
    pub(crate) fn new(preferences: Preferences) -> Self {
        Self {
            preferences,
            save_lock: Mutex::new(()),
        }
    }

    fn map(&self) -> Result<PortMap, CommandError> {
        let mut known = Known::read();
        if let Some(error) = known.error.take() {
            return Err(error);
        }
        let policy = exclusions::policy(&self.preferences)?;
        let listening = portway_ports::all_listeners().map_err(|error| {
            CommandError::new(ErrorCode::Failed, "cannot list the listening sockets")
                .caused_by(error)
        })?;
        let ports: BTreeSet<u16> = listening
            .iter()
            .map(|listener| listener.port)
            .chain(known.leases().into_keys())
            .collect();
        let ports: Vec<u16> = ports.into_iter().collect();
        // An empty list would report all ports.
        let reports = match ports[..] {
            [] => Vec::new(),
            _ => inspect::report(&ports, &known)?,
        };
        let ranges = self.preferences.ranges();
        let in_ranges: BTreeSet<u16> = ranges.iter().flat_map(|(_, range)| range.ports()).collect();
        let excluded = in_ranges.into_iter().filter_map(|port| {
            let reason = policy.exclusion(port)?.to_string();
            Some(ExcludedPort { port, reason })
        });
        Ok(PortMap {
            excluded: excluded.collect(),
            ephemeral: policy.ephemeral.map(|range| named("ephemeral", range)),
            ranges: ranges
                .iter()
                .flat_map(|(name, ranges)| ranges.ranges().map(|range| named(name, range)))
                .collect(),
            ports: reports,
        })
    }
}

fn named(name: &str, range: PortRange) -> NamedRange {
    NamedRange {
        name: name.to_owned(),
        first: range.first(),
        last: range.last(),
    }
}

/// Runs `portway up --detach`. Returns its output if it fails, otherwise `None`.
fn run_up(directory: &str, services: &[String]) -> io::Result<Option<Vec<u8>>> {
    let mut up = Command::new(std::env::current_exe()?);
    platform::in_background(&mut up);
    portway_supervisor::restore_open_files_limit(&mut up);
    up.args(["-C", directory, "up", "--detach", "--json", "--"])
        .args(services)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = up.output()?;
    Ok((!output.status.success()).then_some(output.stdout))
}
