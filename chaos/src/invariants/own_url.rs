//! Every URL that Portway reports as ready is served by that service's process tree.
//!
//! After a crash, a port stays open for some milliseconds until the supervisor notices. A
//! supervisor checks once a second whether another process listens. So a wrong answer counts only
//! if it persists for much longer.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::ReadyService;

/// How long a wrong answer may be reported as ready.
const GRACE_PERIOD: Duration = Duration::from_secs(15);

/// Which processes serve a service's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    pub(crate) service: ReadyService,
    /// The marks of the processes that answered, and of those that have the listening socket.
    pub(crate) marks: Vec<String>,
}

/// Records since when a service has had wrong answers.
#[derive(Debug, Default)]
pub(crate) struct OwnUrl {
    wrong_since: HashMap<ReadyService, Instant>,
}

/// The end of `PORTWAY_RUN`, which Portway sets in every process of a service.
pub(crate) fn mark(service: &ReadyService) -> String {
    format!("{}/{}", service.instance, service.service)
}

impl OwnUrl {
    /// `probes` are those of services that were ready before and after, without a restart.
    pub(crate) fn evaluate(&mut self, probes: &[Probe], now: Instant) -> Option<String> {
        let is_wrong = |probe: &&Probe| {
            let own = mark(&probe.service);
            probe.marks.iter().any(|mark| !mark.ends_with(&own))
        };
        let wrong: Vec<&Probe> = probes.iter().filter(is_wrong).collect();
        // A correct answer, or a missing probe, resets the time of a service.
        self.wrong_since
            .retain(|service, _| wrong.iter().any(|probe| probe.service == *service));
        wrong.into_iter().find_map(|probe| {
            let since = self.wrong_since.entry(probe.service.clone());
            let since = since.or_insert(now);
            let persists = now.duration_since(*since) >= GRACE_PERIOD;
            persists.then(|| format!("another process serves a ready service: {probe:?}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn counts_only_wrong_answers_that_persist() {
        let mut invariant = OwnUrl::default();
        let probe = |mark: &str| Probe {
            service: example("0a", "api", 9000),
            marks: vec!["/s/instances/0a/api".into(), mark.into()],
        };
        let (own, other) = (probe("/s/instances/0a/api"), probe("/s/instances/0b/api"));
        let now = Instant::now();
        let later = now + GRACE_PERIOD;
        assert_eq!(invariant.evaluate(std::slice::from_ref(&own), now), None);
        assert_eq!(invariant.evaluate(std::slice::from_ref(&other), now), None);
        assert!(
            invariant
                .evaluate(std::slice::from_ref(&other), later)
                .is_some()
        );
        assert_eq!(invariant.evaluate(&[own], later), None);
        assert_eq!(invariant.evaluate(&[other], later + GRACE_PERIOD / 2), None);
    }
}
