//! No two ready services have the same port.

use super::ReadyService;

/// `steady` are services that were ready before and after the check without a restart, so all of
/// them were ready at the same time.
pub(crate) fn evaluate(steady: &[ReadyService]) -> Option<String> {
    steady.iter().enumerate().find_map(|(index, service)| {
        let other = steady[..index]
            .iter()
            .find(|other| other.port == service.port)?;
        Some(format!(
            "two services are ready on one port: {service:?} and {other:?}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn finds_two_services_on_one_port() {
        let mut services = vec![example("a", "api", 9000), example("b", "api", 9001)];
        assert_eq!(evaluate(&services), None);
        services.push(example("c", "web", 9000));
        assert!(evaluate(&services).unwrap().contains("9000"));
    }
}
