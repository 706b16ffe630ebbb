//! Where the usual ports of an instance are reached from the page that names them.

use std::hash::{DefaultHasher, Hash, Hasher};

use portway_api::{InstanceStatus, UsualPort};

use super::literal::Literal;
use crate::names::Names;

/// The replacements of local URLs in the responses to one client. Not empty.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
pub(crate) struct Targets {
    all: Vec<Target>,
}

/// The replacement of one port.
#[derive(Clone, Debug, Hash, PartialEq, Eq)]
struct Target {
    usual: u16,
    /// The host, with its port unless it is the default of the scheme.
    authority: String,
    /// Whether to use the schemes with TLS; `None` to keep the scheme.
    is_tls: Option<bool>,
}

impl Targets {
    /// Finds the ports to replace in responses to a client that requested `host`, with the port in
    /// `port` if it is not the scheme's default, with TLS if `is_tls`.
    ///
    /// Returns `None` if every service has its usual port.
    pub(crate) fn new(
        instance: &InstanceStatus,
        names: &Names,
        port: Option<&str>,
        is_tls: bool,
    ) -> Option<Self> {
        let moved = |usual: &&UsualPort| usual.port != usual.actual;
        let all: Vec<Target> = instance
            .usual_ports
            .iter()
            .filter(moved)
            .filter_map(|usual| Target::new(usual, instance, names, port, is_tls))
            .collect();
        (!all.is_empty()).then_some(Self { all })
    }

    /// Writes the replacement of a URL. Returns false if it stays unchanged.
    pub(super) fn replace(&self, literal: &Literal, to: &mut Vec<u8>) -> bool {
        let Some(target) = self.all.iter().find(|one| one.usual == literal.port) else {
            return false;
        };
        let scheme = literal.scheme.map(|scheme| target.scheme(scheme));
        literal.write(scheme, &target.authority, to);
        true
    }

    /// Returns the authority for a host and a port without a scheme, as in a
    /// `Content-Security-Policy`.
    pub(super) fn authority(&self, port: u16) -> Option<&str> {
        let target = self.all.iter().find(|one| one.usual == port)?;
        Some(&target.authority)
    }

    /// Identifies these replacements in entity tags.
    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Target {
    fn new(
        usual: &UsualPort,
        instance: &InstanceStatus,
        names: &Names,
        port: Option<&str>,
        is_tls: bool,
    ) -> Option<Self> {
        let service = instance.service(&usual.service)?;
        let is_main = service.ports.first().map(|port| port.port) == Some(usual.actual);
        let name = names.name_of(instance, &usual.service);
        let (authority, is_tls) = match (name.filter(|_| is_main), port) {
            (Some(name), Some(port)) => (format!("{name}:{port}"), Some(is_tls)),
            (Some(name), None) => (name, Some(is_tls)),
            // The gateway has no name for it, but browsers treat localhost as secure.
            (None, _) => (format!("localhost:{}", usual.actual), None),
        };
        Some(Self {
            usual: usual.port,
            authority,
            is_tls,
        })
    }

    fn scheme<'a>(&self, written: &'a str) -> &'a str {
        match (self.is_tls, written) {
            (None, written) => written,
            (Some(true), "ws" | "wss") => "wss",
            (Some(false), "ws" | "wss") => "ws",
            (Some(true), _) => "https",
            (Some(false), _) => "http",
        }
    }
}

#[cfg(test)]
pub(super) fn example(port: Option<&str>, is_tls: bool) -> Targets {
    use portway_api::ServiceState::Ready;

    use crate::testing::{instance, service};

    let usual = |port, service: &str, actual| UsualPort {
        port,
        service: service.to_owned(),
        actual,
    };
    let mut api = service("api", 8001, Ready);
    let admin = service("admin", 9101, Ready).ports.remove(0);
    api.ports.push(admin);
    let services = vec![service("web", 5174, Ready), api];
    let mut status = instance("fix.shop", Some("web"), services);
    status.usual_ports = vec![
        usual(5173, "web", 5174),
        usual(8000, "api", 8001),
        usual(9100, "api", 9101),
        usual(7000, "api", 7000),
    ];
    let names = Names::new([&status]);
    Targets::new(&status, &names, port, is_tls).unwrap()
}
