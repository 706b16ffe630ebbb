//! Ranges of versions, as npm, pip and Poetry write them.

/// A version: major, minor, patch.
type Version = [u32; 3];

const LAST: Version = [u32::MAX; 3];

/// A range of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    /// Intervals from a version up to, but without, another.
    parts: Vec<(Version, Version)>,
}

/// The relation of a version to a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is in the range.
    Fits,
    /// It is older than every version in the range.
    TooOld,
    /// It is newer than a part of the range, or between two parts.
    Other,
}

impl VersionRange {
    /// Parses `^20.19 || >=22`, `>=3.11,<3.14`, `~=3.10`, `3.12.*`, `18 - 20`; `None` if it is no range of
    /// numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Option<Vec<_>> = text.split("||").map(alternative).collect();
        Some(Self {
            text: text.trim().to_owned(),
            parts: parts?,
        })
    }

    /// The text of the range, as its file writes it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Compares the first version in a text, such as `go version go1.22.3 linux/amd64`; `None` if there is
    /// none.
    pub fn fit(&self, version: &str) -> Option<Fit> {
        let at = version.find(|c: char| c.is_ascii_digit())?;
        let (version, _) = parse_version(&version[at..])?;
        let fits = |(low, high): &(Version, Version)| *low <= version && version < *high;
        Some(if self.parts.iter().any(fits) {
            Fit::Fits
        } else if self.parts.iter().all(|(low, _)| version < *low) {
            Fit::TooOld
        } else {
            Fit::Other
        })
    }

    /// The minor versions of a major one, up to `last`, of which some version is in the range.
    pub fn minors(&self, major: u32, last: u32) -> Vec<u32> {
        let fits = |minor: &u32| {
            let (low, high) = ([major, *minor, 0], [major, *minor + 1, 0]);
            self.parts
                .iter()
                .any(|(from, to)| low < *to && *from < high)
        };
        (0..=last).filter(fits).collect()
    }
}

/// Parses comparisons that all apply.
fn alternative(text: &str) -> Option<(Version, Version)> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (
            comparison(">=", low.trim())?,
            comparison("<=", high.trim())?,
        );
        return Some((low.0, high.1));
    }
    let mut range = ([0; 3], LAST);
    let mut words = text
        .split([' ', ','])
        .filter(|word| !word.is_empty())
        .peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        let end = word
            .find(|c: char| c.is_alphanumeric() || c == '*')
            .unwrap_or(word.len());
        let (operator, version) = word.split_at(end);
        // `>= 3` has a space.
        let version = match version.is_empty() {
            true => words.next()?,
            false => version,
        };
        if operator == "!=" {
            continue;
        }
        let (low, high) = comparison(operator, version)?;
        range = (range.0.max(low), range.1.min(high));
    }
    Some(range)
}

fn comparison(operator: &str, version: &str) -> Option<(Version, Version)> {
    let version = version.trim_start_matches('v');
    if ["*", "x", "X"].contains(&version) {
        return Some(([0; 3], LAST));
    }
    let (low, count) = parse_version(version)?;
    // The first version after all those that start with its first `count` numbers.
    let after = |count: usize| {
        let mut next = [0; 3];
        next[..count].copy_from_slice(&low[..count]);
        next[count - 1] += 1;
        next
    };
    let first_number = low.iter().position(|number| *number > 0).unwrap_or(2);
    Some(match operator {
        "" | "=" | "==" | "===" => (low, after(count)),
        ">=" => (low, LAST),
        ">" => (after(count), LAST),
        "<" => ([0; 3], low),
        "<=" => ([0; 3], after(count)),
        "^" => (
            low,
            after((first_number + 1).min(count.max(first_number + 1))),
        ),
        "~" => (low, after(count.min(2))),
        "~=" => (low, after((count - 1).max(1))),
        _ => return None,
    })
}

/// Parses up to three numbers, and returns how many there are.
fn parse_version(text: &str) -> Option<(Version, usize)> {
    let mut version = [0; 3];
    let mut count = 0;
    for part in text.split('.').take(3) {
        let end = part
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(part.len());
        match part[..end].parse::<u16>() {
            Ok(number) => version[count] = number.into(),
            // `3.12.*`
            Err(_) if count > 0 => break,
            Err(_) => return None,
        }
        count += 1;
        // `3.12rc1`
        if end < part.len() {
            break;
        }
    }
    Some((version, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_versions_with_ranges() {
        for (range, version, fit) in [
            (">=20", "v20.20.2", Fit::Fits),
            (">=20.19", "v20.9.0", Fit::TooOld),
            ("^20.19 || >=22", "v21.0.0", Fit::Other),
            ("^20.19 || >=22", "v22.1.0", Fit::Fits),
            ("^20.19 || >=22", "v18.0.0", Fit::TooOld),
            ("20.x", "v20.1.0", Fit::Fits),
            ("20", "v22.1.0", Fit::Other),
            ("18 - 20", "v20.5.0", Fit::Fits),
            (">= 18 < 21", "v20.5.0", Fit::Fits),
            ("*", "v1.0.0", Fit::Fits),
            ("~18.2", "v18.3.0", Fit::Other),
            (">=3.11,<3.13", "Python 3.11.7", Fit::Fits),
            (">=3.12", "Python 3.11.7", Fit::TooOld),
            ("^3.11", "Python 3.14.0", Fit::Fits),
            ("~=3.10", "Python 3.12.0", Fit::Fits),
            ("~=3.10.2", "Python 3.11.0", Fit::Other),
            ("==3.12.*", "Python 3.12.4", Fit::Fits),
            (">=3.9,!=3.9.7", "Python 3.9.7", Fit::Fits),
            ("^0.2.3", "0.3.0", Fit::Other),
            (">=1.22", "go version go1.19.8 linux/amd64", Fit::TooOld),
        ] {
            let parsed = VersionRange::parse(range).unwrap();
            assert_eq!(parsed.fit(version), Some(fit), "{range} {version}");
        }
        for text in ["lts/*", "latest", "", ">=", "node"] {
            assert_eq!(VersionRange::parse(text), None, "{text}");
        }
        assert_eq!(VersionRange::parse("1").unwrap().fit("no number"), None);
    }

    #[test]
    fn lists_the_minor_versions_of_a_range() {
        for (range, minors) in [
            (">=3.11,<3.13", &[11, 12][..]),
            (">=3.12.4", &[12, 13, 14]),
            ("^3.13", &[13, 14]),
            (">=4", &[]),
        ] {
            assert_eq!(
                VersionRange::parse(range).unwrap().minors(3, 14),
                minors,
                "{range}"
            );
        }
    }
}
