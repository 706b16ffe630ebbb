//! Who listens on a service's port, and whether that is the service.

use std::collections::BTreeMap;
use std::path::Path;

use portway_api::PortConflict;
use portway_ports::{PortOwner, Process};
use portway_project::policy::ListenerOwner;
use portway_project::{Checkout, PlannedService};
use portway_supervisor::mark::{self, Mark};

use super::{Known, user};

/// Somebody who listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sitter {
    /// Who that is, in words.
    pub(crate) who: String,
    /// Whose it is.
    pub(crate) of: Of,
    /// The addresses.
    pub(crate) addresses: Vec<String>,
}

/// Whose a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The service's own.
    Service,
    /// Started by hand in this checkout.
    Hand,
    /// A service's of another checkout.
    Neighbour,
    /// Somebody else's.
    Stranger,
}

impl Of {
    /// Whether that is the service, by whomever it was started.
    pub(crate) fn is_own(self) -> bool {
        matches!(self, Self::Service | Self::Hand)
    }
}

/// Everybody who listens on this machine, by port.
pub(crate) type Holders = BTreeMap<u16, Vec<PortOwner>>;

/// Asks the system who listens; empty where it does not tell.
pub(crate) fn holders() -> Holders {
    let mut by_port = Holders::new();
    for holder in portway_ports::all_owners().unwrap_or_default() {
        by_port
            .entry(holder.listener.port)
            .or_default()
            .push(holder);
    }
    by_port
}

/// Who holds a socket, in words.
pub(crate) fn who(holder: &PortOwner) -> String {
    occupant(holder).to_string()
}

/// The process that holds a socket.
pub(crate) fn occupant(holder: &PortOwner) -> PortConflict {
    match &holder.process {
        Some(process) => PortConflict::Process {
            pid: process.id.pid,
            name: process.name.clone(),
            directory: process
                .working_dir
                .as_ref()
                .map(|dir| dir.display().to_string()),
        },
        None => PortConflict::UnknownProcess {
            user: Some(user(holder.listener.user)),
        },
    }
}

/// The marks of a holder, those of the services whose supervisor it is (which listens for them on
/// the local network), or those of what stands above it where it has overwritten its own environment.
fn marks(holder: &PortOwner) -> Vec<Mark> {
    let main = holder.process.as_ref().map(|process| process.id.pid);
    let pids = main.into_iter().chain(holder.other_pids.iter().copied());
    let marks: Vec<Mark> = pids.filter_map(Mark::read).collect();
    if !marks.is_empty() {
        return marks;
    }
    let supervised = main.map(mark::supervised_services).unwrap_or_default();
    if !supervised.is_empty() {
        return supervised;
    }
    let above = main
        .map(portway_supervisor::process::ancestors)
        .unwrap_or_default();
    let mark = |process: &Process| Mark::read(process.id.pid);
    above.iter().find_map(mark).into_iter().collect()
}

fn is_below(dir: Option<&Path>, root: &Path) -> bool {
    dir.is_some_and(|dir| dir.starts_with(root))
}

impl Known {
    /// Whose one listener on a port of `service` is.
    pub(crate) fn sitter(
        &self,
        holder: &PortOwner,
        service: &PlannedService,
        checkout: &Checkout,
    ) -> Sitter {
        let main = holder.process.as_ref();
        let marks = marks(holder);
        let is_own =
            |mark: &Mark| mark.instance_id() == checkout.id && mark.service == service.name;
        let of = if service.owner == ListenerOwner::Any || marks.iter().any(is_own) {
            Of::Service
        } else if marks.is_empty()
            && main.is_some_and(|one| is_below(one.working_dir.as_deref(), &checkout.root))
        {
            Of::Hand
        } else if marks.iter().any(|mark| mark.instance_id() != checkout.id) {
            Of::Neighbour
        } else {
            Of::Stranger
        };
        let process = who(holder);
        let whose = marks.iter().find_map(|mark| {
            if mark.instance_id() == checkout.id {
                return Some(format!("`{}` of this checkout", mark.service));
            }
            let owner = self.service(mark.instance_id(), &mark.service)?;
            Some(format!(
                "`{}` of {}, in {}",
                owner.service, owner.instance, owner.directory
            ))
        });
        Sitter {
            who: match whose {
                Some(whose) if !of.is_own() => format!("{whose}: {process}"),
                _ => process,
            },
            of,
            addresses: vec![holder.listener.address.to_string()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_below_by_its_parts() {
        assert!(is_below(Some(Path::new("/p/api")), Path::new("/p")));
        assert!(!is_below(Some(Path::new("/pp")), Path::new("/p")));
        assert!(!is_below(None, Path::new("/p")));
    }
}
