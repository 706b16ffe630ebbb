//! Remembers which optional services are enabled, once the command that enabled them has succeeded.

use std::path::{Path, PathBuf};

use portway_api::{InstanceState, InstanceStatus, ServiceState, ServiceStatus};
use portway_registry::{Registry, RunningRecord, SqliteRegistry};
use tokio::sync::watch;

use super::connection::Supervised;
use crate::dirs;
use crate::error::CommandError;

/// Records the optional services that are enabled in a running instance, for later commands.
pub(super) fn now(instance: &impl Supervised) -> Result<(), CommandError> {
    match RunningRecord::read(&instance.dir()) {
        Some(record) => set(&record.instance.id, &record.instance.options),
        None => Ok(()),
    }
}

/// Returns the optional services that commands which failed have enabled in a running instance.
pub(super) fn failed(
    instance: &impl Supervised,
    status: &InstanceStatus,
) -> Result<Vec<String>, CommandError> {
    let Some(record) = RunningRecord::read(&instance.dir()) else {
        return Ok(Vec::new());
    };
    let has_failed = |name: &String| {
        let service = status.service(name);
        service.is_some_and(ServiceStatus::has_failed)
    };
    let mut options = record.instance.options;
    options.retain(has_failed);
    if options.is_empty() {
        return Ok(options);
    }
    // Without a registry, nothing is remembered.
    let recorded = match SqliteRegistry::open_existing(&dirs::state_dir()?)? {
        Some(mut registry) => registry.instance(&record.instance.id)?,
        None => None,
    };
    let remembered = recorded.map_or_else(Vec::new, |recorded| recorded.options);
    options.retain(|name| !remembered.contains(name));
    Ok(options)
}

fn set(id: &str, options: &[String]) -> Result<(), CommandError> {
    let Some(mut registry) = SqliteRegistry::open_existing(&dirs::state_dir()?)? else {
        return Ok(());
    };
    let recorded = registry.instance(id)?;
    // Unchanged options are not written.
    if recorded.is_some_and(|recorded| recorded.options != options) {
        registry.allow_writes()?;
        registry.set_options(id, options)?;
    }
    Ok(())
}

/// Records the optional services that are enabled in the instance with the directory `dir` each time all
/// its services are ready. `remembered` are those that are recorded.
pub(super) async fn when_ready(
    dir: PathBuf,
    mut remembered: Vec<String>,
    mut status: watch::Receiver<InstanceStatus>,
) {
    loop {
        let is_ready = is_ready(&status.borrow_and_update());
        if is_ready
            && let Some(options) = options(&dir)
            && options.1 != remembered
        {
            let (id, options) = options;
            remembered.clone_from(&options);
            let recorded = tokio::task::spawn_blocking(move || set(&id, &options)).await;
            if let Ok(Err(error)) = recorded {
                tracing::warn!(error = error.text(), "cannot record the enabled services");
            }
        }
        if status.changed().await.is_err() {
            return;
        }
    }
}

fn options(dir: &Path) -> Option<(String, Vec<String>)> {
    let instance = RunningRecord::read(dir)?.instance;
    Some((instance.id, instance.options))
}

/// Returns whether every service is ready, completed or was stopped by a user.
fn is_ready(status: &InstanceStatus) -> bool {
    let is_settled = |service: &ServiceStatus| {
        matches!(
            service.state,
            ServiceState::Ready | ServiceState::Completed | ServiceState::Stopped
        ) && !service.has_failed()
    };
    status.state == InstanceState::Ready && status.services.iter().all(is_settled)
}
