//! Resolves conflicts between services that require the same port and cannot run side by side.

use super::{DetectedPort, DetectedService};

/// Makes a service optional when an earlier service requires the same port. A checkout with many
/// examples then still starts, and `--with` enables each of them.
pub(super) fn resolve(services: &mut [DetectedService]) {
    for index in 0..services.len() {
        let (before, rest) = services.split_at_mut(index);
        let service = &mut rest[0];
        let Some(DetectedPort::Fixed(port)) = service.port else {
            continue;
        };
        let is_same = |other: &&DetectedService| !other.optional && other.port == service.port;
        if let Some(other) = before.iter().find(is_same).filter(|_| !service.optional) {
            service.optional = true;
            service.evidence.push(format!(
                "`{}` requires port {port} too, so this service is optional",
                other.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn makes_the_second_service_on_a_port_optional() {
        let main = |port: u16| {
            format!("package main\nfunc main() {{\n\thttp.ListenAndServe(\":{port}\", nil)\n}}")
        };
        let detection = checkout(
            &[
                ("go.mod", "module x"),
                ("a/main.go", &main(8081)),
                ("b/main.go", &main(8082)),
                ("c/main.go", &main(8081)),
                ("d/main.go", &main(8081)),
            ],
            &["go"],
        );
        let optional = detection.services.iter().map(|service| service.optional);
        assert_eq!(optional.collect::<Vec<_>>(), [false, false, true, true]);
        detection.services[3].has_evidence("`a` requires port 8081 too");
    }
}
