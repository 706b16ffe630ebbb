//! The order in which the ports of a request are chosen.

use crate::request::{ChooseError, PortRequest};

/// Returns the indexes of the requests in the order in which they are chosen: those that only one port
/// satisfies, with that port, then those with a forced port, then the others. Within each group, the order is
/// kept.
///
/// # Errors
/// When only one port satisfies a request, and another request also needs or keeps that port.
pub(super) fn order(
    requests: &[PortRequest],
    is_excluded: &dyn Fn(u16) -> bool,
) -> Result<Vec<(usize, Option<u16>)>, ChooseError> {
    let only: Vec<Option<u16>> = requests
        .iter()
        .map(|wanted| only_port(wanted, is_excluded))
        .collect();
    for (index, port) in only.iter().enumerate() {
        let Some(port) = *port else { continue };
        let kept = requests.iter().find(|other| other.keep == Some(port));
        let earlier = only[..index].iter().position(|other| *other == Some(port));
        if let Some(other) = kept.or(earlier.map(|earlier| &requests[earlier])) {
            return Err(ChooseError::SamePort {
                port,
                services: [other, &requests[index]].map(|one| one.service.clone()),
                is_kept: kept.is_some(),
            });
        }
    }
    let mut order: Vec<(usize, Option<u16>)> = only.into_iter().enumerate().collect();
    order.sort_by_key(|(index, only)| match (only, requests[*index].forced) {
        (Some(_), _) => 0,
        (None, Some(_)) => 1,
        (None, None) => 2,
    });
    Ok(order)
}

/// Returns the port of a request that no other port satisfies.
fn only_port(wanted: &PortRequest, is_excluded: &dyn Fn(u16) -> bool) -> Option<u16> {
    if wanted.keep.is_some() {
        return None;
    }
    if wanted.forced.is_some() && !wanted.fallback {
        return wanted.forced;
    }
    let may_use_preferred = wanted.is_explicit || !is_excluded(wanted.preferred);
    let preferred = Some(wanted.preferred).filter(|_| may_use_preferred);
    let others = wanted
        .range
        .ports()
        .filter(|&port| port != wanted.preferred && !is_excluded(port));
    let mut candidates = preferred
        .into_iter()
        .chain(others)
        .filter(|&port| wanted.forced != Some(port));
    match (wanted.forced, candidates.next(), candidates.next()) {
        (Some(forced), None, _) => Some(forced),
        (None, Some(only), None) => Some(only),
        _ => None,
    }
}
