//! The ports of a service, from its `port` and `ports` keys.

use super::PlannedPort;
use crate::diagnostic::Problem;
use crate::manifest::Service;
use crate::port_spec::PortSpec;

/// The ports of a service, the main port first. `only_port` is the port of a service without named
/// ports.
pub(super) fn ports(
    name: &str,
    spec: &Service,
    only_port: impl FnOnce() -> Option<PortSpec>,
) -> Result<Vec<PlannedPort>, Problem> {
    if spec.port.is_some() && !spec.ports.is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` has both `port` and `ports`"),
        )
        .help("move `port` into `ports`"));
    }
    if spec.ports.is_empty() {
        let port = only_port().map(|spec| PlannedPort { name: None, spec });
        return Ok(port.into_iter().collect());
    }
    let mut ports: Vec<PlannedPort> = spec
        .ports
        .iter()
        .map(|(port, spec)| PlannedPort {
            name: Some(port.clone()),
            spec: *spec,
        })
        .collect();
    if let Some(main) = spec.ports.get_index_of("http") {
        ports[..=main].rotate_right(1);
    }
    Ok(ports)
}
