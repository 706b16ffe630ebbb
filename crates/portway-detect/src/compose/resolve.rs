//! Replaces `include` and `extends` in a parsed compose file by what they refer to.
//!
//! Only files of the checkout are read. What cannot be read is recorded as skipped.

use serde_json::{Map, Value};

use super::Dir;
use super::value::{self, merge};
use crate::yaml::{scalar, strings};

/// Maximum number of files, and of services, that refer to each other in a chain.
const MAX_DEPTH: usize = 8;

/// Reads the file at `path`, relative to `dir`. Adds the services of included files, and the values of
/// extended services to those that extend them. Paths in it are relative to `dir`.
pub(super) fn read_resolved(dir: &Dir<'_>, path: &str) -> Option<Value> {
    let (_, _, mut compose) = read(dir, path)?;
    // Compose resolves all paths from the directory of the first file, which is `dir`.
    resolve_file(dir, path, &mut compose, MAX_DEPTH);
    Some(compose)
}

fn resolve_file(dir: &Dir<'_>, name: &str, compose: &mut Value, depth: usize) {
    extend_services(dir, name, compose);
    let Some(includes) = compose.get("include").cloned() else {
        return;
    };
    let entry = format!("{name}: include");
    if depth == 0 {
        dir.skip(&entry, format!("is nested more than {MAX_DEPTH} deep"));
        return;
    }
    for path in include_paths(&includes) {
        let Some((place, file, mut included)) = read(dir, &path) else {
            dir.skip(&entry, format!("refers to {path}, which cannot be read"));
            continue;
        };
        resolve_file(&place, &file, &mut included, depth - 1);
        let services = included.get_mut("services").map(Value::take);
        if let (Some(Value::Object(mut services)), Value::Object(compose)) =
            (services, &mut *compose)
        {
            value::rebase(&mut services, place.path(), dir.path());
            let own = compose
                .entry("services")
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(own) = own {
                for (name, service) in services {
                    own.entry(name).or_insert(service);
                }
            }
        }
    }
}

/// Returns the paths of an `include`: a list of paths, or of mappings with a `path`, which may itself
/// be a list. Later paths of such a list override earlier ones, so they come first.
fn include_paths(include: &Value) -> Vec<String> {
    let entries = match include {
        Value::Array(entries) => entries.as_slice(),
        one => std::slice::from_ref(one),
    };
    let paths = entries.iter().flat_map(|entry| match entry.get("path") {
        Some(Value::Array(paths)) => paths.iter().rev().filter_map(scalar).collect(),
        Some(path) => strings(path),
        None => scalar(entry).into_iter().collect(),
    });
    paths.collect()
}

/// Merges the services that a file's services extend into them.
fn extend_services(dir: &Dir<'_>, name: &str, compose: &mut Value) {
    let Some(Value::Object(services)) = compose.get("services").cloned() else {
        return;
    };
    for (service, value) in &services {
        let extended = extended(dir, name, &services, service, value, MAX_DEPTH);
        if let Some(own) = compose
            .pointer_mut("/services")
            .and_then(|own| own.get_mut(service))
        {
            *own = extended;
        }
    }
}

/// Returns a service with the values of the service that it extends.
fn extended(
    dir: &Dir<'_>,
    name: &str,
    services: &Map<String, Value>,
    service: &str,
    value: &Value,
    depth: usize,
) -> Value {
    let Some(extends) = value.get("extends") else {
        return value.clone();
    };
    let file = extends.get("file").and_then(scalar);
    let other = scalar(extends).or_else(|| extends.get("service").and_then(scalar));
    let base = depth.checked_sub(1).and_then(|depth| {
        let other = other.as_deref()?;
        match &file {
            None => {
                let base = services.get(other)?;
                Some(extended(dir, name, services, other, base, depth))
            }
            Some(file) => {
                let (place, file, compose) = read(dir, file)?;
                let services = compose.get("services")?.as_object()?;
                let base = services.get(other)?;
                let mut base = extended(&place, &file, services, other, base, depth);
                value::rebase_service(&mut base, place.path(), dir.path());
                Some(base)
            }
        }
    });
    let Some(mut base) = base else {
        let what = match (&file, &other) {
            (Some(file), Some(other)) => format!("`{other}` in {file}"),
            (None, Some(other)) => format!("`{other}`"),
            _ => "no service".to_owned(),
        };
        dir.skip(
            &format!("{name}: services.{service}"),
            format!("extends {what}, which cannot be read"),
        );
        return value.clone();
    };
    let mut own = value.clone();
    if let Value::Object(own) = &mut own {
        own.remove("extends");
    }
    merge(&mut base, own);
    base
}

/// Reads a compose file of the checkout by its path relative to `dir`, and returns its directory and
/// its name.
fn read<'d>(dir: &Dir<'d>, path: &str) -> Option<(Dir<'d>, String, Value)> {
    let (dir, file) = place(dir, path)?;
    let value = value::read(&dir, &file)?;
    Some((dir, file, value))
}

/// Returns the directory and the name of a file of the checkout by its path relative to `dir`.
pub(super) fn place<'d>(dir: &Dir<'d>, path: &str) -> Option<(Dir<'d>, String)> {
    if path.starts_with('/') || path.contains("://") {
        return None;
    }
    let (place, file) = path.rsplit_once('/').unwrap_or(("", path));
    let mut dir = dir.below("")?;
    for part in place.split('/').filter(|part| !["", "."].contains(part)) {
        dir = match part {
            ".." => dir.up()?,
            part => dir.sub(part)?,
        };
    }
    Some((dir, file.to_owned()))
}
