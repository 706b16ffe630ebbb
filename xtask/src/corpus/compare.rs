//! Compares what Portway plans with what a person expects. Pure functions.

use portway_api::ServicePlan;

use super::list::{Expected, Need};

/// Describe every difference; none means that the plan is right.
///
/// Optional services that nobody expects are not a difference, because a bare `up` does not start
/// them.
pub(super) fn differences(expected: &[Expected], planned: &[ServicePlan]) -> Vec<String> {
    let matches = assign(expected, planned);
    let mut differences = Vec::new();
    for (service, found) in expected.iter().zip(&matches) {
        let Some(found) = found.map(|index| &planned[index]) else {
            if matches!(service.need, Need::Required | Need::Present) {
                differences.push(format!("`{}` is not found", service.name));
            }
            continue;
        };
        if service.need == Need::Required && found.optional {
            differences.push(format!("`{}` is optional", found.name));
        }
        if service.need == Need::Optional && !found.optional {
            differences.push(format!("`{}` is not optional", found.name));
        }
        differences.extend(port_difference(service, found));
        for before in &service.after {
            let position = expected.iter().position(|other| other.name == *before);
            let other = position.and_then(|position| matches[position]);
            let Some(other) = other.map(|index| &planned[index]) else {
                continue; // already reported as not found
            };
            if !starts_after(found, &other.name, planned) {
                differences.push(format!("`{}` is not after `{}`", found.name, other.name));
            }
        }
    }
    for (index, service) in planned.iter().enumerate() {
        let is_known = matches.contains(&Some(index))
            || expected
                .iter()
                .any(|e| e.need == Need::Allowed && is_same(e, service));
        // Not a service of the project, but what Portway does once for its database.
        let is_migration = service.only_if_empty.is_some();
        if !is_known && !service.optional && !is_migration {
            differences.push(format!(
                "`{}` (`{}`) is not a service",
                service.name, service.command
            ));
        }
    }
    differences
}

/// Whether the usual port is the planned one. Services with `need = "allowed"` may have any.
fn port_difference(expected: &Expected, found: &ServicePlan) -> Option<String> {
    let port = expected.port?;
    if found.ports.iter().any(|planned| planned.prefer == port) {
        return None;
    }
    if expected.need == Need::Allowed {
        return None;
    }
    let planned = found
        .ports
        .first()
        .map(|planned| planned.prefer.to_string());
    let planned = planned.as_deref().unwrap_or("none");
    Some(format!(
        "the port of `{}` is {planned} instead of {port}",
        found.name
    ))
}

/// The planned service of each expected one: the same port first, then any that fits.
fn assign(expected: &[Expected], planned: &[ServicePlan]) -> Vec<Option<usize>> {
    let mut matches = vec![None; expected.len()];
    for ports_must_match in [true, false] {
        for (position, service) in expected.iter().enumerate() {
            if matches[position].is_some() {
                continue;
            }
            let found = planned.iter().enumerate().position(|(index, found)| {
                let has_port = found.ports.iter().any(|p| Some(p.prefer) == service.port);
                !matches.contains(&Some(index))
                    && is_same(service, found)
                    && (!ports_must_match || has_port)
            });
            matches[position] = found;
        }
    }
    matches
}

/// Whether a planned service is in the expected directory and runs the expected program.
fn is_same(expected: &Expected, found: &ServicePlan) -> bool {
    let is_dir = expected.dir.is_empty() || expected.dir.contains(&found.dir);
    let framework = found.framework.as_deref().unwrap_or_default();
    let texts = [found.command.as_str(), framework, found.kind.as_str()];
    is_dir
        && expected
            .runs
            .iter()
            .any(|words| texts.iter().any(|text| contains_words(text, words)))
}

/// Whether `text` contains `words`, and not only as a part of longer words.
fn contains_words(text: &str, words: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric();
    text.match_indices(words).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + words.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Whether a service starts after another one, directly or through others.
fn starts_after(service: &ServicePlan, other: &str, all: &[ServicePlan]) -> bool {
    let mut pending = service.after.clone();
    let mut seen: Vec<String> = Vec::new();
    while let Some(name) = pending.pop() {
        if name == other {
            return true;
        }
        if !seen.contains(&name) {
            let before = all.iter().find(|service| service.name == name);
            pending.extend(before.map(|b| b.after.clone()).unwrap_or_default());
            seen.push(name);
        }
    }
    false
}

#[cfg(test)]
mod tests;
