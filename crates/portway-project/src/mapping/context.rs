//! Which service an address in a value means.

use std::collections::BTreeMap;

use super::address::{self, Address};
use super::value::is_without_tls;
use super::{AppVariable, Endpoint, MappedValue, Origin, Place, hint, named};

/// What the mapping of one variable depends on.
pub(super) struct Context<'a> {
    pub(super) owner: &'a str,
    pub(super) endpoints: &'a [Endpoint],
    pub(super) off: &'a [String],
    pub(super) by_name: &'a BTreeMap<&'a str, &'a AppVariable>,
}

impl<'a> Context<'a> {
    /// Replaces each address of a service in a value; `None` if there is none.
    pub(super) fn map_addresses(
        &self,
        variable: &AppVariable,
    ) -> Option<(MappedValue, Vec<String>)> {
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
                match is_without_tls(&address, endpoint) {
                    true => format!("{sentence}, which runs without TLS"),
                    false => sentence,
                }
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
    pub(super) fn map_usual(&self, text: &str) -> Option<(MappedValue, Vec<String>)> {
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
    pub(super) fn resolve(
        &self,
        name: &str,
        address: &Address<'_>,
    ) -> Option<(&'a Endpoint, String)> {
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
                let is_url = address.port.is_none() && address.scheme.is_some_and(hint::is_http);
                let application = || named::application(name, self.owner, self.endpoints);
                return is_url.then(application).flatten().or_else(|| {
                    named::endpoint(name, port, self.owner, self.endpoints, |one| {
                        fits(one) && is_named(one)
                    })
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
    pub(super) fn most_likely(
        &self,
        name: &str,
        candidates: &[&'a Endpoint],
    ) -> Option<&'a Endpoint> {
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
    pub(super) fn by_alias(&self, host: &str) -> Option<&'a Endpoint> {
        let mut endpoints = self.endpoints.iter();
        endpoints.find(|one| one.name.is_none() && one.hosts.iter().any(|known| known == host))
    }

    /// Returns the port of the service with this host name in a container network that has this number
    /// there. Of a container, no other port is meant.
    pub(super) fn by_alias_and_port(&self, host: &str, port: Option<u16>) -> Option<&'a Endpoint> {
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
    pub(super) fn is_off(&self, host: &str) -> bool {
        self.off.iter().any(|name| name == host) && self.by_alias(host).is_none()
    }

    /// Says which ports of containers a value names that nothing publishes.
    pub(super) fn unpublished(&self, variable: &AppVariable) -> Vec<String> {
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
pub(super) const LOCALHOST: &str = "localhost";

/// Says what became of the host name of a service that does not run.
pub(super) fn off_meaning(host: &str) -> String {
    format!("`{host}` does not run, so its host is `{LOCALHOST}`")
}

/// Says that a number is the usual port of a service.
pub(super) fn number(port: u16, endpoint: &Endpoint) -> String {
    format!("{port} is {}", endpoint.label())
}

/// Says that a host is a service.
pub(super) fn host_name(host: &str, endpoint: &Endpoint) -> String {
    format!("`{host}` is the host name of {}", endpoint.label())
}
