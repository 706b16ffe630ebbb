//! Medians, quartiles, and comparisons.

/// Median and quartiles of a series, in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// The lower quartile.
    pub(crate) low: f64,
    /// The upper quartile.
    pub(crate) high: f64,
}

impl Summary {
    /// Summarize values. `None` if there are none.
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

/// Interpolate between the two nearest values.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let at = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(below + (above - below) * at.fract())
}

/// The median of the ratios to the baseline's values of the same round. A machine that is slow for
/// a while is slow for both.
pub(crate) fn median_ratio(values: &[f64], baseline: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = values.iter().zip(baseline).map(|(a, b)| a / b).collect();
    Some(Summary::of(&ratios)?.median)
}

/// The median of the differences to the baseline's values of the same round.
pub(crate) fn median_difference(values: &[f64], baseline: &[f64]) -> Option<f64> {
    let differences: Vec<f64> = values.iter().zip(baseline).map(|(a, b)| a - b).collect();
    Some(Summary::of(&differences)?.median)
}

/// Format a number with two or three digits: `0.85`, `2.5`, `148`.
pub(crate) fn format_number(value: f64) -> String {
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
    fn interpolates_between_values() {
        let summary = Summary::of(&[4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(
            (summary.low, summary.median, summary.high),
            (1.75, 2.5, 3.25)
        );
        assert_eq!(Summary::of(&[7.0]).unwrap().high, 7.0);
        assert_eq!(Summary::of(&[]), None);
    }

    #[test]
    fn compares_values_of_the_same_round() {
        assert_eq!(
            median_ratio(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]),
            Some(2.0)
        );
        assert_eq!(
            median_difference(&[2.0, 20.0, 6.0], &[1.0, 10.0, 2.0]),
            Some(4.0)
        );
    }
}
