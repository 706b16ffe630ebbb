//! Variables of Makefiles, justfiles and Taskfiles that set the port of a recipe.

use super::Tool;
use crate::procfile::command::{Listens, listens};
use portway_project::kind::Kind;

/// A variable of a file with targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: String,
    /// The line that sets it, from 1; 0 if the recipe itself does.
    pub(super) line: usize,
    pub(super) told: Told,
}

/// How the program that runs targets is told another value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// By this variable of the environment.
    Environment(String),
    /// By an argument: `make dev PORT=1`, `just port=1 dev`, `task dev PORT=1`.
    Argument,
    /// By the first argument of the recipe: `just dev 1`.
    Position,
}

impl Variable {
    fn new(name: &str, value: &str, line: usize, told: Told) -> Self {
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            line,
            told,
        }
    }

    /// Returns the command that runs a target with `{port}` as the value.
    pub(super) fn command(&self, program: &str, target: &str) -> String {
        let name = &self.name;
        match (&self.told, program) {
            (Told::Environment(_), _) => format!("{program} {target}"),
            (Told::Position, _) => format!("{program} {target} {{port}}"),
            (Told::Argument, "just") => format!("just {name}={{port}} {target}"),
            (Told::Argument, _) => format!("{program} {target} {name}={{port}}"),
        }
    }
}

/// Returns the variables that a file sets, and the parameters of a recipe with this `header`.
pub(super) fn variables(tool: Tool, text: &str, header: &str) -> Vec<Variable> {
    let lines = text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| match tool {
        Tool::Make => of_make(line, index + 1),
        Tool::Just => of_just(line, index + 1),
        Tool::Task => None,
    });
    let mut found: Vec<Variable> = found.collect();
    if tool == Tool::Just {
        found.extend(parameter(header));
    }
    found
}

/// `PORT ?= 8090`, `PORT := 8090`, `export PORT = 8090`.
fn of_make(line: &str, number: usize) -> Option<Variable> {
    if line.starts_with(['\t', ' ', '#']) {
        return None;
    }
    let line = line
        .trim_start_matches("export ")
        .trim_start_matches("override ");
    let (name, value) = line.split_once('=')?;
    let end = |c: char| "?:!+".contains(c) || c.is_whitespace();
    let told = match name.ends_with('?') {
        true => Told::Environment(name.trim_end_matches(end).to_owned()),
        false => Told::Argument,
    };
    let value = value.split('#').next().unwrap_or("").trim();
    let name = name.trim_end_matches(end);
    is_name(name).then(|| Variable::new(name, value, number, told))
}

/// `port := "7070"`, `port := env("PORT", "7070")`.
fn of_just(line: &str, number: usize) -> Option<Variable> {
    let line = line.trim_start_matches("export ");
    let (name, value) = line.split_once(":=")?;
    let (name, value) = (name.trim(), value.trim());
    let is_quote = |c: char| c == '"' || c == '\'';
    let call = ["env(", "env_var_or_default("];
    let call = call.iter().find_map(|call| value.strip_prefix(call));
    let (value, told) = match call.and_then(|rest| rest.trim_end_matches(')').split_once(',')) {
        Some((variable, value)) => {
            let variable = variable.trim().trim_matches(is_quote);
            (value.trim(), Told::Environment(variable.to_owned()))
        }
        None => (value, Told::Argument),
    };
    is_name(name).then(|| Variable::new(name, value.trim_matches(is_quote), number, told))
}

/// The first parameter of a recipe, if it has a default: `dev port="7070":`.
fn parameter(header: &str) -> Option<Variable> {
    let first = header.split_whitespace().nth(1)?;
    let (name, value) = first.split_once('=')?;
    let value = value.trim_end_matches(':').trim_matches(['"', '\'']);
    let name = name.trim_start_matches('$');
    is_name(name).then(|| Variable::new(name, value, 0, Told::Position))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    !name.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Returns a recipe with the values of variables.
pub(super) fn expanded(tool: Tool, recipe: &str, variables: &[Variable]) -> String {
    let mut text = recipe.to_owned();
    for Variable { name, value, .. } in variables {
        let marks = match tool {
            Tool::Make => vec![
                format!("$({name})"),
                format!("$${{{name}}}"),
                format!("$${name}"),
                format!("${{{name}}}"),
            ],
            Tool::Just => vec![
                format!("{{{{{name}}}}}"),
                format!("{{{{ {name} }}}}"),
                format!("${name}"),
            ],
            Tool::Task => vec![format!("{{{{.{name}}}}}"), format!("{{{{ .{name} }}}}")],
        };
        for mark in marks {
            text = text.replace(&mark, value);
        }
    }
    text
}

/// Returns the variable that sets the port on which a recipe listens, with its value.
pub(super) fn of_port<'v>(
    tool: Tool,
    recipe: &str,
    kind: Kind,
    variables: &'v [Variable],
) -> Option<(&'v Variable, u16)> {
    variables.iter().find_map(|variable| {
        let port: u16 = variable.value.parse().ok().filter(|port| *port > 0)?;
        // With another value, it listens on another port.
        let other = if port == 50_001 { 50_002 } else { 50_001 };
        let follows = [port, other].iter().all(|wanted| {
            let mut changed = variables.to_vec();
            for one in changed.iter_mut().filter(|one| one.name == variable.name) {
                one.value = wanted.to_string();
            }
            let text = expanded(tool, recipe, &changed);
            matches!(listens(&text, kind), Listens::At(port, _) if port == *wanted)
        });
        follows.then_some((variable, port))
    })
}
