//! What the gateway has this binary do.

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
use crate::free::Freeing;
use crate::gateway::state;
use crate::inspect::{self, Known};
use crate::platform;

/// How long processes may take to end before they are killed: what `portway free` gives them.
const GRACE: Duration = Duration::from_secs(5);

/// This machine, as the user of `preferences` sees it.
pub(crate) struct Machine {
    preferences: Preferences,
    /// What is remembered is written by one at a time.
    remembering: Mutex<()>,
}

impl portway_gateway::Operations for Machine {
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
            let freeing = Freeing::of(port)?;
            if dry_run {
                return Ok(freeing.freed);
            }
            freeing.carry_out(GRACE)
        };
        free().map_err(|error| error.info)
    }

    fn listen(&self, port: u16) -> Result<Vec<TcpListener>, ErrorInfo> {
        kept(port)
            .and_then(|()| listen::fixed(port))
            .map_err(|error| error.info)
    }

    fn save_status(&self, gateway: &GatewayStatus) -> Result<(), ErrorInfo> {
        let _one = self.remembering.lock();
        state::publish(gateway).map_err(|error| error.info)
    }

    fn start_services(&self, directory: &str, services: &[String]) -> Result<(), ErrorInfo> {
        let answer = up(directory, services).map_err(|error| {
            let why = format!("cannot start `portway up`: {error}");
            CommandError::new(ErrorCode::Failed, why).info
        })?;
        match answer {
            None => Ok(()),
            Some(answer) => Err(match serde_json::from_slice::<ErrorBody>(&answer) {
                Ok(body) => body.error,
                Err(_) => CommandError::new(ErrorCode::Failed, "`portway up` failed").info,
            }),
        }
    }
}

/// Refuses a port that belongs to a service, whether that runs or not.
fn kept(port: u16) -> Result<(), CommandError> {
    let leases = Known::read().leases();
    leases.get(&port).map_or(Ok(()), |lease| {
        let owner = format!("`{}` of {}", lease.owner.service, lease.owner.instance);
        let message = format!("port {port} is kept for {owner}");
        Err(
            CommandError::new(ErrorCode::PortTaken, message).hint(format!(
                "`portway forget {port}` gives it up; or take another"
            )),
        )
    })
}

impl Machine {
    pub(crate) fn of(preferences: Preferences) -> Self {
        Self {
            preferences,
            remembering: Mutex::new(()),
        }
    }

    fn map(&self) -> Result<PortMap, CommandError> {
        let mut known = Known::read();
        if let Some(trouble) = known.error.take() {
            return Err(trouble);
        }
        let facts = exclusions::facts(&self.preferences)?;
        let listening = portway_ports::all_listeners().map_err(|error| {
            let why = format!("the system does not tell who listens: {error}");
            CommandError::new(ErrorCode::Failed, why)
        })?;
        let ports: BTreeSet<u16> = listening
            .iter()
            .map(|listener| listener.port)
            .chain(known.leases().into_keys())
            .collect();
        let ports: Vec<u16> = ports.into_iter().collect();
        // No port at all would ask for those of everybody.
        let reports = match ports[..] {
            [] => Vec::new(),
            _ => inspect::report(&ports, &known)?,
        };
        let ranges = self.preferences.ranges();
        let in_ranges: BTreeSet<u16> = ranges.iter().flat_map(|(_, range)| range.ports()).collect();
        let excluded = in_ranges.into_iter().filter_map(|port| {
            let reason = facts.exclusion(port)?.to_string();
            Some(ExcludedPort { port, reason })
        });
        Ok(PortMap {
            excluded: excluded.collect(),
            ephemeral: facts.ephemeral.map(|range| named("ephemeral", range)),
            ranges: ranges
                .into_iter()
                .map(|(name, range)| named(name, range))
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

/// Brings an instance up as a person would; what it printed where that failed.
fn up(directory: &str, services: &[String]) -> io::Result<Option<Vec<u8>>> {
    let mut up = Command::new(std::env::current_exe()?);
    platform::in_background(&mut up);
    up.args(["-C", directory, "up", "--detach", "--json", "--"])
        .args(services)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = up.output()?;
    Ok((!output.status.success()).then_some(output.stdout))
}
