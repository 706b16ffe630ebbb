//! The announcement of one service, as DNS records and as another machine reads them.

use std::net::{IpAddr, Ipv4Addr};

use mdns_sd::{ResolvedService, ServiceInfo};
use portway_api::DiscoveredService;
use serde::{Deserialize, Serialize};

use crate::SERVICE_TYPE;

/// The longest display name in bytes. A DNS label has at most 63; the rest is for a suffix such as
/// ` (2)`.
const MAX_NAME_LENGTH: usize = 57;

/// The longest value of a TXT record in bytes. Together with its key it has at most 255.
const MAX_VALUE_LENGTH: usize = 200;

/// The key of the TXT record with the version of Portway, which identifies its announcements.
const VERSION_KEY: &str = "portway";

/// A service that is served on the local network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The service's name.
    pub service: String,
    /// Its instance's name.
    pub instance: String,
    /// Its project's name.
    pub project: String,
    /// The host name of the addresses ([`host_name`](crate::host_name)).
    pub host: String,
    /// The addresses on which the service is available.
    pub addresses: Vec<Ipv4Addr>,
    /// The port on all addresses.
    pub port: u16,
}

impl Announcement {
    /// Returns the display name, such as `web · jobi`. Dots in the name of a worktree's instance
    /// are replaced too, because the library splits a name at its dots when it renames a service.
    pub fn display_name(&self) -> String {
        let name = format!("{} · {}", self.service, self.instance.replace('.', " · "));
        truncate(&name, MAX_NAME_LENGTH).trim_end().to_owned()
    }

    /// Returns the DNS records.
    pub(crate) fn service_info(&self) -> mdns_sd::Result<ServiceInfo> {
        let addresses: Vec<IpAddr> = self.addresses.iter().copied().map(IpAddr::V4).collect();
        // Every device on the network can read these, so they contain nothing private.
        let txt = [
            ("path", "/"),
            (VERSION_KEY, env!("CARGO_PKG_VERSION")),
            ("project", truncate(&self.project, MAX_VALUE_LENGTH)),
            ("instance", truncate(&self.instance, MAX_VALUE_LENGTH)),
            ("service", truncate(&self.service, MAX_VALUE_LENGTH)),
        ];
        let host = format!("{}.local.", self.host);
        let (name, addresses) = (self.display_name(), &addresses[..]);
        ServiceInfo::new(SERVICE_TYPE, &name, &host, addresses, self.port, &txt[..])
    }
}

/// Returns at most `max` bytes of `text`, cut between characters.
fn truncate(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Reads an announcement; `None` if it is not from Portway. The values come from other machines and
/// may only be displayed.
pub(crate) fn discovered(found: &ResolvedService) -> Option<DiscoveredService> {
    let text = |key: &str| found.get_property_val_str(key).map(str::to_owned);
    let version = text(VERSION_KEY)?;
    let mut addresses: Vec<Ipv4Addr> = found.get_addresses_v4().into_iter().collect();
    addresses.sort_unstable();
    let path = text("path").filter(|path| is_plain_path(path));
    let path = path.unwrap_or_else(|| "/".to_owned());
    Some(DiscoveredService {
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

/// Returns whether a path needs no encoding in a URL.
fn is_plain_path(path: &str) -> bool {
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
    fn a_display_name_fits_into_one_label() {
        assert_eq!(web("jobi").display_name(), "web · jobi");
        assert_eq!(
            web("fix-login.jobi").display_name(),
            "web · fix-login · jobi"
        );
        let long = web(&"ü".repeat(90)).display_name();
        assert!(
            long.len() <= MAX_NAME_LENGTH && long.ends_with('ü'),
            "{long}"
        );
    }

    #[test]
    fn reads_what_was_announced() {
        let info = web("fix-login.jobi").service_info().unwrap();
        let read = discovered(&info.as_resolved_service()).unwrap();
        let expected = DiscoveredService {
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
    fn ignores_announcements_of_other_programs() {
        let txt = [("path", "/admin")];
        let printer = ServiceInfo::new(
            SERVICE_TYPE,
            "Printer",
            "p.local.",
            "10.0.0.9",
            80,
            &txt[..],
        );
        assert_eq!(discovered(&printer.unwrap().as_resolved_service()), None);
    }

    #[test]
    fn rejects_paths_that_need_encoding() {
        assert!(is_plain_path("/") && is_plain_path("/a?b=c"));
        for path in ["", "x", "/a b", "/\u{1b}[2J", "/ü"] {
            assert!(!is_plain_path(path), "{path:?}");
        }
    }
}
