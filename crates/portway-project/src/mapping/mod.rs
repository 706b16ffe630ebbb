//! Environment mapping: how variables that an application already uses are rewritten to the ports of
//! an instance.
//!
//! Input: the variables of one service as its files name them, with their values, and the ports of all
//! services. Output: for each variable that refers to a service, its value with only host and port
//! replaced. Users, passwords, paths and queries stay unchanged. A value that refers to no service is
//! never changed.

mod address;
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

use address::Address;

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

/// What the mapping of one variable depends on.
struct Context<'a> {
    owner: &'a str,
    endpoints: &'a [Endpoint],
    off: &'a [String],
    by_name: &'a BTreeMap<&'a str, &'a AppVariable>,
}

impl<'a> Context<'a> {
    /// Replaces each address of a service in a value; `None` if there is none.
    fn map_addresses(&self, variable: &AppVariable) -> Option<(MappedValue, Vec<String>)> {
        let text = &variable.value;
        let aliases = |host: &str| self.by_alias(host).is_some() || self.is_off(host);
        let mut value = MappedValue::default();
        let mut meaning = Vec::new();
        let mut done = 0;
        for address in address::find(text, &aliases) {
            let sentence = if self.is_off(address.host) {
                value.push_literal(&text[done..address.host_at.start]);
                value.push_literal(LOCALHOST);
                done = address.host_at.end;
                off_meaning(address.host)
            } else if let Some((endpoint, sentence)) = self.resolve(&variable.name, &address) {
                value.push_literal(&text[done..address.start]);
                value.push_address(text, &address, endpoint);
                done = address.end;
                sentence
            } else {
                continue;
            };
            if !meaning.contains(&sentence) {
                meaning.push(sentence);
            }
        }
        value.push_literal(&text[done..]);
        (!meaning.is_empty()).then_some((value, meaning))
    }

    /// Replaces the address of a service in a text, if its number says which service it is.
    fn map_usual(&self, text: &str) -> Option<(MappedValue, Vec<String>)> {
        let nameless = AppVariable {
            name: String::new(),
            value: text.to_owned(),
            place: Place {
                file: String::new(),
                line: 0,
            },
            origin: Origin::File,
        };
        self.map_addresses(&nameless)
    }

    /// Returns the port that an address in the variable `name` stands for, and why.
    fn resolve(&self, name: &str, address: &Address<'_>) -> Option<(&'a Endpoint, String)> {
        let host = address.host;
        if !address::is_this_machine(host) {
            let endpoint = self.by_alias_and_port(host, address.port)?;
            let port = address.port.filter(|port| endpoint.usual.contains(port));
            let meaning = match port {
                Some(port) => number(port, endpoint),
                None => host_name(host, endpoint),
            };
            return Some((endpoint, meaning));
        }
        let fits = |endpoint: &Endpoint| {
            address
                .scheme
                .is_none_or(|scheme| hint::scheme_fits(scheme, endpoint.kind))
        };
        // The port of a mail server is not that of its web page.
        let is_named = |endpoint: &Endpoint| {
            endpoint.container.is_none()
                || endpoint.kind.usual_port().is_some()
                || address.scheme.is_none_or(hint::is_http)
        };
        let port = address
            .port
            .or_else(|| address.scheme.and_then(hint::default_port))?;
        let usual = self
            .endpoints
            .iter()
            .filter(|one| one.usual.contains(&port));
        let usual: Vec<&Endpoint> = usual.filter(|one| fits(one)).collect();
        let found = match usual[..] {
            [] => {
                return named::endpoint(name, port, self.owner, self.endpoints, |one| {
                    fits(one) && is_named(one)
                });
            }
            [only] => only,
            _ => self.most_likely(name, &usual)?,
        };
        let meaning = match address.scheme {
            Some(scheme) if address.port.is_none() => {
                format!("`{scheme}://` without a port is {}", found.label())
            }
            _ => number(port, found),
        };
        Some((found, meaning))
    }

    /// Returns the one of several ports that a name refers to, or else the owner's.
    fn most_likely(&self, name: &str, candidates: &[&'a Endpoint]) -> Option<&'a Endpoint> {
        let hinted = hint::endpoints(name, self.endpoints);
        let both: Vec<&Endpoint> = candidates
            .iter()
            .copied()
            .filter(|one| hinted.contains(one))
            .collect();
        match both[..] {
            [only] => Some(only),
            _ => candidates
                .iter()
                .copied()
                .find(|one| one.service == self.owner),
        }
    }

    /// Returns the main port of the service with this host name in a container network.
    fn by_alias(&self, host: &str) -> Option<&'a Endpoint> {
        let mut endpoints = self.endpoints.iter();
        endpoints.find(|one| one.name.is_none() && one.hosts.iter().any(|known| known == host))
    }

    /// Returns the port of the service with this host name in a container network that has this number
    /// there. Of a container, no other port is meant.
    fn by_alias_and_port(&self, host: &str, port: Option<u16>) -> Option<&'a Endpoint> {
        let is_host = |one: &&Endpoint| one.hosts.iter().any(|known| known == host);
        let endpoints = || self.endpoints.iter().filter(is_host);
        let Some(port) = port.filter(|port| *port > 0) else {
            return endpoints().find(|one| one.name.is_none());
        };
        let in_container = endpoints().find(|one| one.container == Some(port));
        let exact = in_container.or_else(|| endpoints().find(|one| one.usual.contains(&port)));
        exact.or_else(|| endpoints().find(|one| one.name.is_none() && one.has_any_port()))
    }

    /// Returns whether a host is a service that does not run.
    fn is_off(&self, host: &str) -> bool {
        self.off.iter().any(|name| name == host) && self.by_alias(host).is_none()
    }

    /// Says which ports of containers a value names that nothing publishes.
    fn unpublished(&self, variable: &AppVariable) -> Vec<String> {
        let aliases = |host: &str| self.by_alias(host).is_some();
        let addresses = address::find(&variable.value, &aliases);
        let addresses = addresses.filter(|one| !address::is_this_machine(one.host));
        let all = addresses.filter(|one| self.by_alias_and_port(one.host, one.port).is_none());
        let sentences = all.filter_map(|one| {
            let (host, port) = (one.host, one.port?);
            Some(format!(
                "unchanged: `{host}` does not publish its port {port}; add the port to `{host}` in the compose \
                 file and in `portway.toml`"
            ))
        });
        sentences.collect()
    }
}

/// The host of what the user runs instead of a service that does not run.
const LOCALHOST: &str = "localhost";

/// Says what became of the host name of a service that does not run.
fn off_meaning(host: &str) -> String {
    format!("`{host}` does not run, so its host is `{LOCALHOST}`")
}

/// Says that a number is the usual port of a service.
fn number(port: u16, endpoint: &Endpoint) -> String {
    format!("{port} is {}", endpoint.label())
}

/// Says that a host is a service.
fn host_name(host: &str, endpoint: &Endpoint) -> String {
    format!("`{host}` is the host name of {}", endpoint.label())
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
