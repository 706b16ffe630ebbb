//! Implements [`SupervisorHost`]: replaces lost ports and records prepare steps in the registry.

use std::collections::HashSet;
use std::sync::Arc;

use portway_api::ApplyRequest;
use portway_ports::Hold;
use portway_project::{AssignedPorts, PrepareStep, prepare};
use portway_registry::{Lease, Registry};
use portway_supervisor::{ChangeJob, HostError, ReplacementPort, RunningProject, SupervisorHost};

use crate::allocation;
use crate::isolation::ObservedPort;
use crate::project::RegisteredProject;

/// The host of one running instance.
pub(super) struct ProjectHost {
    pub(super) registered: RegisteredProject,
    pub(super) ports: AssignedPorts,
    pub(super) planner: Planner,
}

/// Returns the job that plans a change of the project.
pub(super) type Planner = Arc<dyn Fn(ApplyRequest, RunningProject) -> ChangeJob + Send + Sync>;

impl ProjectHost {
    /// Returns the additional input files of a service's prepare step.
    fn inputs(&self, service: &str) -> Vec<String> {
        let service = self.registered.project.plan.services.get(service);
        let prepare = service.and_then(|service| service.prepare.as_ref());
        prepare
            .map(|prepare| prepare.inputs.clone())
            .unwrap_or_default()
    }
}

impl SupervisorHost for ProjectHost {
    fn replace_port(&mut self, service: &str, lost: u16) -> Result<ReplacementPort, HostError> {
        self.registered.registry.refresh()?;
        let (hold, ports, wiring) =
            allocation::replace(&mut self.registered, &self.ports, service, lost)?;
        self.ports = ports.clone();
        Ok(ReplacementPort {
            hold,
            ports,
            wiring,
        })
    }

    fn observe_port(&mut self, service: &str, inner: u16) -> Result<Arc<Hold>, HostError> {
        self.registered.registry.refresh()?;
        let hold = allocation::observe(&mut self.registered, service, inner)?;
        self.registered.project.observed.push(ObservedPort {
            service: service.to_owned(),
            inner,
            port: hold.port(),
        });
        allocation::write_observed(&mut self.registered, &self.ports)?;
        Ok(hold)
    }

    fn forget_observed_port(&mut self, service: &str, inner: u16) -> Result<(), HostError> {
        let observed = &mut self.registered.project.observed;
        observed.retain(|one| (one.service.as_str(), one.inner) != (service, inner));
        Ok(allocation::write_observed(
            &mut self.registered,
            &self.ports,
        )?)
    }

    fn ports_observed_before(&mut self) -> HashSet<u16> {
        let instances = self.registered.registry.instances().unwrap_or_default();
        let id = &self.registered.instance.id;
        let own = instances.into_iter().filter(|(one, ..)| one.id == *id);
        own.flat_map(|(_, leases, _)| leases)
            .filter(Lease::is_observed)
            .filter_map(|lease| lease.name.parse().ok())
            .collect()
    }

    fn is_prepared(&mut self, service: &str, step: &PrepareStep) -> Result<bool, HostError> {
        let inputs = self.inputs(service);
        let digest = prepare::input_digest(&step.command, &step.dir, &inputs)?;
        let id = &self.registered.instance.id;
        let last = self.registered.registry.prepared(id, service);
        Ok(matches!(last, Ok(Some((known, outputs)))
            if known == digest && outputs.iter().all(|output| step.dir.join(output).exists())))
    }

    fn forget_prepare(&mut self, services: &[String]) -> Result<(), HostError> {
        let id = &self.registered.instance.id;
        Ok(self.registered.registry.forget_prepared(id, services)?)
    }

    fn leased_ports(&mut self) -> Option<HashSet<u16>> {
        let instances = self.registered.registry.instances().ok()?;
        let leases = instances.into_iter().flat_map(|(_, leases, _)| leases);
        Some(leases.map(|lease| lease.port).collect())
    }

    fn plan_change(&self, request: ApplyRequest, running: RunningProject) -> ChangeJob {
        (self.planner)(request, running)
    }

    fn record_prepare(&mut self, service: &str, step: &PrepareStep) {
        // The digest is computed after the step, because the step may write a lock file.
        let inputs = self.inputs(service);
        if let Ok(digest) = prepare::input_digest(&step.command, &step.dir, &inputs) {
            let id = self.registered.instance.id.clone();
            let outputs = prepare::existing_outputs(&step.dir);
            let registry = &mut self.registered.registry;
            let recorded = registry
                .refresh()
                .and_then(|()| registry.record_prepared(&id, service, &digest, &outputs));
            if let Err(error) = recorded {
                // The step then runs again at the next start.
                tracing::warn!(service, %error, "cannot record the prepare step");
            }
        }
    }
}
