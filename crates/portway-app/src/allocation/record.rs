//! Writing down what was chosen: `.ports.json`, ignored by git.

use std::fs;
use std::io::Write;

use portway_project::{PortsFile, Wiring, ports_file, wiring};
use portway_registry::{Registry, WrittenValue, WrittenValues};

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
    let ports = port_keys(project).into_iter().filter_map(|(_, key)| {
        let port = u16::try_from(owned.get(&key)?.as_u64()?).ok()?;
        Some((key, WrittenValue::Port(port)))
    });
    // A health URL is remembered by its key, because a user may have a key of that name where the
    // manifest names no path.
    let health = project.plan.services.keys().filter_map(|service| {
        let key = wiring::health_key(service);
        let url = owned.get(&key)?.as_str()?.to_owned();
        Some((key, WrittenValue::Url(url)))
    });
    let written = WrittenValues(ports.chain(health).collect());
    let id = project.instance.id.clone();
    let previous: Vec<String> = project
        .registry
        .last_written(&id)?
        .0
        .into_iter()
        .flat_map(|(key, value)| {
            let url = matches!(value, WrittenValue::Port(_)).then(|| ports_file::url_key(&key));
            std::iter::once(key).chain(url)
        })
        .collect();
    // First remembered, then written, after a power cut too: a file that the registry does not know
    // would count as a person's.
    let now = portway_supervisor::now();
    project.registry.record_written(&id, &written, now)?;
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
