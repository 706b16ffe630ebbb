//! Whether services know where the gateway serves their names.

use portway_api::{Check, Finding, GatewayPorts};

use super::note::{Further, warning};

/// Judges an instance that runs: `told` is where the gateway was when it started, `serves` where
/// one is now.
pub(super) fn judge(told: Option<&GatewayPorts>, serves: &GatewayPorts) -> Option<Finding> {
    (told != Some(serves)).then(|| {
        let message = "the gateway serves their names elsewhere than when they started, or there \
                       was none: `CORS_ORIGINS` does not hold the origins of pages under names and on \
                       fixed ports";
        let repair = "where such pages call a backend, start the services anew";
        warning(Check::Cors, "services", message, repair).command("portway down; portway up")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_started_before_the_gateway_is_told() {
        let at = |https, fixed: &[u16]| GatewayPorts {
            http: 7678,
            https,
            fixed: fixed.to_vec(),
        };
        let now = at(None, &[3000]);
        for (told, finds) in [
            (None, true),
            (Some(at(None, &[3000])), false),
            (Some(at(Some(7679), &[3000])), true),
            (Some(at(None, &[])), true),
        ] {
            assert_eq!(judge(told.as_ref(), &now).is_some(), finds, "{told:?}");
        }
    }
}
