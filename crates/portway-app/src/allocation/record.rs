//! Writing down what was chosen: `.ports.json`, ignored by git.

use std::fs;
use std::io::Write;

use indexmap::IndexMap;
use portway_project::{PortsFile, Wiring, ports_file, wiring};
use portway_registry::Registry;
use serde_json::{Map, Value};

use super::wishes::port_keys;
use crate::error::CommandError;
use crate::project::Project;

/// Writes what Portway owns in `.ports.json`, and has git ignore the file.
pub(super) fn write_ports_file(
    project: &mut Project,
    file: PortsFile,
    wiring: &Wiring,
) -> Result<(), CommandError> {
    let owned = &wiring.ports_json;
    let ports: IndexMap<&String, &Value> = port_keys(project)
        .iter()
        .filter_map(|(_, json)| owned.get_key_value(json))
        .collect();
    // A copy of the file is known by its ports. That a health URL was Portway's is remembered by
    // name, for a person may have a key of that name where the manifest names no path.
    let content = serde_json::to_string(&ports).unwrap_or_default();
    let services = project.plan.services.keys();
    let health = services.filter_map(|service| owned.get_key_value(&wiring::health_key(service)));
    let remembered: IndexMap<&String, &Value> =
        ports.iter().map(|(&k, &v)| (k, v)).chain(health).collect();
    let remembered = serde_json::to_string(&remembered).unwrap_or_default();
    let id = project.instance.id.clone();
    let previous: Map<String, Value> = project
        .registry
        .last_written(&id)?
        .and_then(|text| serde_json::from_str::<Map<String, Value>>(&text).ok())
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(key, value)| {
            let url = value.is_u64().then(|| ports_file::url_key(&key));
            let url = url.map(|url| (url, Value::Null));
            std::iter::once((key, value)).chain(url)
        })
        .collect();
    // First remembered, then written, after a power cut too: a file that the registry does not know
    // would count as a person's.
    let now = portway_supervisor::now();
    project
        .registry
        .record_written(&id, &remembered, &content, now)?;
    let root = &project.checkout.root;
    let content = file.merged(owned, &previous);
    project.registry.sync(content != file)?;
    content.write(root)?;
    ignore_ports_file(project);
    Ok(())
}

/// Tells git, for this clone only, to ignore `.ports.json`, so that no tracked file changes.
/// Nothing depends on it: where it cannot be done, the file merely shows up as untracked.
fn ignore_ports_file(project: &Project) {
    let Some(exclude) = project.checkout.git_exclude() else {
        return;
    };
    let name = ports_file::FILE_NAME;
    let ignores = |text: &str| {
        text.lines()
            .any(|line| line.trim_start_matches('/') == name)
    };
    let current = fs::read_to_string(&exclude).unwrap_or_default();
    let own = fs::read_to_string(project.checkout.root.join(".gitignore")).unwrap_or_default();
    if ignores(&current) || ignores(&own) {
        return;
    }
    let newline = if current.is_empty() || current.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let _ = exclude.parent().map(fs::create_dir_all);
    let _ = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&exclude)
        .and_then(|mut file| file.write_all(format!("{newline}{name}\n").as_bytes()));
}
