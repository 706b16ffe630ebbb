//! Origins of pages on the local network.

use super::{AssignedPorts, CORS_ORIGINS, VITE_ALLOWED_HOST, Wiring};
use crate::mapping;
use crate::plan::Plan;

impl Wiring {
    /// Allows pages that are published on the local network to call the backends.
    ///
    /// `published` are the services, `addresses` and `host` (such as `jobi-laptop.local`) are
    /// where other devices reach them.
    pub fn publish_on_lan(
        &mut self,
        plan: &Plan,
        ports: &AssignedPorts,
        published: &[String],
        addresses: &[std::net::Ipv4Addr],
        host: &str,
    ) {
        let is_frontend = |name: &&String| plan.services[name.as_str()].serves_pages();
        let frontends: Vec<&String> = published.iter().filter(is_frontend).collect();
        let hosts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut origins = self.shared[CORS_ORIGINS].clone();
        for port in frontends.iter().filter_map(|name| ports.of(name).first()) {
            for host in hosts.iter().map(String::as_str).chain([host]) {
                origins.push_str(&format!(",http://{host}:{port}"));
            }
        }
        let before = self.shared.insert(CORS_ORIGINS.into(), origins.clone());
        let before = before.unwrap_or_default();
        for (name, launch) in &mut self.services {
            // A list without the origins of this instance is the user's and stays unchanged.
            for value in launch.env.values_mut() {
                for separator in mapping::ORIGIN_SEPARATORS {
                    let of_list = |origins: &str| origins.replace(',', separator);
                    if value.contains(&of_list(&before)) {
                        *value = value.replace(&of_list(&before), &of_list(&origins));
                        break;
                    }
                }
            }
            if frontends.contains(&name) {
                let allowed = launch.env.entry(VITE_ALLOWED_HOST.into());
                allowed.or_insert_with(|| host.to_owned());
            }
        }
    }
}
