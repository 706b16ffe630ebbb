//! The names under which a gateway serves instances and their services, and the origins that their
//! pages have then.

use serde::{Deserialize, Serialize};

use crate::checkout::host_label;

/// The domain of all names; every browser takes it for this machine (RFC 6761 6.3).
pub const DOMAIN: &str = "localhost";

/// The name of the gateway's own pages, which no instance gets.
pub const OWN: &str = "portway";

/// `INSTANCE.localhost`.
pub fn of_instance(instance: &str) -> String {
    format!("{instance}.{DOMAIN}")
}

/// `SERVICE.INSTANCE.localhost`.
pub fn of_service(service: &str, instance: &str) -> String {
    format!("{}.{instance}.{DOMAIN}", host_label(service))
}

/// The origin of pages under `host`, as browsers write it: without the protocol's own port.
pub fn origin(tls: bool, host: &str, port: u16) -> String {
    match (tls, port) {
        (false, 80) => format!("http://{host}"),
        (false, port) => format!("http://{host}:{port}"),
        (true, 443) => format!("https://{host}"),
        (true, port) => format!("https://{host}:{port}"),
    }
}

/// Where a gateway serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayPorts {
    /// The port of HTTP.
    pub http: u16,
    /// The port of HTTPS, where that is served.
    pub https: Option<u16>,
    /// Its fixed ports, which lead to one checkout at a time.
    pub fixed: Vec<u16>,
}

impl GatewayPorts {
    /// The origins of pages under `host`.
    pub fn origins(&self, host: &str) -> impl Iterator<Item = String> + use<> {
        let https = self.https.map(|port| origin(true, host, port));
        [origin(false, host, self.http)].into_iter().chain(https)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocols_own_port_is_not_in_an_origin() {
        let own = GatewayPorts {
            http: 80,
            https: Some(443),
            fixed: vec![],
        };
        let origins: Vec<_> = own.origins("jobi.localhost").collect();
        assert_eq!(origins, ["http://jobi.localhost", "https://jobi.localhost"]);
        let other = GatewayPorts {
            http: 443,
            https: None,
            fixed: vec![],
        };
        let origins: Vec<_> = other.origins("jobi.localhost").collect();
        assert_eq!(origins, ["http://jobi.localhost:443"]);
    }

    #[test]
    fn a_services_name_is_one_label_of_a_host() {
        assert_eq!(
            of_service("my_api", "fix.jobi"),
            "my-api.fix.jobi.localhost"
        );
        assert_eq!(of_instance("jobi"), "jobi.localhost");
    }
}
