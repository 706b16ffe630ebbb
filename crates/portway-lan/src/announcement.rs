//! One service as it is announced, and read again by whoever browses.

use std::net::{IpAddr, Ipv4Addr};

use mdns_sd::{ResolvedService, ServiceInfo};
use portway_api::Discovered;
use serde::{Deserialize, Serialize};

use crate::TYPE;

/// A DNS label has at most so many bytes; some are left for a ` (2)` behind it.
const LABEL: usize = 57;

/// What tells that Portway announces a service: the version, under this key.
const MARK: &str = "portway";

/// A service that is served on the local network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The service's name.
    pub service: String,
    /// Its instance's name.
    pub instance: String,
    /// Its project's name.
    pub project: String,
    /// The host that has the addresses, as [`host`](crate::host) makes it.
    pub host: String,
    /// Where it is served.
    pub addresses: Vec<Ipv4Addr>,
    /// The port, on all of them.
    pub port: u16,
}

impl Announcement {
    /// The name that people see: `web · jobi`. A worktree's instance has its dots written in the
    /// same way, for the library takes a name with a dot apart when it has to change it.
    pub fn name(&self) -> String {
        let name = format!("{} · {}", self.service, self.instance.replace('.', " · "));
        let mut end = name.len().min(LABEL);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name[..end].trim_end().to_owned()
    }

    /// The records.
    pub(crate) fn info(&self) -> mdns_sd::Result<ServiceInfo> {
        let addresses: Vec<IpAddr> = self.addresses.iter().copied().map(IpAddr::V4).collect();
        // Nothing that is private: these go to everybody who listens.
        let txt = [
            ("path", "/"),
            (MARK, env!("CARGO_PKG_VERSION")),
            ("project", short(&self.project)),
            ("instance", short(&self.instance)),
            ("service", short(&self.service)),
        ];
        let host = format!("{}.local.", self.host);
        let addresses = &addresses[..];
        ServiceInfo::new(TYPE, &self.name(), &host, addresses, self.port, &txt[..])
    }
}

/// What fits into one string of a TXT record, together with its key.
fn short(value: &str) -> &str {
    let mut end = value.len().min(200);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    &value[..end]
}

/// What somebody announces, if it is Portway's. It comes from strangers: no word of it is trusted
/// for more than to be shown.
pub(crate) fn read(found: &ResolvedService) -> Option<Discovered> {
    let text = |key: &str| found.get_property_val_str(key).map(str::to_owned);
    let version = text(MARK)?;
    let mut addresses: Vec<Ipv4Addr> = found.get_addresses_v4().into_iter().collect();
    addresses.sort_unstable();
    let path = text("path").filter(|path| is_path(path));
    let path = path.unwrap_or_else(|| "/".to_owned());
    Some(Discovered {
        service: text("service")?,
        instance: text("instance")?,
        project: text("project").unwrap_or_default(),
        host: found.get_hostname().trim_end_matches('.').to_owned(),
        url: format!("http://{}:{}{path}", addresses.first()?, found.get_port()),
        addresses,
        port: found.get_port(),
        version,
    })
}

/// Whether a path may stand in a URL as it is.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web(instance: &str) -> Announcement {
        Announcement {
            service: "web".into(),
            instance: instance.into(),
            project: "jobi".into(),
            host: "jobi-laptop".into(),
            addresses: vec![Ipv4Addr::new(192, 168, 1, 5)],
            port: 5173,
        }
    }

    #[test]
    fn a_name_is_one_label() {
        assert_eq!(web("jobi").name(), "web · jobi");
        assert_eq!(web("fix-login.jobi").name(), "web · fix-login · jobi");
        let long = web(&"ü".repeat(90)).name();
        assert!(long.len() <= LABEL && long.ends_with('ü'), "{long}");
    }

    #[test]
    fn what_is_announced_is_read_again() {
        let info = web("fix-login.jobi").info().unwrap();
        let read = read(&info.as_resolved_service()).unwrap();
        let expected = Discovered {
            service: "web".into(),
            instance: "fix-login.jobi".into(),
            project: "jobi".into(),
            host: "jobi-laptop.local".into(),
            url: "http://192.168.1.5:5173/".into(),
            addresses: vec![Ipv4Addr::new(192, 168, 1, 5)],
            port: 5173,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn what_others_announce_is_not_portways() {
        let txt = [("path", "/admin")];
        let printer = ServiceInfo::new(TYPE, "Printer", "p.local.", "10.0.0.9", 80, &txt[..]);
        assert_eq!(read(&printer.unwrap().as_resolved_service()), None);
    }

    #[test]
    fn a_path_from_a_stranger_is_a_path_or_nothing() {
        assert!(is_path("/") && is_path("/a?b=c"));
        for path in ["", "x", "/a b", "/\u{1b}[2J", "/ü"] {
            assert!(!is_path(path), "{path:?}");
        }
    }
}
