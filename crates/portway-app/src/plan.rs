//! Reports the services of a checkout and the evidence for them.

use std::path::Path;

use indexmap::IndexMap;
use portway_api::{
    MissingVariable, PortPreference, ProjectPlan, ServicePlan, SkippedFile, VariablePlan,
};
use portway_detect::{DetectedService, Detection, Skipped};
use portway_project::manifest::FILE_NAME;
use portway_project::mapping::Mapping;
use portway_project::policy::Isolation;
use portway_project::{Checkout, Plan, PlannedService};

use crate::database::{self, OwnVariable};
use crate::dirs::{self, has_program};
use crate::env_files;
use crate::error::CommandError;
use crate::isolation;
use crate::mapping::{incomplete, mappings};
use crate::missing;
use crate::project::{Described, describe};
use crate::toolchains::missing_tools;

/// Returns the services that `portway up` would start, with the evidence. Does not start, lease or
/// write anything.
///
/// # Errors
/// When the project cannot be used.
pub fn plan(directory: Option<&Path>) -> Result<ProjectPlan, CommandError> {
    project_plan(&describe(&dirs::directory(directory)?)?)
}

fn project_plan(described: &Described) -> Result<ProjectPlan, CommandError> {
    let Described {
        manifest,
        found,
        preferences,
    } = described;
    let mut plan = Plan::with_all_services(manifest, preferences)?;
    // `portway up` starts no containers without an engine.
    let off = found.as_ref().map_or(&[][..], |found| &found.off);
    let mappings = mappings(manifest.root(), &plan, found.is_some(), off);
    let checkout = Checkout::read(manifest.root())?;
    isolation::choose(&mut plan, &checkout, found.as_ref(), preferences);
    let databases = database::own_variables(&plan, &checkout, &mappings)?;
    if database::is_needed(&plan, &checkout) {
        database::add_step(&mut plan, &mappings, &IndexMap::new())?;
    }
    let invalid_lines = match found {
        Some(_) => Vec::new(),
        None => env_files::invalid(manifest.root(), &plan),
    };
    let no_detection = Detection::default();
    let detection = found.as_ref().unwrap_or(&no_detection);
    let by_name: IndexMap<&str, &DetectedService> = detection
        .services
        .iter()
        .map(|found| (found.name.as_str(), found))
        .collect();
    let mut warnings = detection.warnings.clone();
    warnings.extend(detection.fixed_ports.iter().map(ToString::to_string));
    let mut enabled = plan.clone();
    enabled.services.retain(|_, service| !service.optional);
    warnings.extend(missing::of_compose(manifest.root(), &enabled));
    warnings.extend(missing_tools(&plan, has_program));
    if !checkout.is_main() && plan.isolation != Isolation::Network {
        warnings.extend(incomplete(&plan, &mappings));
    }
    Ok(ProjectPlan {
        directory: manifest.root().display().to_string(),
        manifest: found
            .is_none()
            .then(|| manifest.source.file.display().to_string()),
        services: plan
            .services
            .values()
            .map(|service| {
                let found = by_name.get(service.name.as_str()).copied();
                let mut described = service_plan(service, found, mappings.get(&service.name));
                if plan.database_step.as_ref() == Some(&service.name) {
                    let evidence = "creates the databases of this worktree at its first start";
                    described.evidence.push(evidence.to_owned());
                }
                let own = databases.get(&service.name).map_or(&[][..], Vec::as_slice);
                add_databases(&mut described.variables, own);
                described
            })
            .collect(),
        isolation: isolation::plan(&plan),
        project: plan.project,
        skipped: detection
            .skipped
            .iter()
            .chain(&invalid_lines)
            .map(skipped_file)
            .collect(),
        passed_over: detection.passed_over.iter().map(skipped_file).collect(),
        warnings,
    })
}

fn skipped_file(skipped: &Skipped) -> SkippedFile {
    SkippedFile {
        file: skipped.file.clone(),
        why: skipped.why.clone(),
    }
}

/// Replaces the variables that refer to a database of this worktree, and adds those that no port changes.
fn add_databases(variables: &mut Vec<VariablePlan>, own: &[OwnVariable]) {
    for one in own {
        let known = variables.iter_mut().find(|known| known.name == one.name);
        if let Some(known) = known {
            known.value.clone_from(&one.value);
            known.meaning.push(one.meaning.clone());
            continue;
        }
        let place = one.place.as_ref();
        variables.push(VariablePlan {
            name: one.name.clone(),
            value: one.value.clone(),
            file: place.map_or_else(|| FILE_NAME.to_owned(), |place| place.file.clone()),
            line: place.map_or(0, |place| place.line),
            meaning: vec![one.meaning.clone()],
        });
    }
}

fn service_plan(
    service: &PlannedService,
    found: Option<&DetectedService>,
    mapping: Option<&Mapping>,
) -> ServicePlan {
    let variables = mapping.iter().flat_map(|mapping| &mapping.variables);
    let missing = mapping.iter().flat_map(|mapping| &mapping.missing);
    let only_if_empty = service.only_if_empty.as_ref();
    ServicePlan {
        name: service.name.clone(),
        framework: found.map(|found| found.framework.to_owned()),
        dir: service.dir.clone().unwrap_or_default(),
        command: service.command.clone(),
        prepare: service.prepare.as_ref().map(|step| step.command.clone()),
        kind: service.kind.as_str().to_owned(),
        ports: service
            .ports
            .iter()
            .map(|port| PortPreference {
                name: port.name.clone(),
                prefer: port.spec.prefer,
                range: port.spec.range.to_string(),
            })
            .collect(),
        after: service.after.iter().map(|(name, _)| name.clone()).collect(),
        optional: service.optional,
        only_if_empty: only_if_empty.map(|database| database.name().to_owned()),
        evidence: found
            .map(|found| found.evidence.clone())
            .unwrap_or_default(),
        // The manifest overrides the application's files.
        variables: variables
            .filter(|variable| !service.env.contains_key(&variable.name))
            .map(|variable| VariablePlan {
                name: variable.name.clone(),
                value: variable.value.template(),
                file: variable.place.file.clone(),
                line: variable.place.line,
                meaning: variable.meaning.clone(),
            })
            .collect(),
        missing: missing
            .filter(|variable| !service.env.contains_key(&variable.name))
            .map(|variable| MissingVariable {
                name: variable.name.clone(),
                file: variable.place.file.clone(),
                line: variable.place.line,
            })
            .collect(),
    }
}
