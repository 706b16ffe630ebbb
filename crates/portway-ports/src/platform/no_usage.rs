//! Systems that are not asked yet what processes use.

use crate::usage::Usage;

pub(crate) fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    vec![None; roots.len()]
}
