//! Taskfiles: the tasks and the variables of Task.

use serde_json::Value;

use super::variables::{Told, Variable};
use crate::yaml::scalar;

/// Returns the last command of a task.
pub(super) fn recipe(file: &Value, task: &str) -> Option<String> {
    let task = file.get("tasks")?.get(task)?;
    let commands = task.get("cmds").or_else(|| task.get("cmd")).unwrap_or(task);
    let last = match commands {
        Value::Array(all) => all.last()?,
        other => other,
    };
    scalar(last.get("cmd").unwrap_or(last))
}

/// Returns the commands of all tasks, with the values of their variables.
pub(super) fn commands(file: &Value) -> Vec<String> {
    let tasks = file.get("tasks").and_then(Value::as_object);
    let of_task = |task: &Value| {
        let commands = task.get("cmds").or_else(|| task.get("cmd")).unwrap_or(task);
        let commands = match commands {
            Value::Array(all) => all.clone(),
            other => vec![other.clone()],
        };
        let commands = commands
            .iter()
            .filter_map(|one| scalar(one.get("cmd").unwrap_or(one)));
        let with_values = commands.map(|mut command| {
            let own = variables(task, &mut command);
            let mut all = variables(file, &mut command);
            all.splice(0..0, own);
            super::variables::expanded(super::Tool::Task, &command, &all)
        });
        with_values.collect::<Vec<_>>()
    };
    let tasks = tasks.into_iter().flatten();
    tasks.flat_map(|(_, task)| of_task(task)).collect()
}

/// Returns the variables that an argument of `task` replaces: those of the whole file, and those to which the
/// recipe gives a default, as `{{.PORT | default 8080}}`.
pub(super) fn variables(file: &Value, recipe: &mut String) -> Vec<Variable> {
    let mut found: Vec<Variable> = file
        .get("vars")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let value = scalar(value)?;
            let value = match default(&value) {
                Some((_, value)) => value,
                None => value,
            };
            Some(Variable {
                name: name.clone(),
                value,
                line: 0,
                told: Told::Argument,
            })
        })
        .collect();
    // A variable of the environment replaces one of the file.
    let of_environment = file.get("env").and_then(Value::as_object);
    for (name, value) in of_environment.into_iter().flatten() {
        found.extend(scalar(value).map(|value| Variable {
            name: name.clone(),
            value,
            line: 0,
            told: Told::Environment(name.clone()),
        }));
    }
    while let Some((name, value)) = default(recipe) {
        let (Some(start), Some(end)) = (recipe.find("{{"), recipe.find("}}")) else {
            break;
        };
        if end < start {
            break;
        }
        recipe.replace_range(start..end + 2, &format!("{{{{.{name}}}}}"));
        if found.iter().all(|one| one.name != name) {
            found.push(Variable {
                name,
                value,
                line: 0,
                told: Told::Argument,
            });
        }
    }
    found
}

/// Parses the first `{{.PORT | default "8080"}}` or `{{default "8080" .PORT}}` of a text, if its first template
/// is one.
fn default(text: &str) -> Option<(String, String)> {
    let (_, rest) = text.split_once("{{")?;
    let (template, _) = rest.split_once("}}")?;
    let template = template.trim_matches(['-', ' ']);
    let (name, value) = match template.strip_prefix("default ") {
        Some(rest) => rest
            .trim()
            .rsplit_once(' ')
            .map(|(value, name)| (name, value))?,
        None => {
            let (name, value) = template.split_once('|')?;
            (name, value.trim().strip_prefix("default")?)
        }
    };
    let value = value.trim();
    let name = name.trim().strip_prefix('.')?;
    Some((
        name.to_owned(),
        value.trim_matches(['"', '\'', '`']).to_owned(),
    ))
}
