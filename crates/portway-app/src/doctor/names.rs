//! Checks that running services have the gateway's current ports.

use portway_api::{Check, Finding, GatewayPorts};

use super::finding_builder::{FindingExt, warning};

/// Evaluates a running instance: `at_start` are the gateway's ports when it started, `now` are its
/// current ones.
pub(super) fn evaluate(at_start: Option<&GatewayPorts>, now: &GatewayPorts) -> Option<Finding> {
    (at_start != Some(now)).then(|| {
        let message = "were started before the gateway, or before its ports changed: `CORS_ORIGINS` lacks the \
                       origins of the gateway's names and of fixed ports";
        let repair = "restart the services if pages at these origins call a backend";
        warning(Check::Cors, "services", message, repair).command("portway down && portway up --detach")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_services_that_started_before_the_gateway() {
        let at = |https, fixed: &[u16]| GatewayPorts {
            http: 7678,
            https,
            fixed: fixed.to_vec(),
        };
        let now = at(None, &[3000]);
        for (start, finds) in [
            (None, true),
            (Some(at(None, &[3000])), false),
            (Some(at(Some(7679), &[3000])), true),
            (Some(at(None, &[])), true),
        ] {
            assert_eq!(evaluate(start.as_ref(), &now).is_some(), finds, "{start:?}");
        }
    }
}
