//! Version constraints of Poetry and Pipenv, in the syntax of pip.

/// Converts a constraint such as `^1.2` or `~1.2,!=1.2.5` to a version specifier of pip, such as
/// `>=1.2,<2`. Returns an empty text for any version, and `None` if it cannot be expressed.
pub(super) fn to_pip(constraint: &str) -> Option<String> {
    // pip cannot express alternatives; the last one is usually the newest.
    let last = constraint.rsplit("||").next().unwrap_or(constraint);
    let parts = last
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let parts: Option<Vec<String>> = parts.map(part_to_pip).collect();
    let mut parts = parts?;
    parts.retain(|part| !part.is_empty());
    Some(parts.join(","))
}

/// Converts a constraint on Python, such as `>=3.8,<3.12`, to an environment marker; the inner value is `None`
/// for any version, the outer one if it cannot be expressed.
pub(super) fn to_marker(constraint: &str) -> Option<Option<String>> {
    let mut alternatives = Vec::new();
    for one in constraint.split('|').map(str::trim) {
        if one.is_empty() {
            continue;
        }
        let specifier = to_pip(one)?;
        let parts: Option<Vec<String>> = specifier
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let at = part.find(|c: char| c.is_ascii_digit())?;
                let (operator, version) = part.split_at(at);
                // `python_version` has two numbers.
                let name = match version.split('.').count() {
                    0..=2 => "python_version",
                    _ if version.ends_with(".*") => "python_version",
                    _ => "python_full_version",
                };
                Some(format!("{name} {operator} \"{version}\""))
            })
            .collect();
        let parts = parts?;
        if parts.is_empty() {
            return Some(None);
        }
        alternatives.push(parts.join(" and "));
    }
    Some((!alternatives.is_empty()).then(|| alternatives.join(" or ")))
}

fn part_to_pip(part: &str) -> Option<String> {
    if part == "*" {
        return Some(String::new());
    }
    if let Some(version) = part.strip_prefix('^') {
        return range(version, |numbers| {
            // The first number that is not zero may not change.
            let first = numbers.iter().position(|number| *number != 0);
            first.unwrap_or(numbers.len() - 1)
        });
    }
    if let Some(version) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        return range(version, |numbers| usize::from(numbers.len() > 1));
    }
    let operators = ["===", "==", "~=", "!=", ">=", "<=", ">", "<"];
    let operator = operators
        .into_iter()
        .find(|operator| part.starts_with(operator));
    let version = part[operator.map_or(0, str::len)..].trim();
    is_version(version).then(|| format!("{}{version}", operator.unwrap_or("==")))
}

/// Returns the range from a version to below the next one in which the number changes whose index
/// `last` returns.
fn range(version: &str, last: fn(&[u64]) -> usize) -> Option<String> {
    let version = version.trim();
    if !is_version(version) {
        return None;
    }
    let release = version.split(['a', 'b', 'r', '-', '+', '*']).next()?;
    let numbers = release.trim_end_matches('.').split('.').map(str::parse);
    let numbers: Vec<u64> = numbers.collect::<Result<_, _>>().ok()?;
    let last = last(&numbers);
    let mut next = numbers.get(..=last)?.to_vec();
    *next.last_mut()? += 1;
    let next: Vec<String> = next.iter().map(u64::to_string).collect();
    let version = version.trim_end_matches(".*");
    Some(format!(">={version},<{}", next.join(".")))
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".*+-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_constraints_on_python_to_markers() {
        for (constraint, expected) in [
            ("<3.12", Some(Some("python_version < \"3.12\""))),
            (
                "^3.9",
                Some(Some("python_version >= \"3.9\" and python_version < \"4\"")),
            ),
            (
                "<3.8 || >=3.12.1",
                Some(Some(
                    "python_version < \"3.8\" or python_full_version >= \"3.12.1\"",
                )),
            ),
            ("3.11.*", Some(Some("python_version == \"3.11.*\""))),
            ("*", Some(None)),
            ("newest", None),
        ] {
            let marker = to_marker(constraint);
            let marker = marker.as_ref().map(Option::as_deref);
            assert_eq!(marker, expected, "{constraint}");
        }
    }

    #[test]
    fn converts_constraints_to_specifiers() {
        for (constraint, expected) in [
            ("^4.2", Some(">=4.2,<5")),
            ("^1.2.3", Some(">=1.2.3,<2")),
            ("^0.100", Some(">=0.100,<0.101")),
            ("^0.0.3", Some(">=0.0.3,<0.0.4")),
            ("^0", Some(">=0,<1")),
            ("^0.0", Some(">=0.0,<0.1")),
            ("^2.0b1", Some(">=2.0b1,<3")),
            ("~1.2.3", Some(">=1.2.3,<1.3")),
            ("~1.2", Some(">=1.2,<1.3")),
            ("~1", Some(">=1,<2")),
            ("~=1.4", Some("~=1.4")),
            ("1.2.3", Some("==1.2.3")),
            ("1.2.*", Some("==1.2.*")),
            (">=1.2, <2", Some(">=1.2,<2")),
            ("^1.2,!=1.2.5", Some(">=1.2,<2,!=1.2.5")),
            ("^1 || ^2.1", Some(">=2.1,<3")),
            ("*", Some("")),
            ("", Some("")),
            ("latest", None),
            ("^x", None),
            ("^99999999999999999999999", None),
        ] {
            assert_eq!(to_pip(constraint).as_deref(), expected, "{constraint}");
        }
    }
}
