//! What databases of their own change in the variables of services, for display.

use std::path::PathBuf;

use indexmap::IndexMap;
use portway_project::database::{self, DatabaseAddress};
use portway_project::mapping::{Mapping, Place};
use portway_project::{Checkout, Launch, Plan, Wiring};

use super::wire::{Context, assignment_context};
use crate::error::CommandError;
use crate::registry::RegistryReader;
use crate::worktree::listed;

/// A variable that refers to a worktree's own database.
pub(crate) struct OwnVariable {
    /// Its name.
    pub(crate) name: String,
    /// Its value, with unexpanded placeholders.
    pub(crate) value: String,
    /// Where the application names it, if it does.
    pub(crate) place: Option<Place>,
    /// What was replaced.
    pub(crate) meaning: String,
}

/// Returns the variables of each service that refer to databases of a linked worktree. Nothing is created,
/// and ports stay placeholders.
///
/// # Errors
/// When the server of a database is not known, or the record of the databases is invalid.
pub(crate) fn own_variables(
    plan: &Plan,
    checkout: &Checkout,
    mappings: &IndexMap<String, Mapping>,
) -> Result<IndexMap<String, Vec<OwnVariable>>, CommandError> {
    if !super::is_needed(plan, checkout) {
        return Ok(IndexMap::new());
    }
    let before = unexpanded(plan, mappings);
    let mut wiring = before.clone();
    let registered = RegistryReader::open()?
        .instance(&checkout.id)
        .unwrap_or_default();
    let name = registered.map_or_else(|| checkout.instance_name(&plan.project), |one| one.name);
    let context: Context = assignment_context(checkout, &checkout.id, &name, mappings)?;
    context
        .assign(&mut wiring)
        .map_err(|error| listed::explain(error, checkout, &plan.worktree_copy))?;
    let mut all = IndexMap::new();
    for (service, launch) in wiring.services {
        let mapping = mappings.get(&service);
        let place = |name: &str| {
            let mut in_use = mapping.into_iter().flat_map(|mapping| &mapping.in_use);
            let found = in_use.find(|variable| variable.name == name);
            found.map(|variable| (variable.place.clone(), variable.value.clone()))
        };
        let changed = launch.env.into_iter().filter_map(|(name, value)| {
            let old = before.services[&service].env.get(&name).cloned();
            if old.as_ref() == Some(&value) {
                return None;
            }
            let place = place(&name);
            let old = old.or_else(|| place.as_ref().map(|(_, value)| value.clone()));
            Some(OwnVariable {
                meaning: meaning(old.as_deref(), &value),
                place: place.map(|(place, _)| place),
                name,
                value,
            })
        });
        let changed: Vec<OwnVariable> = changed.collect();
        all.insert(service, changed);
    }
    Ok(all)
}

/// Says what was replaced in a value.
fn meaning(old: Option<&str>, new: &str) -> String {
    let name = |text: &str| match DatabaseAddress::parse(text) {
        Some(address) => address.name,
        None => text.to_owned(),
    };
    match old.map(name) {
        Some(old) => format!("`{old}` is `{}` in this worktree", name(new)),
        None => format!("`{}` is the database of this worktree", name(new)),
    }
}

/// Returns a wiring with the variables of a plan, whose placeholders are not expanded.
fn unexpanded(plan: &Plan, mappings: &IndexMap<String, Mapping>) -> Wiring {
    let services = plan.services.values().map(|service| {
        let mapping = mappings.get(&service.name);
        let mapped = mapping.into_iter().flat_map(|mapping| &mapping.variables);
        let mut env: IndexMap<String, String> = mapped
            .map(|variable| (variable.name.clone(), variable.value.template()))
            .collect();
        env.extend(service.env.clone());
        let launch = Launch {
            command: String::new(),
            prepare: None,
            readiness_command: None,
            liveness_command: None,
            dir: PathBuf::new(),
            env,
        };
        (service.name.clone(), launch)
    });
    let declared = plan
        .services
        .values()
        .filter_map(|service| Some((service.name.clone(), service.database.clone()?)));
    Wiring {
        shared: IndexMap::new(),
        services: services.collect(),
        databases: declared.collect::<IndexMap<String, database::DatabaseSetup>>(),
        ports_json: serde_json::Map::new(),
    }
}
