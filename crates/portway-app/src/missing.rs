//! What an application's `.env` files lack: values that an example file or a compose file names, and files
//! that cannot be read.

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;
use portway_detect::Skipped;
use portway_detect::compose::{self, Missing, MissingPart};
use portway_detect::variables::{self, MissingKeys};
use portway_project::Plan;
use portway_project::mapping::{AppVariable, Origin, Place};
use portway_project::policy::Isolation;
use portway_project::shell::quote;

use crate::compose::is_set;
use crate::env_files;
use crate::mapping::{incomplete, mappings};
use crate::project::Project;
use crate::reporter::Reporter;

/// Maximum number of variables that are named.
const MAX_NAMES: usize = 10;

/// Warns about `.env` files that cannot be read, and about the variables of example files that need a value
/// and have none.
pub(crate) fn report(project: &Project, reporter: &dyn Reporter) {
    let services = project.plan.services.values();
    let dirs: Vec<&str> = services
        .filter(|service| service.map_env)
        .map(|service| service.dir.as_deref().unwrap_or(""))
        .collect();
    for file in variables::unreadable(&project.checkout.root, &dirs) {
        reporter.warning(&format!(
            "`{}` {}; Portway cannot set the ports in its variables",
            file.file, file.why
        ));
    }
    // Detection has reported those that it has read.
    if project.found.is_none() {
        for Skipped { file, why } in env_files::invalid(&project.checkout.root, &project.plan) {
            reporter.warning(&format!("skipped `{file}`: it {why}"));
        }
    }
    let mappings = project.mappings();
    // In the main checkout, and in a network of its own, services have their usual ports.
    if !project.checkout.is_main() && project.plan.isolation != Isolation::Network {
        for warning in incomplete(&project.plan, &mappings) {
            reporter.warning(&warning);
        }
    }
    let mut by_file: IndexMap<String, Vec<String>> = IndexMap::new();
    for (service, mapping) in mappings {
        let own = &project.plan.services[&service].env;
        // A file in use lacks the variables that are only documented, which its author may want.
        let is_empty = |one: &AppVariable| one.origin != Origin::Documented;
        for variable in mapping.missing.into_iter().filter(is_empty) {
            let names = by_file.entry(variable.place.file).or_default();
            if !own.contains_key(&variable.name) && !names.contains(&variable.name) {
                names.push(variable.name);
            }
        }
    }
    for (file, names) in by_file.iter().filter(|(_, names)| !names.is_empty()) {
        let dir = file
            .rsplit_once('/')
            .map_or(String::new(), |(dir, _)| format!("{dir}/"));
        reporter.warning(&format!(
            "`{file}` names variables that still need a value: {}; run `cp {} {}` and fill them in",
            names.join(", "),
            quote(file),
            quote(&format!("{dir}.env")),
        ));
    }
    let is_detected = project.found.is_some();
    for keys in missing_keys(&project.checkout.root, &project.plan, is_detected) {
        let MissingKeys { file, example, .. } = &keys;
        reporter.warning(&format!(
            "`{file}` lacks {}, which `{example}` has; copy the lines and fill in the values",
            list(&keys.names)
        ));
    }
    for warning in of_compose(&project.checkout.root, &project.plan) {
        reporter.warning(&warning);
    }
}

/// Returns the variables that an example file has and the `.env` file beside it lacks, and that nothing else
/// sets.
pub(crate) fn missing_keys(root: &Path, plan: &Plan, is_detected: bool) -> Vec<MissingKeys> {
    let services = || plan.services.values().filter(|service| service.map_env);
    let dirs: Vec<&str> = services()
        .map(|service| service.dir.as_deref().unwrap_or(""))
        .collect();
    let mut all = variables::missing_keys(root, &dirs);
    if all.is_empty() {
        return all;
    }
    let mut set: BTreeSet<String> = services()
        .flat_map(|service| service.env.keys().cloned())
        .collect();
    for mapping in mappings(root, plan, is_detected, &[]).into_values() {
        set.extend(mapping.variables.into_iter().map(|variable| variable.name));
    }
    let own = ["PORT", "HOST"];
    for keys in &mut all {
        keys.names
            .retain(|name| !set.contains(name) && !own.contains(&name.as_str()) && !is_set(name));
    }
    all.retain(|keys| !keys.names.is_empty());
    all
}

/// Lists names: "`A`, `B` and 3 more".
pub(crate) fn list(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MAX_NAMES)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = names.len().saturating_sub(MAX_NAMES);
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Says what compose services lack, each file and variable once.
pub(crate) fn of_compose(root: &Path, plan: &Plan) -> Vec<String> {
    let mut by_part: IndexMap<String, (Missing, Vec<String>)> = IndexMap::new();
    for service in plan.services.values() {
        let Some(of) = &service.compose else { continue };
        for missing in compose::missing(root, &of.file, &of.service, &is_set) {
            let key = format!("{:?}", missing.part);
            let (_, services) = by_part.entry(key).or_insert((missing, Vec::new()));
            services.push(format!("`{}`", service.name));
        }
    }
    by_part
        .into_values()
        .map(|(missing, services)| compose_warning(&missing, &services.join(", ")))
        .collect()
}

/// Says what services in a compose file lack, and what to do.
fn compose_warning(missing: &Missing, services: &str) -> String {
    let place = match &missing.place {
        Place { file, line: 0 } => file.clone(),
        Place { file, line } => format!("{file}:{line}"),
    };
    match &missing.part {
        MissingPart::EnvFile(file) => format!(
            "`{place}` reads `{file}`, which is missing and has no example; \
             create it with the variables for {services}"
        ),
        MissingPart::Password {
            name,
            image,
            env_file,
        } => format!(
            "`{place}` starts `{image}` for {services} without `{name}`, which it needs for a new database; \
             write it to {}",
            match env_file {
                Some(file) => format!("`{file}`"),
                None => "its `environment`".to_owned(),
            }
        ),
        MissingPart::Variable {
            name,
            env_file,
            example: Some(Place { file, line }),
        } => format!(
            "`{place}` needs `{name}` for {services}, which `{env_file}` lacks; \
             copy the line from `{file}:{line}`"
        ),
        MissingPart::Variable {
            name,
            env_file,
            example: None,
        } => format!(
            "`{place}` needs `{name}` for {services}, which has no value; \
             write `{name}=VALUE` to `{env_file}`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_a_limited_number_of_names() {
        let names: Vec<String> = (0..12).map(|n| format!("N{n}")).collect();
        assert_eq!(list(&names[..2]), "`N0`, `N1`");
        assert!(list(&names).ends_with("`N9` and 2 more"));
    }

    #[test]
    fn says_what_a_compose_file_needs_and_what_to_write() {
        let of = |part| Missing {
            place: Place {
                file: "compose.yaml".to_owned(),
                line: 4,
            },
            part,
        };
        let file = of(MissingPart::EnvFile("api/.env".to_owned()));
        assert_eq!(
            compose_warning(&file, "`db`, `api`"),
            "`compose.yaml:4` reads `api/.env`, which is missing and has no example; create it with the \
             variables for `db`, `api`"
        );
        let variable = of(MissingPart::Variable {
            name: "DB_PASSWORD".to_owned(),
            env_file: ".env".to_owned(),
            example: None,
        });
        assert_eq!(
            compose_warning(&variable, "`db`"),
            "`compose.yaml:4` needs `DB_PASSWORD` for `db`, which has no value; write \
             `DB_PASSWORD=VALUE` to `.env`"
        );
    }
}
