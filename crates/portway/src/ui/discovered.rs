//! Services of other machines. Their texts are untrusted and are sanitized before printing.

use portway_api::DiscoveredService;

use super::out;
use super::sanitize::one_line;
use super::table::columns;

/// Prints one service per line.
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
    out(&columns(rows, "", &[]))
}
