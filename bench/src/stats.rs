//! Medians and spread.

/// What is told of a series of measurements, in their own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    /// Half of the values are below.
    pub(crate) median: f64,
    /// A quarter of the values is below.
    pub(crate) low: f64,
    /// A quarter of the values is above.
    pub(crate) high: f64,
}

impl Summary {
    /// Of any number of values; `None` of none.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            low: quantile(&sorted, 0.25)?,
            high: quantile(&sorted, 0.75)?,
        })
    }
}

/// Between the two values next to it, in proportion.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let at = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

/// The median of how many times each value is the baseline's value of the same round, so that a
/// machine that is slow for a while is slow for both.
pub(crate) fn ratio(values: &[f64], baseline: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = values.iter().zip(baseline).map(|(a, b)| a / b).collect();
    Some(Summary::of(&ratios)?.median)
}

/// The median of how much each value is more than the baseline's value of the same round.
pub(crate) fn added(values: &[f64], baseline: &[f64]) -> Option<f64> {
    let added: Vec<f64> = values.iter().zip(baseline).map(|(a, b)| a - b).collect();
    Some(Summary::of(&added)?.median)
}

/// A few digits: `0.85`, `2.5`, `148`.
pub(crate) fn short(value: f64) -> String {
    match value {
        small if small < 1.0 => format!("{small:.2}"),
        medium if medium < 100.0 => format!("{medium:.1}"),
        large => format!("{large:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_lies_between_the_values() {
        let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(
            (summary.low, summary.median, summary.high),
            (1.75, 2.5, 3.25)
        );
        assert_eq!(Summary::of(&[7.0]).unwrap().high, 7.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn a_ratio_compares_within_a_round() {
        assert_eq!(ratio(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]), Some(2.0));
        assert_eq!(added(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]), Some(4.0));
    }
}
