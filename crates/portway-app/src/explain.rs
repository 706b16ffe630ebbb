//! `portway env --explain`: the variables of a service with where each value comes from.

use std::path::Path;

use indexmap::IndexMap;
use portway_api::ExplainedVariable;
use portway_project::mapping::{Mapping, Place};

use crate::error::CommandError;
use crate::options::Selection;
use crate::project::LoadedProject;
use crate::wiring::resolve;

/// Returns the variables of `service`, or those that all services share, and where each value comes from.
///
/// # Errors
/// When the project cannot be used, the service is unknown, or no port is available.
pub fn explain(
    directory: Option<&Path>,
    service: Option<&str>,
    selection: &Selection,
) -> Result<Vec<ExplainedVariable>, CommandError> {
    let loaded = LoadedProject::load(directory, selection)?;
    if let Some(service) = service {
        loaded.project.known(service)?;
    }
    let (project, allocation) = resolve(loaded, selection)?;
    let wiring = allocation.wiring;
    let Some(name) = service else {
        let shared = wiring.shared.into_iter();
        let all = shared.map(|(name, value)| explained(name, value, PORTWAY.to_owned()));
        return Ok(all.collect());
    };
    let mapping = project.mappings().shift_remove(name).unwrap_or_default();
    let files = project.env_files()?.shift_remove(name).unwrap_or_default();
    let own = &project.plan.services[name].env;
    let all = wiring.services[name].env.iter().map(|(name, value)| {
        let source = match own.contains_key(name) {
            true => "`env` of the service".to_owned(),
            false => source(name, value, &mapping, &files),
        };
        explained(name.clone(), value.clone(), source)
    });
    Ok(all.collect())
}

/// The source of what Portway sets itself.
const PORTWAY: &str = "Portway";

fn explained(name: String, value: String, source: String) -> ExplainedVariable {
    ExplainedVariable {
        name,
        value,
        source,
    }
}

/// Says where a variable comes from that the service's `env` does not set.
fn source(name: &str, value: &str, mapping: &Mapping, files: &IndexMap<String, String>) -> String {
    let mut mapped = mapping.variables.iter();
    if let Some(variable) = mapped.find(|variable| variable.name == name) {
        let mut parts = vec![place(&variable.place)];
        parts.extend(variable.meaning.iter().cloned());
        return parts.join(", ");
    }
    match files.get(name) {
        Some(of_file) if of_file == value => "`env_file` of the service".to_owned(),
        _ => PORTWAY.to_owned(),
    }
}

/// Formats the place of a variable; the line is 0 if it is not known.
fn place(place: &Place) -> String {
    match place.line {
        0 => place.file.clone(),
        line => format!("{}:{line}", place.file),
    }
}
