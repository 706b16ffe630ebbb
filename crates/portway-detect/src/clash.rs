//! Services that insist on the same port, which can never run side by side.

use super::{Found, FoundPort};

/// Makes every service optional whose port an earlier one insists on as well: a checkout of many
/// examples still starts, and each of them can be asked for.
pub(super) fn settle(services: &mut [Found]) {
    for index in 0..services.len() {
        let (before, rest) = services.split_at_mut(index);
        let service = &mut rest[0];
        let Some(FoundPort::Only(port)) = service.port else {
            continue;
        };
        let is_same = |other: &&Found| !other.optional && other.port == service.port;
        if let Some(other) = before.iter().find(is_same).filter(|_| !service.optional) {
            service.optional = true;
            service.evidence.push(format!(
                "`{}` insists on port {port} too, so this takes part only when asked for",
                other.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    #[test]
    fn the_second_that_insists_on_a_port_is_optional() {
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
        detection.services[3].says("`a` insists on port 8081 too");
    }
}
