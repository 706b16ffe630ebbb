//! The start order of the services of compose files.

use super::{CONDITIONS, Container, File};
use crate::DetectedService;

/// Sets the start order: services as their file says, and services that run directly after all containers that
/// they may use. Uses the final names; the containers are at the end of `all`.
pub(crate) fn set_start_order(
    all: &mut [DetectedService],
    containers: &[Container],
    files: &[File<'_>],
) {
    let count = all.len().saturating_sub(containers.len());
    make_fronts_optional(all, count, files);
    let needed: Vec<String> = all[count..]
        .iter()
        .filter(|one| !one.optional)
        .map(|one| one.name.clone())
        .collect();
    for service in &mut all[..count] {
        let needed = needed.iter().map(|name| (name.clone(), "ready"));
        service.after.extend(needed);
    }
    for file in files {
        for (own, other, condition) in dependencies(all, file) {
            let name = all[other].name.clone();
            let is_known = all[own].after.iter().any(|(known, _)| *known == name);
            if !is_known && !waits_for(all, &name, &all[own].name) {
                all[own].after.push((name, condition));
            }
        }
    }
}

/// Returns whether a service starts after another one, directly or through others.
fn waits_for(services: &[DetectedService], name: &str, other: &str) -> bool {
    let mut pending = vec![name];
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = pending.pop() {
        if name == other {
            return true;
        }
        if !seen.contains(&name) {
            seen.push(name);
            let service = services.iter().find(|one| one.name == name);
            let before = service.into_iter().flat_map(|one| &one.after);
            pending.extend(before.map(|(name, _)| name.as_str()));
        }
    }
    false
}

/// Returns what the services of a file depend on: the indexes of both, and the condition.
fn dependencies(all: &[DetectedService], file: &File<'_>) -> Vec<(usize, usize, &'static str)> {
    let index = |name: &str| {
        let key = file.key(name);
        all.iter().position(|one| one.more.contains(&key))
    };
    let mut found = Vec::new();
    for (name, service) in &file.compose.services {
        let Some(own) = index(name) else {
            continue;
        };
        for (other, condition) in &service.depends_on {
            let known = CONDITIONS.iter().find(|(name, _)| name == condition);
            if let (Some(other), Some((_, condition))) = (index(other), known)
                && other != own
            {
                found.push((own, other, *condition));
            }
        }
    }
    found
}

/// Makes containers optional that depend on code which runs directly, such as proxies in front of it: they
/// cannot reach it, and it must not wait for them.
fn make_fronts_optional(all: &mut [DetectedService], count: usize, files: &[File<'_>]) {
    for file in files {
        let dependencies = dependencies(all, file);
        let mut fronts: Vec<(usize, usize)> = Vec::new();
        // Each round finds those that depend on the ones found before.
        loop {
            let is_front = |index: usize| fronts.iter().any(|(front, _)| *front == index);
            let next = dependencies.iter().find(|(own, other, _)| {
                *own >= count && !is_front(*own) && (*other < count || is_front(*other))
            });
            match next {
                Some((own, other, _)) => fronts.push((*own, *other)),
                None => break,
            }
        }
        for (own, other) in fronts {
            let name = all[other].name.clone();
            let front = &mut all[own];
            if !std::mem::replace(&mut front.optional, true) {
                front.evidence.push(format!(
                    "it depends on `{name}`, which runs outside of its network, so it is optional"
                ));
            }
        }
    }
}
