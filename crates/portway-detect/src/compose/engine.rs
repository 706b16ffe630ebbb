//! Makes containers optional on a machine without an engine that runs them.

use super::Container;
use crate::{DetectContext, DetectedService, NoEngine};

/// What the machine lacks, and the indexes of the containers that are required otherwise.
pub(crate) struct Lacking {
    problem: NoEngine,
    required: Vec<usize>,
}

/// Makes `containers` optional if no engine runs them.
pub(crate) fn check(containers: &mut [Container], context: &DetectContext<'_>) -> Option<Lacking> {
    if containers.is_empty() {
        return None;
    }
    let problem = (context.engine)()?;
    let mut required = Vec::new();
    for (index, container) in containers.iter_mut().enumerate() {
        let found = &mut container.found;
        if !std::mem::replace(&mut found.optional, true) {
            required.push(index);
            found.evidence.push(format!(
                "it runs in a container, but {}, so it is optional",
                problem.message
            ));
        }
    }
    Some(Lacking { problem, required })
}

impl Lacking {
    /// Returns the warning about it. `containers` have their final names.
    pub(crate) fn warning(&self, containers: &[DetectedService]) -> Option<String> {
        let required = self.required.iter();
        let names = required.filter_map(|index| containers.get(*index));
        let names: Vec<String> = names.map(|one| format!("`{}`", one.name)).collect();
        let NoEngine { message, help } = &self.problem;
        let (run, are) = match names.len() {
            0 => return None,
            1 => ("runs in a container", "it is optional"),
            _ => ("run in containers", "they are optional"),
        };
        let them = if names.len() == 1 { "it" } else { "them" };
        Some(format!(
            "{} {run}, but {message}, so {are}, and variables that name {them} get `localhost`; {help}",
            names.join(", ")
        ))
    }
}
