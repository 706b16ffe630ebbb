//! What other machines serve. They may say anything, so nothing of it reaches the terminal as it is.

use portway_api::DiscoveredService;

use super::out;
use super::sanitize::one_line;
use super::status::columns;

/// One service a line.
pub(crate) fn discovered(found: &[DiscoveredService]) -> bool {
    if found.is_empty() {
        return true;
    }
    let mut rows = vec![
        ["SERVICE", "INSTANCE", "PROJECT", "HOST", "URL"]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(found.iter().map(|one| {
        [
            &one.service,
            &one.instance,
            &one.project,
            &one.host,
            &one.url,
        ]
        .map(|text| one_line(text))
        .to_vec()
    }));
    out(&columns(rows, ""))
}
