//! Host names under which a gateway serves instances and services, and the origins of their pages.

use portway_api::GatewayPorts;

use crate::checkout::host_label;

/// The domain of all host names. Browsers resolve it to this machine (RFC 6761, section 6.3).
pub const DOMAIN: &str = "localhost";

/// The label of the gateway's own pages. No instance gets this name.
pub const GATEWAY_LABEL: &str = "portway";

/// The host name of an instance: `INSTANCE.localhost`.
pub fn instance_host(instance: &str) -> String {
    format!("{instance}.{DOMAIN}")
}

/// The host name of a service: `SERVICE.INSTANCE.localhost`.
pub fn service_host(service: &str, instance: &str) -> String {
    format!("{}.{instance}.{DOMAIN}", host_label(service))
}

/// The origin of pages on `host`, as browsers write it: without the default port of the scheme.
pub fn origin(tls: bool, host: &str, port: u16) -> String {
    match (tls, port) {
        (false, 80) => format!("http://{host}"),
        (false, port) => format!("http://{host}:{port}"),
        (true, 443) => format!("https://{host}"),
        (true, port) => format!("https://{host}:{port}"),
    }
}

/// The origins of pages that a gateway serves on `host`.
pub fn gateway_origins(gateway: &GatewayPorts, host: &str) -> impl Iterator<Item = String> + use<> {
    let https = gateway.https.map(|port| origin(true, host, port));
    [origin(false, host, gateway.http)].into_iter().chain(https)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_omits_only_the_default_port_of_its_scheme() {
        let own = GatewayPorts {
            http: 80,
            https: Some(443),
            fixed: vec![],
        };
        let origins: Vec<_> = gateway_origins(&own, "jobi.localhost").collect();
        assert_eq!(origins, ["http://jobi.localhost", "https://jobi.localhost"]);
        let other = GatewayPorts {
            http: 443,
            https: None,
            fixed: vec![],
        };
        let origins: Vec<_> = gateway_origins(&other, "jobi.localhost").collect();
        assert_eq!(origins, ["http://jobi.localhost:443"]);
    }

    #[test]
    fn a_service_name_becomes_one_label_of_the_host_name() {
        assert_eq!(
            service_host("my_api", "fix.jobi"),
            "my-api.fix.jobi.localhost"
        );
        assert_eq!(instance_host("jobi"), "jobi.localhost");
    }
}
