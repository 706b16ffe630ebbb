//! Environment mapping: how variables that an application already uses are rewritten to the ports of
//! an instance.
//!
//! Input: the variables of one service as its files name them, with their values, and the ports of all
//! services. Output: for each variable that refers to a service, its value with only host and port
//! replaced. Users, passwords, paths and queries stay unchanged. A value that refers to no service is
//! never changed.

mod address;
mod context;
mod endpoint;
mod hint;
mod keywords;
mod named;
mod origins;
mod pair;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use endpoint::{Endpoint, endpoints};
pub(crate) use origins::ORIGIN_SEPARATORS;
pub use value::{MappedValue, Part};

use context::Context;

/// Where a file of the application names a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, relative to the project's root and separated by `/`.
    pub file: String,
    /// The line, counted from 1; 0 if it is not known.
    pub line: usize,
}

/// What kind of file names a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// An example file, such as `.env.example`, beside a file that is in use.
    Documented,
    /// A default in the application's code that contains an expression, whose value is not known.
    Expression,
    /// A default in the application's code.
    Code,
    /// An example file in a directory that has no file in use.
    Example,
    /// A file that is in use, such as `.env`.
    File,
    /// A compose file, whose environment the service gets as a whole.
    Compose,
}

/// A variable that the application uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppVariable {
    /// Its name.
    pub name: String,
    /// Its value there.
    pub value: String,
    /// Where it is.
    pub place: Place,
    /// The kind of that file.
    pub origin: Origin,
}

/// A variable that Portway sets because of the application's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: MappedValue,
    /// Where the application names it.
    pub place: Place,
    /// What the ports in its value stand for, such as "8000 is `api`"; empty if it is unchanged.
    pub meaning: Vec<String>,
}

/// The mapping of one service's variables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The variables to set.
    pub variables: Vec<MappedVariable>,
    /// Names of variables with a value of the user that refers to another machine or to no service.
    /// Portway sets none of them.
    pub kept: Vec<String>,
    /// The defaults in code that name a port of a service and are not mapped, because they contain an
    /// expression; with the value in which the known parts are replaced.
    pub incomplete: Vec<MappedVariable>,
    /// The variables of example files that still need a value.
    pub missing: Vec<AppVariable>,
    /// The variables that have a value without Portway, mapped or not.
    pub in_use: Vec<AppVariable>,
}

/// Names that Portway sets for each service itself.
const OWN_NAMES: [&str; 2] = ["PORT", "HOST"];

impl Mapping {
    /// Maps the variables of the service `owner`. A later variable overrides an earlier one with the same
    /// name, unless its origin ranks lower.
    ///
    /// `uses_examples` is whether values of example files apply where no file is in use. `off` are the host
    /// names of services that do not run: applications reach what the user runs instead on this machine.
    pub fn new(
        owner: &str,
        variables: &[AppVariable],
        endpoints: &[Endpoint],
        uses_examples: bool,
        off: &[String],
    ) -> Self {
        let mut by_name: BTreeMap<&str, &AppVariable> = BTreeMap::new();
        let mut order = Vec::new();
        for variable in variables {
            match by_name.get(variable.name.as_str()) {
                Some(known) if known.origin > variable.origin => {}
                known => {
                    if known.is_none() {
                        order.push(variable.name.as_str());
                    }
                    by_name.insert(&variable.name, variable);
                }
            }
        }
        let context = Context {
            owner,
            endpoints,
            off,
            by_name: &by_name,
        };
        let mut mapping = Self::default();
        for name in order {
            let variable = by_name[name];
            // Some applications name the URL of their page `HOST`.
            let is_own = OWN_NAMES.contains(&name) && !variable.value.contains("://");
            if !is_own && !name.starts_with("PORTWAY_") {
                mapping.add(&context, variable, uses_examples);
            }
        }
        pair::add_missing_ports(&context, &mut mapping.variables);
        mapping
    }

    /// Leaves these variables to the application, whose value Portway cannot replace.
    pub fn keep(&mut self, names: &BTreeSet<String>) {
        self.variables.retain(|one| !names.contains(&one.name));
        let known = std::mem::take(&mut self.kept);
        let mut kept: BTreeSet<String> = names.clone();
        kept.extend(known);
        self.kept.extend(kept);
    }

    /// Returns whether the application sets a variable to this value without Portway.
    pub(crate) fn sets(&self, name: &str, value: &str) -> bool {
        let mut own = self.in_use.iter();
        own.any(|variable| variable.name == name && variable.value.trim() == value)
    }

    /// Returns whether the application reads a variable as a JSON list, as pydantic does.
    pub(crate) fn is_json_list(&self, name: &str) -> bool {
        let mut own = self.in_use.iter();
        own.any(|variable| variable.name == name && variable.value.trim_start().starts_with('['))
    }

    fn add(&mut self, context: &Context<'_>, variable: &AppVariable, uses_examples: bool) {
        let is_in_use = match variable.origin {
            Origin::Expression | Origin::Documented => false,
            Origin::Example => uses_examples,
            Origin::Code | Origin::File | Origin::Compose => true,
        };
        if is_in_use {
            self.in_use.push(variable.clone());
        }
        let found = origins::map(context, variable)
            .or_else(|| pair::map(context, variable))
            .or_else(|| keywords::map(context, variable))
            .or_else(|| context.map_addresses(variable));
        if variable.origin == Origin::Documented {
            // A user who has a file and leaves a variable out does not want it.
            if found.is_some() {
                self.missing.push(variable.clone());
            }
            return;
        }
        if let Some((value, meaning)) = found {
            let mapped = MappedVariable {
                name: variable.name.clone(),
                value,
                place: variable.place.clone(),
                meaning,
            };
            match variable.origin {
                Origin::Expression => self.incomplete.push(mapped),
                _ => self.variables.push(mapped),
            }
            return;
        }
        let is_local = is_local(&variable.value);
        match variable.origin {
            Origin::File | Origin::Code if !variable.value.is_empty() && !is_local => {
                self.kept.push(variable.name.clone());
            }
            Origin::Compose => self.variables.push(MappedVariable {
                name: variable.name.clone(),
                value: MappedValue::literal(&variable.value),
                place: variable.place.clone(),
                meaning: context.unpublished(variable),
            }),
            Origin::Example if uses_examples => {
                if needs_value(&variable.value) || is_local {
                    self.missing.push(variable.clone());
                }
                if !variable.value.is_empty() && !is_local {
                    self.variables.push(MappedVariable {
                        name: variable.name.clone(),
                        value: MappedValue::literal(&variable.value),
                        place: variable.place.clone(),
                        meaning: Vec::new(),
                    });
                }
            }
            Origin::Example if needs_value(&variable.value) || is_local => {
                self.missing.push(variable.clone());
            }
            _ => {}
        }
    }
}

/// Returns whether a value contains an address of this machine.
fn is_local(value: &str) -> bool {
    address::find(value, &|_| false).next().is_some()
}

/// Returns whether the value of an example is no value that an application can use.
fn needs_value(value: &str) -> bool {
    const MARKS: [&str; 9] = [
        "your",
        "changeme",
        "change-me",
        "change_me",
        "change this",
        "changethis",
        "replace",
        "xxx",
        "todo",
    ];
    let lower = value.to_ascii_lowercase();
    lower.is_empty()
        || (lower.starts_with('<') && lower.ends_with('>'))
        || lower.ends_with("...")
        || MARKS.iter().any(|mark| lower.contains(mark))
}

#[cfg(test)]
mod tests;
