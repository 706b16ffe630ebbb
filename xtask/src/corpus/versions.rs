//! Requirements such as `>=20 <23 || ^24.1`, as package managers write them. Pure functions.

/// Whether a version fulfills a requirement. One that cannot be read counts as fulfilled.
pub(super) fn fulfills(version: &str, requirement: &str) -> bool {
    let Some(version) = numbers(version) else {
        return true;
    };
    requirement.split("||").any(|alternative| {
        parts(alternative)
            .iter()
            .all(|part| part_holds(&version, part))
    })
}

/// The comparisons of an alternative: `>= 20 < 23` and `>=3.10,<4.0` have two each.
fn parts(alternative: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in alternative
        .split([' ', ','])
        .filter(|word| !word.is_empty())
    {
        match parts.last_mut() {
            Some(last) if last.ends_with(['>', '<', '=', '^', '~']) => last.push_str(word),
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

fn part_holds(version: &[u64], part: &str) -> bool {
    let start = part
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(part.len());
    let (operator, rest) = part.split_at(start);
    let Some(wanted) = numbers(rest) else {
        return true; // `*`, `latest`, `lts/*`
    };
    // Only the numbers that the requirement names count: 20.3 fulfills `<=20`.
    let length = wanted.len().min(version.len());
    let (own, prefix) = (&version[..length], &wanted[..length]);
    match operator.trim_end_matches('v') {
        ">=" => version >= wanted.as_slice(),
        ">" => own > prefix,
        "<=" => own <= prefix,
        "<" => version < wanted.as_slice(),
        "^" => version >= wanted.as_slice() && version[0] == wanted[0],
        "~" | "~=" | "~>" => {
            let same = wanted.len().saturating_sub(1).clamp(1, 2);
            version >= wanted.as_slice() && version.get(..same) == wanted.get(..same)
        }
        "!=" => own != prefix,
        _ => own == prefix,
    }
}

/// The leading numbers of a version: `v20.20.2` is 20, 20, 2 and `20.x` is 20.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let text = text.trim().trim_start_matches('v');
    let numbers: Vec<u64> = text
        .split('.')
        .map_while(|part| {
            let end = part
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(part.len());
            part[..end].parse().ok()
        })
        .collect();
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_versions() {
        for (version, requirement, holds) in [
            ("v20.20.2", ">=20", true),
            ("v20.20.2", ">=20.0.0", true),
            ("v20.20.2", "^22.21.0", false),
            ("v20.20.2", "^18 || ^20", true),
            ("v20.20.2", ">=18 <20", false),
            ("v20.20.2", ">= 18 < 21", true),
            ("v20.20.2", "20.x", true),
            ("v20.20.2", "22", false),
            ("v20.20.2", "lts/*", true),
            ("v20.20.2", "*", true),
            ("3.11.7", ">=3.14,<4.0", false),
            ("3.11.7", "^3.9", true),
            ("3.11.7", "~3.11", true),
            ("3.11.7", "~3.10.2", false),
            ("3.11.7", "3.12", false),
            ("3.11.7", "<=3.11", true),
            ("1.19.8", ">=1.21", false),
            ("unknown", ">=1.21", true),
        ] {
            assert_eq!(
                fulfills(version, requirement),
                holds,
                "{version} {requirement}"
            );
        }
    }
}
