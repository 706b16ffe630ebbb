//! Port ranges as people write them: `9000-9099`, or one number.

use std::fmt;
use std::str::FromStr;

/// An inclusive range of TCP ports from 1-65535, never empty.
///
/// With the feature `serde` it is serialized as text, such as `9000-9099`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "String", into = "String")
)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// The reason why a text or a pair of numbers is not a port range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The text does not have the form `FIRST-LAST` or `PORT`.
    #[error("`{0}` is not a port range; write it as `9000-9099`")]
    Form(String),
    /// A number is not a port.
    #[error("`{0}` is not a port; ports go from 1 to 65535")]
    Number(String),
    /// The first port is above the last.
    #[error("the range `{first}-{last}` is reversed; write it as `{last}-{first}`")]
    Reversed {
        /// The number written first.
        first: u16,
        /// The number written last.
        last: u16,
    },
}

impl PortRange {
    /// The ports from which [`Hold::any`](crate::Hold::any) chooses: above the usual development
    /// ports, below the default ephemeral ranges of Linux, macOS and Windows.
    pub(crate) const ANY: Self = Self {
        first: 24_000,
        last: 32_767,
    };

    /// Returns the range from `first` to `last`, both included.
    ///
    /// # Errors
    /// Fails if `first` is 0 or above `last`.
    pub fn new(first: u16, last: u16) -> Result<Self, RangeError> {
        if first == 0 {
            return Err(RangeError::Number("0".into()));
        }
        if first > last {
            return Err(RangeError::Reversed { first, last });
        }
        Ok(Self { first, last })
    }

    /// Returns the hundred ports that start at `first`, or fewer if they would pass 65535.
    ///
    /// # Errors
    /// Fails if `first` is 0.
    pub fn hundred_from(first: u16) -> Result<Self, RangeError> {
        Self::new(first, first.saturating_add(99))
    }

    /// Returns the lowest port.
    #[must_use]
    pub fn first(self) -> u16 {
        self.first
    }

    /// Returns the highest port.
    #[must_use]
    pub fn last(self) -> u16 {
        self.last
    }

    /// Returns the number of ports, at least 1.
    #[must_use]
    pub fn size(self) -> usize {
        usize::from(self.last - self.first) + 1
    }

    /// Returns whether the range contains `port`.
    #[must_use]
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Returns whether the ranges have a common port.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Returns all ports, lowest first.
    pub fn ports(self) -> impl Iterator<Item = u16> + Clone {
        self.first..=self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for PortRange {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let number = |part: &str| {
            let part = part.trim();
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return Err(RangeError::Form(text.into()));
            }
            part.parse::<u16>()
                .ok()
                .filter(|&port| port != 0)
                .ok_or_else(|| RangeError::Number(part.into()))
        };
        match text.split_once('-') {
            Some((first, last)) => Self::new(number(first)?, number(last)?),
            None => number(text).and_then(|port| Self::new(port, port)),
        }
    }
}

impl TryFrom<String> for PortRange {
    type Error = RangeError;

    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn displays_as_it_is_parsed() {
        for text in ["9000-9099", "1-65535", "80"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
        assert_eq!(
            " 9000 - 9001 ".parse::<PortRange>().unwrap().to_string(),
            "9000-9001"
        );
    }

    #[test]
    fn explains_why_a_text_is_not_a_range() {
        let error = |text: &str| text.parse::<PortRange>().unwrap_err().to_string();
        assert_eq!(
            error("9099-9000"),
            "the range `9099-9000` is reversed; write it as `9000-9099`"
        );
        assert_eq!(error("0-10"), "`0` is not a port; ports go from 1 to 65535");
        assert_eq!(
            error("70000"),
            "`70000` is not a port; ports go from 1 to 65535"
        );
        for text in ["", "-", "9000-", "a-b", "9000-9001-9002", "+9000"] {
            assert!(error(text).contains("is not a port range"), "{text}");
        }
    }

    #[test]
    fn hundred_from_stops_at_the_highest_port() {
        assert_eq!(
            PortRange::hundred_from(9000).unwrap().to_string(),
            "9000-9099"
        );
        assert_eq!(PortRange::hundred_from(65500).unwrap().size(), 36);
    }
}
