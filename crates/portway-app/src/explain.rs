//! `portway env --explain`: the variables of a service with where each value comes from.

use std::path::Path;

use indexmap::IndexMap;
use portway_api::ExplainedVariable;
use portway_project::mapping::{Mapping, Origin, Place};

use crate::database::{OwnVariable, own_variables};
use crate::error::CommandError;
use crate::options::Selection;
use crate::project::{LoadedProject, Project};
use crate::wiring;

/// Returns the variables of `service`, or those that all services share, and where each value comes from. Those
/// that the service reads from its own `.env` files, and that Portway does not set, are last.
///
/// # Errors
/// When the project cannot be used, the service is unknown, or no port is available.
pub fn explain(
    directory: Option<&Path>,
    service: Option<&str>,
    selection: &Selection,
) -> Result<Vec<ExplainedVariable>, CommandError> {
    let variables = wiring::variables(directory, service, selection)?;
    let project = LoadedProject::load(directory, selection).map(|loaded| loaded.project);
    let sources = match (service, &project) {
        (Some(service), Ok(project)) => Some(Sources::of(project, service)?),
        // The variables are those of a running instance, whose files have changed since.
        (Some(_), Err(_)) => None,
        (None, _) => Some(Sources::default()),
    };
    let unchanged = sources.as_ref().map_or_else(Vec::new, |sources| {
        sources.unchanged(|name| variables.contains_key(name))
    });
    let all = variables.into_iter().map(|(name, value)| {
        let source = match &sources {
            Some(sources) => sources.source(&name, &value),
            None => "the running instance".to_owned(),
        };
        ExplainedVariable {
            name,
            value,
            source,
        }
    });
    Ok(all.chain(unchanged).collect())
}

/// The sources of the variables of one service.
#[derive(Default)]
struct Sources {
    own: IndexMap<String, String>,
    mapping: Mapping,
    files: IndexMap<String, String>,
    /// The variables that refer to a database of this worktree.
    databases: Vec<OwnVariable>,
}

impl Sources {
    fn of(project: &Project, service: &str) -> Result<Self, CommandError> {
        let planned = project.plan.services.get(service);
        let mut mappings = project.mappings();
        let mut databases = own_variables(&project.plan, &project.checkout, &mappings)?;
        Ok(Self {
            databases: databases.shift_remove(service).unwrap_or_default(),
            own: planned
                .map(|planned| planned.env.clone())
                .unwrap_or_default(),
            mapping: mappings.shift_remove(service).unwrap_or_default(),
            files: project
                .env_files()?
                .shift_remove(service)
                .unwrap_or_default(),
        })
    }

    /// Returns the variables of the application's own files that Portway does not set.
    fn unchanged(&self, is_set: impl Fn(&str) -> bool) -> Vec<ExplainedVariable> {
        let of_files = self.mapping.in_use.iter();
        let of_files = of_files.filter(|one| one.origin == Origin::File && !is_set(&one.name));
        of_files
            .map(|one| ExplainedVariable {
                name: one.name.clone(),
                value: one.value.clone(),
                source: format!("{}, unchanged", place(&one.place)),
            })
            .collect()
    }

    /// Says where a variable comes from.
    fn source(&self, name: &str, value: &str) -> String {
        let mut databases = self.databases.iter();
        match databases.find(|variable| variable.name == name) {
            Some(OwnVariable {
                meaning, place: of, ..
            }) => {
                let source = match (self.source_of_template(name, value), of) {
                    (source, Some(of)) if source == "Portway" => place(of),
                    (source, _) => source,
                };
                format!("{source}, {meaning}")
            }
            None => self.source_of_template(name, value),
        }
    }

    /// Says where a variable comes from whose database is not replaced.
    fn source_of_template(&self, name: &str, value: &str) -> String {
        if self.own.contains_key(name) {
            return "`env` of the service".to_owned();
        }
        let mut mapped = self.mapping.variables.iter();
        if let Some(variable) = mapped.find(|variable| variable.name == name) {
            let mut parts = vec![place(&variable.place)];
            parts.extend(variable.meaning.iter().cloned());
            return parts.join(", ");
        }
        match self.files.get(name) {
            Some(of_file) if of_file == value => "`env_file` of the service".to_owned(),
            _ => "Portway".to_owned(),
        }
    }
}

/// Formats the place of a variable; the line is 0 if it is not known.
fn place(place: &Place) -> String {
    match place.line {
        0 => place.file.clone(),
        line => format!("{}:{line}", place.file),
    }
}
