//! Several port ranges, in the order in which ports are chosen from them.

use std::fmt;
use std::str::FromStr;

use crate::range::{PortRange, RangeError};

/// One or more ranges without a common port. The first range is preferred.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PortRanges {
    first: PortRange,
    others: Vec<PortRange>,
}

/// The reason why a list is not a list of port ranges.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangesError {
    /// The list has no range.
    #[error("the list of port ranges is empty; write it as `9000-9099`")]
    Empty,
    /// Two ranges have a common port.
    #[error("the port ranges `{0}` and `{1}` overlap")]
    Overlap(PortRange, PortRange),
    /// A part is not a range.
    #[error(transparent)]
    Range(#[from] RangeError),
}

impl PortRanges {
    /// Returns these ranges.
    ///
    /// # Errors
    /// Fails if there is none or if two overlap.
    pub fn new(ranges: impl IntoIterator<Item = PortRange>) -> Result<Self, RangesError> {
        let mut ranges = ranges.into_iter();
        let mut all = Self::from(ranges.next().ok_or(RangesError::Empty)?);
        for range in ranges {
            if let Some(other) = all.ranges().find(|other| other.overlaps(range)) {
                return Err(RangesError::Overlap(other, range));
            }
            all.others.push(range);
        }
        Ok(all)
    }

    /// Returns the first port of the first range.
    #[must_use]
    pub fn first(&self) -> u16 {
        self.first.first()
    }

    /// Returns the number of ports, at least 1.
    #[must_use]
    pub fn size(&self) -> usize {
        self.ranges().map(PortRange::size).sum()
    }

    /// Returns whether a range contains `port`.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.ranges().any(|range| range.contains(port))
    }

    /// Returns the ranges, the preferred one first.
    pub fn ranges(&self) -> impl Iterator<Item = PortRange> + Clone {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// Returns all ports: those of the first range, lowest first, then those of the next.
    pub fn ports(&self) -> impl Iterator<Item = u16> + Clone {
        self.ranges().flat_map(PortRange::ports)
    }
}

impl From<PortRange> for PortRanges {
    fn from(first: PortRange) -> Self {
        Self {
            first,
            others: Vec::new(),
        }
    }
}

impl fmt::Display for PortRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others
            .iter()
            .try_for_each(|range| write!(f, ", {range}"))
    }
}

impl FromStr for PortRanges {
    type Err = RangesError;

    /// Parses ranges with commas between them: `9000-9099, 9200-9299`.
    fn from_str(text: &str) -> Result<Self, RangesError> {
        let ranges: Result<Vec<PortRange>, RangeError> = text.split(',').map(str::parse).collect();
        Self::new(ranges?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> PortRanges {
        text.parse().unwrap()
    }

    #[test]
    fn displays_as_it_is_parsed() {
        for text in ["9000-9099", "9000", "9200-9299, 9000-9099, 80"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn keeps_the_order_of_the_ranges() {
        let ranges = parse("9200-9201,9000-9001");
        assert_eq!(ranges.first(), 9200);
        assert_eq!(ranges.size(), 4);
        assert_eq!(ranges.ports().collect::<Vec<_>>(), [9200, 9201, 9000, 9001]);
        assert!(ranges.contains(9001) && !ranges.contains(9100));
    }

    #[test]
    fn rejects_ranges_that_overlap_and_an_empty_list() {
        let error = |text: &str| text.parse::<PortRanges>().unwrap_err().to_string();
        assert_eq!(
            error("9000-9099, 9200-9299, 9099-9100"),
            "the port ranges `9000-9099` and `9099-9100` overlap"
        );
        assert_eq!(
            error("9000-9099, 9000-9099"),
            "the port ranges `9000-9099` and `9000-9099` overlap"
        );
        assert_eq!(
            error("9000-9010,"),
            "`` is not a port range; write it as `9000-9099`"
        );
        assert_eq!(PortRanges::new([]).unwrap_err(), RangesError::Empty);
    }
}
