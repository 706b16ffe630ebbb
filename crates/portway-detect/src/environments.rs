//! Names of environments, and settings in code that are for one of them each:
//! `{ development: { … }, production: { … } }`.

/// Names of environments other than development.
const OTHERS: [&str; 11] = [
    "ci",
    "e2e",
    "preview",
    "prod",
    "production",
    "qa",
    "stage",
    "staging",
    "test",
    "testing",
    "uat",
];

/// Returns whether a name, in lower case, is that of an environment other than development.
pub(crate) fn is_other(name: &str) -> bool {
    OTHERS.contains(&name)
}

/// Returns a text without the objects of other environments than development. Their lines stay, but empty, so that
/// line numbers do not change.
pub(crate) fn of_development(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    // The depth of braces within such an object.
    let mut depth = 0_usize;
    for line in text.lines() {
        let mut rest = line;
        if depth == 0 {
            match start(line) {
                None => {
                    kept.push_str(line);
                    kept.push('\n');
                    continue;
                }
                Some(at) => rest = &line[at..],
            }
        }
        for character in rest.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        kept.push('\n');
    }
    kept
}

/// Returns where the brace of such an object is in the line that starts it: `production: {`,
/// `exports.production = {`.
fn start(line: &str) -> Option<usize> {
    let at = line.find('{')?;
    let before = line[..at].trim_end();
    let name = before
        .strip_suffix('=')
        .or_else(|| before.strip_suffix(':'))?
        .trim_end()
        .trim_end_matches(['"', '\'', ']']);
    let name = name
        .rsplit(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    is_other(name).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::of_development;

    #[test]
    fn objects_of_other_environments_are_left_out() {
        for (text, expected) in [
            ("a\nproduction: { b },\nc", "a\n\nc\n"),
            (
                "x = {\n  development: { d },\n  'test': {\n    e: { f }\n  },\n  g\n}",
                "x = {\n  development: { d },\n\n\n\n  g\n}\n",
            ),
            ("exports.staging = {\nh\n}\ni", "\n\n\ni\n"),
            ("const prod = {\nh\n}\ni", "\n\n\ni\n"),
            ("if (isProduction) {\nj\n}", "if (isProduction) {\nj\n}\n"),
            ("test('x', () => {\nk\n})", "test('x', () => {\nk\n})\n"),
        ] {
            assert_eq!(of_development(text), expected, "{text}");
        }
    }
}
