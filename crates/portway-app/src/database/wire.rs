//! Databases in the plan and the wiring of a project.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_project::database::{
    self, Assignment, DatabaseSetup, DatabaseToCreate, Engine, Server,
};
use portway_project::mapping::Mapping;
use portway_project::shell::quote;
use portway_project::{Checkout, Plan, PlannedService, Wiring};
use portway_registry::Instance;

use super::create::{COMMAND, StepInput, VARIABLE};
use super::record::{self, Record};
use crate::dirs;
use crate::error::CommandError;
use crate::mapping::environment;
use crate::worktree::listed;

/// Values of variables by service and name.
type Values = IndexMap<String, IndexMap<String, String>>;

/// Returns whether a plan declares databases, of which a linked worktree gets its own.
pub(crate) fn is_needed(plan: &Plan, checkout: &Checkout) -> bool {
    let mut services = plan.services.values();
    !checkout.is_main() && services.any(|service| service.database.is_some())
}

/// Adds the step that creates databases to the plan of a linked worktree.
///
/// # Errors
/// When all names of the step are used.
pub(crate) fn add_step(
    plan: &mut Plan,
    mappings: &IndexMap<String, Mapping>,
    env_files: &Values,
) -> Result<(), CommandError> {
    let setups: Vec<DatabaseSetup> = declared(plan).map(|(_, setup)| setup.clone()).collect();
    let refers = |text: &str| {
        let mut names = setups.iter().map(|setup| reference(&setup.template));
        names.any(|name| text.contains(name))
    };
    let uses = |service: &&PlannedService| {
        let name = &service.name;
        let mut of_code = mappings.get(name).into_iter().flat_map(|one| &one.in_use);
        let mut of_files = env_files.get(name).into_iter().flat_map(IndexMap::values);
        service.database.is_some()
            || service.env.values().any(|text| refers(text))
            || of_code.any(|one| refers(&one.value))
            || of_files.any(|text| refers(text))
    };
    let users = plan.services.values().filter(uses);
    let users: Vec<String> = users.map(|service| service.name.clone()).collect();
    let servers = servers(plan, mappings);
    if database::add_step(plan, hidden_command(COMMAND), &users, &servers).is_none() {
        let message = "the names `database`, `create-database` and `portway-database` are all used";
        return Err(CommandError::new(ErrorCode::ManifestInvalid, message)
            .hint("rename one of these services or groups"));
    }
    Ok(())
}

fn declared(plan: &Plan) -> impl Iterator<Item = (&PlannedService, &DatabaseSetup)> {
    let services = plan.services.values();
    services.filter_map(|service| Some((service, service.database.as_ref()?)))
}

/// Returns the part of a template's name that an address of it contains.
fn reference(template: &str) -> &str {
    template.rsplit(['/', '\\']).next().unwrap_or(template)
}

/// Returns the services to whose ports the declared addresses refer.
fn servers(plan: &Plan, mappings: &IndexMap<String, Mapping>) -> Vec<String> {
    let mut texts = Vec::new();
    for (service, setup) in declared(plan) {
        texts.extend(setup.url.clone());
        for name in &setup.variables {
            texts.extend(service.env.get(name).cloned());
            let mapping = mappings.get(&service.name).into_iter();
            let mut mapped = mapping.flat_map(|mapping| &mapping.variables);
            let variable = mapped.find(|one| one.name == *name);
            texts.extend(variable.map(|one| one.value.template()));
        }
    }
    let is_named = |service: &&String| {
        let names = [format!("{{{service}.port"), format!("{{{service}.url")];
        let mut texts = texts.iter();
        texts.any(|text| names.iter().any(|name| text.contains(name)))
    };
    plan.services.keys().filter(is_named).cloned().collect()
}

/// Returns the shell command that runs a hidden command of Portway.
pub(super) fn hidden_command(name: &str) -> String {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("portway"));
    let mut path = path.display().to_string();
    // The path of a binary that was replaced while this process runs.
    if let Some(replaced) = path.strip_suffix(" (deleted)") {
        path = replaced.to_owned();
    }
    let program = match cfg!(windows) {
        true => format!("\"{path}\""),
        false => quote(&path).into_owned(),
    };
    format!("{program} {name}")
}

/// What the databases of a checkout depend on in addition to its wiring.
pub(super) struct Context {
    root: PathBuf,
    main: Option<PathBuf>,
    is_worktree: bool,
    instance: String,
    /// The file with the record.
    file: PathBuf,
    record: Record,
    files: Values,
}

/// Reads what the databases of the instance `id` depend on.
///
/// # Errors
/// When the record of its databases is invalid.
pub(super) fn assignment_context(
    checkout: &Checkout,
    id: &str,
    instance: &str,
    mappings: &IndexMap<String, Mapping>,
) -> Result<Context, CommandError> {
    let file = record_file(id)?;
    let files = mappings.iter().map(|(service, mapping)| {
        let values = mapping.in_use.iter();
        let values = values.map(|one| (one.name.clone(), one.value.clone()));
        (service.clone(), values.collect())
    });
    Ok(Context {
        root: checkout.root.clone(),
        main: main_root(checkout),
        is_worktree: !checkout.is_main(),
        instance: instance.to_owned(),
        record: Record::read(&file)?.unwrap_or_default(),
        file,
        files: files.collect(),
    })
}

impl Context {
    /// Points the variables of a wiring to the databases of the checkout, and returns these.
    ///
    /// # Errors
    /// When the server of a database is not known.
    pub(super) fn assign(
        &self,
        wiring: &mut Wiring,
    ) -> Result<Vec<DatabaseToCreate>, CommandError> {
        let name = |engine: Engine, server: Option<&Server>, template: &str| {
            self.name(engine, server, template)
        };
        let assignment = Assignment {
            root: &self.root,
            main: self.main.as_deref(),
            is_worktree: self.is_worktree,
            files: &self.files,
            inherited: &environment,
            name: &name,
        };
        let assigned = database::assign(wiring, &assignment).map_err(|problem| {
            CommandError::new(ErrorCode::ManifestInvalid, problem.message).hint(problem.help)
        })?;
        Ok(assigned.into_iter().map(|one| one.database).collect())
    }

    /// Returns the name of a worktree's database. A database that was created keeps its name when the
    /// branch changes.
    fn name(&self, engine: Engine, server: Option<&Server>, template: &str) -> String {
        let recorded = match engine {
            Engine::Sqlite => self.record.file_name(template),
            _ => self.record.name(server, template).map(str::to_owned),
        };
        recorded.unwrap_or_else(|| database::database_name(engine, &self.instance, template))
    }
}

/// Points the variables of a worktree's services to databases of its own. `mappings` are those of the
/// plan's services.
///
/// # Errors
/// When the server of a database is not known, or the record of this instance's databases is invalid.
pub(crate) fn assign(
    plan: &Plan,
    checkout: &Checkout,
    instance: &Instance,
    mappings: &IndexMap<String, Mapping>,
    wiring: &mut Wiring,
) -> Result<(), CommandError> {
    if wiring.databases.is_empty() {
        return Ok(());
    }
    let context = assignment_context(checkout, &instance.id, &instance.name, mappings)?;
    let databases = context
        .assign(wiring)
        .map_err(|error| listed::explain(error, checkout, &plan.worktree_copy))?;
    let step = plan.database_step.as_ref();
    if let Some(launch) = step.and_then(|step| wiring.services.get_mut(step)) {
        let input = StepInput {
            record: context.file,
            checkout: context.root,
            main: context.main,
            databases,
        };
        let text = serde_json::to_string(&input).unwrap_or_default();
        launch.env.insert(VARIABLE.to_owned(), text);
    }
    Ok(())
}

fn record_file(id: &str) -> Result<PathBuf, CommandError> {
    let dir = portway_registry::instance_dir(&dirs::state_dir()?, id);
    Ok(record::path(&dir))
}

/// Returns the project's root in the main checkout.
fn main_root(checkout: &Checkout) -> Option<PathBuf> {
    let git = checkout.git.as_ref()?;
    let below = checkout
        .root
        .strip_prefix(&git.top)
        .unwrap_or(Path::new(""));
    git.main_checkout().map(|main| main.join(below))
}
