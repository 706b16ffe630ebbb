//! What an application's `.env` files lack: values that an example file names, and files that cannot be
//! read.

use indexmap::IndexMap;
use portway_detect::variables;
use portway_project::shell::quote;

use crate::project::Project;
use crate::reporter::Reporter;

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
    let mut by_file: IndexMap<String, Vec<String>> = IndexMap::new();
    for (service, mapping) in project.mappings() {
        let own = &project.plan.services[&service].env;
        for variable in mapping.missing {
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
}
