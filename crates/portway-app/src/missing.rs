//! Variables that an example file names and that still need a value.

use indexmap::IndexMap;
use portway_project::shell::quote;

use crate::project::Project;
use crate::reporter::Reporter;

/// Warns about the variables of example files that need a value and have none.
pub(crate) fn report(project: &Project, reporter: &dyn Reporter) {
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
