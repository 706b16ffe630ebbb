//! The environment mapping of a project: what its own files say about variables, mapped to the ports of
//! the plan.

use std::path::Path;

use indexmap::IndexMap;
use portway_detect::{compose, variables};
use portway_project::mapping::{self, AppVariable, Mapping, Origin, Place};
use portway_project::{Plan, PlannedService, dotenv, user_file};

/// Maps the variables of each service of `plan`, except those whose manifest disables it. Files that
/// cannot be read count as empty: who needs them reports them.
///
/// `is_detected` is whether there is no manifest. Values of example files then apply to directories
/// without a file in use. `off` are services that do not run although the plan contains them.
pub(crate) fn mappings(
    root: &Path,
    plan: &Plan,
    is_detected: bool,
    off: &[String],
) -> IndexMap<String, Mapping> {
    let services = || plan.services.values().filter(|service| service.map_env);
    let dirs: Vec<(&str, &str)> = services()
        .map(|service| (service.name.as_str(), service.dir.as_deref().unwrap_or("")))
        .collect();
    let found = variables::find(root, &dirs);
    let mut endpoints = mapping::endpoints(plan);
    endpoints.retain(|endpoint| !off.contains(&endpoint.service));
    let off: Vec<String> = off.iter().chain(&plan.disabled).cloned().collect();
    let mapped = services().map(|service| {
        let mut variables = found.get(&service.name).cloned().unwrap_or_default();
        let dir = service.dir.as_deref().unwrap_or("");
        let named = variables::of_command(root, dir, &service.command);
        variables.extend(named.variables);
        variables.extend(of_env_files(root, service));
        if let Some(of) = &service.compose {
            let environment = compose::environment(root, &of.file, &of.service);
            variables.extend(environment.unwrap_or_default());
        }
        let mut mapping = Mapping::new(&service.name, &variables, &endpoints, is_detected, &off);
        mapping.keep(&named.overriding);
        (service.name.clone(), mapping)
    });
    mapped.collect()
}

/// Returns a warning for each default in code that names a port of a service and contains an expression, so
/// that Portway cannot set it.
pub(crate) fn incomplete(plan: &Plan, mappings: &IndexMap<String, Mapping>) -> Vec<String> {
    let mut warnings: IndexMap<String, String> = IndexMap::new();
    for (service, mapping) in mappings {
        let own = plan.services.get(service).map(|planned| &planned.env);
        let is_set = |name: &str| own.is_some_and(|own| own.contains_key(name));
        for one in mapping.incomplete.iter().filter(|one| !is_set(&one.name)) {
            let Place { file, line } = &one.place;
            let (name, value, meaning) = (&one.name, one.value.template(), one.meaning.join(", "));
            let key = format!("{name} {file}:{line}");
            warnings.entry(key).or_insert_with(|| {
                format!(
                    "the default of `{name}` in `{file}:{line}` contains a port ({meaning}) and an expression, so \
                     Portway cannot set it; add `{name} = \"{value}\"` to `env` in `[services.{service}]`, with \
                     a value for each `…`"
                )
            });
        }
    }
    warnings.into_values().collect()
}

/// Reads the variables of a service's `env_file`s, which may have any name.
fn of_env_files(root: &Path, service: &PlannedService) -> Vec<AppVariable> {
    let mut all = Vec::new();
    for name in &service.env_files {
        let path = service.working_dir(root).join(name);
        let text = user_file::read_text(&path).unwrap_or_default();
        let file = match &service.dir {
            Some(dir) => format!("{dir}/{name}"),
            None => name.clone(),
        };
        let (assignments, _) = dotenv::assignments(&text, &environment);
        all.extend(assignments.into_iter().map(|one| AppVariable {
            name: one.name,
            value: one.value,
            place: Place {
                file: file.clone(),
                line: one.line,
            },
            origin: Origin::File,
        }));
    }
    all
}

/// Returns the value of a variable of Portway's own environment, to which `env_file`s can refer.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portway_project::Manifest;

    #[test]
    fn a_default_with_an_expression_is_named_once_with_the_line_to_write() {
        let text = "[services.web]\ncommand = \"x\"\n[services.jobs]\ncommand = \"x\"\n\
                    [services.api]\ncommand = \"x\"\nport = 8000\n[services.set]\ncommand = \"x\"\n\
                    env = { API_URL = \"y\" }\n";
        let manifest = Manifest::parse(Path::new("/p/portway.toml"), text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let variable = AppVariable {
            name: "API_URL".into(),
            value: "http://localhost:8000/…/x".into(),
            place: Place {
                file: "config.py".into(),
                line: 4,
            },
            origin: Origin::Expression,
        };
        let endpoints = mapping::endpoints(&plan);
        let all = ["set", "web", "jobs"].map(|owner| {
            let mapping = Mapping::new(
                owner,
                std::slice::from_ref(&variable),
                &endpoints,
                false,
                &[],
            );
            (owner.to_owned(), mapping)
        });
        let found = incomplete(&plan, &IndexMap::from(all));
        let [one] = &found[..] else {
            panic!("{found:?}");
        };
        for part in [
            "`config.py:4`",
            "8000 is `api`",
            "API_URL = \"{api.url}/…/x\"",
            "[services.web]",
        ] {
            assert!(one.contains(part), "{one}");
        }
    }
}
