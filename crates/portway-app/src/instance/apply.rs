//! Plans a change of the project that a supervisor runs: reads the project again, chooses the ports of
//! new services, and compares. Runs in the supervisor's process, with its environment.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use portway_api::{ApplyRequest, ErrorCode};
use portway_project::change::{self, Wired};
use portway_project::policy::LanAccess;
use portway_registry::Registry;
use portway_supervisor::{Change, RunningProject};

use super::host::{Planner, ProjectHost};
use super::locate::Relation;
use super::restore::{Recorded, forced_ports};
use super::sources::Sources;
use crate::allocation::running::{Before, is_file_unchanged, predict, reallocate};
use crate::allocation::{self, exclusions};
use crate::error::CommandError;
use crate::options::Selection;
use crate::preferences;
use crate::project::{LoadedProject, RegisteredProject};

/// What a supervisor knows about its instance, which changes when a change of the project is applied.
#[derive(Clone)]
pub(super) struct Applied {
    /// The root of the project.
    pub(super) root: PathBuf,
    /// The command line's choice for the local network.
    pub(super) lan: LanAccess,
    /// Whether the instance has a network of its own, which it keeps.
    pub(super) is_isolated: bool,
    /// The instance as others find it.
    pub(super) recorded: Arc<Mutex<Recorded>>,
    /// The files that were read.
    pub(super) sources: Arc<Mutex<Sources>>,
    /// The text of the manifest that is in effect.
    pub(super) manifest: Arc<Mutex<String>>,
}

impl Applied {
    /// Returns the project's files that have changed.
    pub(super) fn changed_files(&self) -> Vec<String> {
        // A slow disk must not block a change, which replaces the files.
        let mut sources = lock(&self.sources).clone();
        let changed = sources.changed();
        let mut current = lock(&self.sources);
        if current.is_version_of(&sources) {
            *current = sources;
        }
        changed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns what plans the changes of an instance.
pub(super) fn planner(applied: Applied) -> Planner {
    Arc::new(move |request, running| {
        let applied = applied.clone();
        Box::new(move || plan(&applied, request, &running).map_err(|error| error.body().error))
    })
}

/// Plans the change from `running` to the project as its files describe it now. Leases and holds new
/// ports unless the request is a dry run.
fn plan(
    applied: &Applied,
    request: ApplyRequest,
    running: &RunningProject,
) -> Result<Change, CommandError> {
    let selection = Selection {
        with: request.with,
        without: request.without,
        ports: request.ports.into_iter().collect(),
    };
    let mut loaded = LoadedProject::load(Some(&applied.root), &selection)?;
    let mut instance = lock(&applied.recorded).record.instance.clone();
    let relation = loaded.running.as_ref().map(|running| &running.relation);
    if loaded.instance_id() != instance.id || relation.is_some_and(|one| *one != Relation::Same) {
        let message = "the directory of the project has changed since the instance was started";
        return Err(CommandError::new(ErrorCode::Failed, message)
            .hint("to apply the change, run `portway down`, then `portway up`"));
    }
    // Before the files are used, so that no later change is missed.
    let sources = Sources::read(&loaded.project);
    let manifest = loaded.project.source.text.clone();
    let project = &mut loaded.project;
    let selected = project.closure(&request.services)?;
    let limit = (!request.services.is_empty()).then_some(selected.as_slice());
    let new = project.plan.clone();
    if let Some(selected) = limit {
        project.plan = change::restrict(&running.plan, new.clone(), selected);
    }
    project.lan = applied.lan;
    project.is_isolated = applied.is_isolated;
    project.preferences = preferences::with_flag(
        std::mem::take(&mut project.preferences),
        "moved",
        request.moved.as_deref(),
    );
    // Files that cannot be used are reported before anything changes.
    project.env_files()?;
    instance.options.clone_from(&project.options);
    let before = Before {
        plan: &running.plan,
        ports: &running.ports,
        wiring: &running.wiring,
        selected: limit,
    };
    let is_same = project.plan == running.plan
        && selection.ports.is_empty()
        && is_file_unchanged(project, before)?;
    let policy = exclusions::policy(&project.preferences)?;
    let mut change = Change {
        name: instance.name.clone(),
        plan: project.plan.clone(),
        ports: running.ports.clone(),
        wiring: running.wiring.clone(),
        displaced: HashMap::new(),
        warnings: HashMap::new(),
        holds: Vec::new(),
        services: selected.clone(),
        restarts: IndexMap::new(),
        lan_services: Some(project.plan.published_on_lan(project.lan)),
        host: None,
        on_applied: Box::new(|| ()),
    };
    let mut forced = None;
    if is_same {
        // The registry is not needed.
        change.wiring = allocation::wire(project, &instance, &running.ports)?;
    } else {
        let mut registered = RegisteredProject {
            remembered: instance.options.clone(),
            registry: loaded.registry.into_writable()?,
            project: loaded.project,
            instance,
        };
        if request.dry_run {
            change.ports = predict(&mut registered, &selection, before)?;
            change.wiring =
                allocation::wire(&registered.project, &registered.instance, &change.ports)?;
        } else {
            rename(&mut registered, running)?;
            let allocation = reallocate(&mut registered, &selection, before)?;
            change.displaced = allocation::displaced(&mut registered, &allocation)?;
            change.name.clone_from(&registered.instance.name);
            change.ports = allocation.ports;
            change.wiring = allocation.wiring;
            change.holds = allocation.holds;
            forced = Some(forced_ports(&mut registered)?);
        }
        instance = registered.instance.clone();
        if !request.dry_run {
            change.host = Some(Box::new(ProjectHost {
                registered,
                ports: change.ports.clone(),
                planner: planner(applied.clone()),
            }));
        }
    }
    change.warnings = exclusions::warnings(&policy, &change.ports);
    let old = Wired {
        plan: &running.plan,
        ports: &running.ports,
        wiring: &running.wiring,
    };
    let next = Wired {
        plan: &change.plan,
        ports: &change.ports,
        wiring: &change.wiring,
    };
    let mut read = lock(&applied.sources).clone();
    let mut restarts = |limit| {
        with_env_files(
            change::restarts(old, next, limit),
            (old, next),
            limit,
            &mut read,
        )
    };
    let limited = restarts(limit);
    // Whether nothing is left of the changes of the files.
    let is_complete = limit.is_none() || (change.plan == new && restarts(None) == limited);
    change.restarts = limited;
    let applied = applied.clone();
    change.on_applied = Box::new(move || {
        if is_complete {
            *lock(&applied.manifest) = manifest;
            *lock(&applied.sources) = sources;
        }
        lock(&applied.recorded).update(instance, forced);
    });
    Ok(change)
}

/// Adds the services whose own `.env` files have changed to those that restart.
fn with_env_files(
    mut restarts: IndexMap<String, Vec<String>>,
    (old, next): (Wired<'_>, Wired<'_>),
    limit: Option<&[String]>,
    read: &mut Sources,
) -> IndexMap<String, Vec<String>> {
    for (name, service) in &next.plan.services {
        let is_new = !old.plan.services.contains_key(name);
        let is_selected = limit.is_none_or(|selected| selected.contains(name));
        if is_selected && !is_new && !restarts.contains_key(name) {
            let files = read.changed_env_files(service);
            if !files.is_empty() {
                restarts.insert(name.clone(), files);
            }
        }
    }
    restarts.sort_by_key(|name, _| next.plan.services.get_index_of(name));
    restarts
}

/// Registers the instance under the new name of its project, if that has changed.
fn rename(
    registered: &mut RegisteredProject,
    running: &RunningProject,
) -> Result<(), CommandError> {
    if registered.project.plan.project == running.plan.project {
        return Ok(());
    }
    let new = registered.project.new_instance();
    let renamed = registered
        .registry
        .register(&new, portway_supervisor::now())?;
    registered.instance.name = renamed.name;
    registered.instance.project = renamed.project;
    Ok(())
}
