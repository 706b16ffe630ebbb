//! Whether services know where the gateway serves their names.

use portway_api::{Check, Finding};

use super::note::{Further, warning};

/// Where a gateway serves: the port of HTTP, and that of HTTPS.
type Ports = (u16, Option<u16>);

/// Judges an instance that runs: `told` is where the gateway was when it started, `serves` where
/// one is now.
pub(super) fn judge(told: Option<Ports>, serves: Option<Ports>) -> Option<Finding> {
    serves.filter(|_| told != serves).map(|_| {
        let message = "the gateway serves their names elsewhere than when they started, or there \
                       was none: `CORS_ORIGINS` does not hold the origins of pages under names";
        let repair = "where such pages call a backend, start the services anew";
        warning(Check::Cors, "services", message, repair).command("portway down; portway up")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_started_before_the_gateway_is_told() {
        let (old, new) = (Some((7678, None)), Some((7678, Some(7679))));
        for (told, serves, finds) in [
            (None, None, false),
            (old, None, false),
            (old, old, false),
            (None, old, true),
            (old, new, true),
        ] {
            assert_eq!(judge(told, serves).is_some(), finds, "{told:?} {serves:?}");
        }
    }
}
