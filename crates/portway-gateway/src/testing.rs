//! Sample statuses for the unit tests of this crate.

use portway_api::{InstanceState, InstanceStatus, PortStatus, ServiceState, ServiceStatus};

/// Returns a running instance whose id equals its name.
pub(crate) fn instance(
    name: &str,
    main: Option<&str>,
    services: Vec<ServiceStatus>,
) -> InstanceStatus {
    InstanceStatus {
        id: name.to_owned(),
        name: name.to_owned(),
        project: name.to_owned(),
        directory: format!("/{name}"),
        branch: None,
        state: InstanceState::Ready,
        pid: None,
        since: None,
        main: main.map(str::to_owned),
        routes: Vec::new(),
        usual_ports: Vec::new(),
        lan: false,
        network: None,
        changed_files: Vec::new(),
        services,
    }
}

/// Returns an HTTP service.
pub(crate) fn service(name: &str, port: u16, state: ServiceState) -> ServiceStatus {
    let url = format!("http://localhost:{port}");
    ServiceStatus::without_process(
        name,
        state,
        vec![PortStatus {
            name: None,
            port,
            inner: None,
            observed: false,
            url,
            displaced: None,
            warning: None,
        }],
    )
}
