//! Writes `.ports.json` and makes git ignore it.

use std::fs;
use std::io::Write;

use portway_project::{PortsFile, Wiring, ports_file, user_file, wiring};
use portway_registry::{Registry, WrittenValue, WrittenValues};

use crate::error::CommandError;
use crate::project::{Project, RegisteredProject};

/// Writes Portway's keys to `.ports.json` and makes git ignore the file.
pub(super) fn write_ports_file(
    registered: &mut RegisteredProject,
    file: PortsFile,
    wiring: &Wiring,
) -> Result<(), CommandError> {
    let owned = &wiring.ports_json;
    // Of the values that Portway owns, only ports are numbers.
    let ports = owned.iter().filter_map(|(key, value)| {
        let port = u16::try_from(value.as_u64()?).ok()?;
        Some((key.clone(), WrittenValue::Port(port)))
    });
    // A health URL is recorded by its key, because a user may have a key of that name where the
    // manifest names no path.
    let health = registered
        .project
        .plan
        .services
        .keys()
        .filter_map(|service| {
            let key = wiring::health_key(service);
            let url = owned.get(&key)?.as_str()?.to_owned();
            Some((key, WrittenValue::Url(url)))
        });
    let written = WrittenValues(ports.chain(health).collect());
    let id = registered.instance.id.clone();
    let previous: Vec<String> = registered
        .registry
        .last_written(&id)?
        .0
        .into_iter()
        .flat_map(|(key, value)| {
            let url = matches!(value, WrittenValue::Port(_)).then(|| ports_file::url_key(&key));
            std::iter::once(key).chain(url)
        })
        .collect();
    // The registry must record the values before they are written, even after a power failure:
    // otherwise they would count as the user's.
    let now = portway_supervisor::now();
    registered.registry.record_written(&id, &written, now)?;
    let root = &registered.project.checkout.root;
    let content = file.merged(owned, &previous);
    registered.registry.sync(content != file)?;
    content.write(root)?;
    ignore_ports_file(&registered.project);
    Ok(())
}

/// Reads `.ports.json` as it is now, and writes what Portway owns in it.
pub(super) fn rewrite_ports_file(
    registered: &mut RegisteredProject,
    wiring: &Wiring,
) -> Result<(), CommandError> {
    let file = PortsFile::read(&registered.project.checkout.root)?;
    write_ports_file(registered, file.unwrap_or_default(), wiring)
}

/// Adds `.ports.json` to the ignored files of this clone only, so that no tracked file changes. If that
/// fails, git lists the file as untracked.
fn ignore_ports_file(project: &Project) {
    let Some(exclude) = project.checkout.git_exclude() else {
        return;
    };
    let name = ports_file::FILE_NAME;
    let ignores = |text: &str| {
        text.lines()
            .any(|line| line.trim_start_matches('/') == name)
    };
    // A file that cannot be read is not extended.
    let current = match user_file::read_text(&exclude) {
        Ok(text) => text,
        Err(error) if error.is_not_found() => String::new(),
        Err(_) => return,
    };
    let own = project.checkout.root.join(".gitignore");
    let own = user_file::read_text(&own).unwrap_or_default();
    if ignores(&current) || ignores(&own) {
        return;
    }
    let newline = if current.is_empty() || current.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    // Only `info`: if the main checkout has moved, nothing is created at its old place.
    let _ = exclude.parent().map(fs::create_dir);
    let _ = user_file::append_to(&exclude)
        .and_then(|mut file| file.write_all(format!("{newline}{name}\n").as_bytes()));
}
