//! The value of a mapped variable: text, and the properties of services that it contains.

use super::Endpoint;
use super::address::{Address, is_any_address, is_this_machine};

/// A part of a mapped value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text that stays unchanged.
    Literal(String),
    /// The address that a service binds.
    Host {
        /// The service.
        service: String,
    },
    /// A port of a service.
    Port {
        /// The service.
        service: String,
        /// The port's name; `None` for the main port.
        name: Option<String>,
    },
    /// The URL of a port of a service.
    Url {
        /// The service.
        service: String,
        /// The port's name; `None` for the main port.
        name: Option<String>,
    },
    /// The origins whose pages may call the backends of this instance, after those of the user.
    Origins {
        /// The text between two origins.
        separator: String,
        /// The user's origins, and those that they stand for in this instance.
        own: Vec<MappedValue>,
    },
}

/// The value of a mapped variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedValue {
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

impl MappedValue {
    /// A value without placeholders.
    pub fn literal(text: &str) -> Self {
        let mut value = Self::default();
        value.push_literal(text);
        value
    }

    /// A value with one part.
    pub(super) fn of(part: Part) -> Self {
        Self { parts: vec![part] }
    }

    pub(super) fn push_literal(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(Part::Literal(last)) => last.push_str(text),
            _ => self.parts.push(Part::Literal(text.to_owned())),
        }
    }

    /// Adds the address of `endpoint` in the form of `address` in `text`.
    pub(super) fn push_address(&mut self, text: &str, address: &Address<'_>, endpoint: &Endpoint) {
        let (service, name) = (endpoint.service.clone(), endpoint.name.clone());
        let host = address.host;
        let is_same = address.scheme == Some(endpoint.kind.scheme());
        let is_url = address.separator == ":"
            && address.start < address.host_at.start
            && (is_same || is_without_tls(address, endpoint))
            && (host == "localhost" || is_any_address(host) || !is_this_machine(host));
        if is_url {
            self.parts.push(Part::Url { service, name });
            return;
        }
        self.push_literal(&text[address.start..address.host_at.start]);
        // Services accept connections to the loopback addresses only.
        if is_any_address(host) || host == "host.docker.internal" || !is_this_machine(host) {
            let service = service.clone();
            self.parts.push(Part::Host { service });
        } else {
            self.push_literal(host);
        }
        self.push_literal(address.separator);
        self.parts.push(Part::Port { service, name });
    }

    /// Returns the value with each part but text replaced by what `value` returns for it.
    pub fn expand(&self, mut value: impl FnMut(&Part) -> String) -> String {
        let parts = self.parts.iter().map(|part| match part {
            Part::Literal(text) => text.clone(),
            part => value(part),
        });
        parts.collect()
    }

    /// Returns the value with placeholders, as a manifest writes them.
    pub fn template(&self) -> String {
        let of = |table: &str, service: &str, name: &Option<String>| match name {
            Some(name) => format!("{{{service}.{table}s.{name}}}"),
            None => format!("{{{service}.{table}}}"),
        };
        self.expand(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Host { service } => format!("{{{service}.host}}"),
            Part::Port { service, name } => of("port", service, name),
            Part::Url { service, name } => of("url", service, name),
            Part::Origins { separator, own } => {
                let own = own.iter().map(MappedValue::template);
                let all: Vec<String> = own.chain(["{origins}".into()]).collect();
                all.join(separator)
            }
        })
    }

    /// Returns whether the value contains a property of a service.
    pub fn is_mapped(&self) -> bool {
        self.parts
            .iter()
            .any(|part| !matches!(part, Part::Literal(_)))
    }
}

/// Returns whether an address has TLS, but not the service that it means.
pub(super) fn is_without_tls(address: &Address<'_>, endpoint: &Endpoint) -> bool {
    endpoint.is_plain_http && address.scheme == Some("https")
}
