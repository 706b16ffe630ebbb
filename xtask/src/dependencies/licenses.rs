//! Evaluates SPDX license expressions.

use std::collections::BTreeSet;

/// Whether the allowed licenses satisfy an expression. An expression that cannot be parsed is not
/// satisfied. `A/B`, the notation of old crates, means `A OR B`.
pub(super) fn is_satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut tokens: Vec<&str> = spaced.split_whitespace().rev().collect();
    evaluate_or(&mut tokens, allowed) == Some(true) && tokens.is_empty()
}

/// `AND-EXPRESSION (OR AND-EXPRESSION)*`. The next token is the last of `tokens`.
fn evaluate_or(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut result = evaluate_and(tokens, allowed)?;
    while tokens.last() == Some(&"OR") {
        tokens.pop();
        result |= evaluate_and(tokens, allowed)?;
    }
    Some(result)
}

/// `LICENSE (AND LICENSE)*`.
fn evaluate_and(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut result = evaluate_license(tokens, allowed)?;
    while tokens.last() == Some(&"AND") {
        tokens.pop();
        result &= evaluate_license(tokens, allowed)?;
    }
    Some(result)
}

/// `ID`, `ID WITH EXCEPTION`, or an expression in parentheses.
fn evaluate_license(tokens: &mut Vec<&str>, allowed: &BTreeSet<String>) -> Option<bool> {
    match tokens.pop()? {
        "(" => {
            let result = evaluate_or(tokens, allowed)?;
            (tokens.pop()? == ")").then_some(result)
        }
        ")" | "OR" | "AND" | "WITH" => None,
        id if tokens.last() == Some(&"WITH") => {
            tokens.pop();
            let exception = tokens.pop()?;
            Some(allowed.contains(&format!("{id} WITH {exception}")))
        }
        id => Some(allowed.contains(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str) -> bool {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
        is_satisfied(expression, &allowed.map(str::to_owned).into())
    }

    #[test]
    fn accepts_one_allowed_alternative() {
        assert!(check("MIT"));
        assert!(check("GPL-3.0 OR MIT"));
        assert!(check("Unlicense/MIT"));
        assert!(check("Apache-2.0 WITH LLVM-exception OR GPL-3.0"));
    }

    #[test]
    fn requires_every_part_of_a_conjunction() {
        assert!(check("MIT AND ISC"));
        assert!(!check("MIT AND GPL-3.0"));
        assert!(check("(GPL-3.0 OR MIT) AND ISC"));
        assert!(!check("(MIT OR ISC) AND GPL-3.0"));
        // AND binds more tightly than OR.
        assert!(check("MIT OR ISC AND GPL-3.0"));
    }

    #[test]
    fn rejects_other_licenses_and_malformed_expressions() {
        for expression in [
            "GPL-3.0",
            "Apache-2.0",
            "",
            "MIT OR",
            "(MIT",
            "MIT ISC",
            "MIT)",
        ] {
            assert!(!check(expression), "{expression}");
        }
    }
}
