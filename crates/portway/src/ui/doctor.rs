//! Prints a diagnosis: one line per finding, with the fix and its command below.

use portway_api::{Diagnosis, Finding, Severity};

use super::sanitize::one_line;
use super::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, message, out, styled};

/// Prints all findings and a summary.
pub(crate) fn diagnosis(diagnosis: &Diagnosis) -> bool {
    for fixed in &diagnosis.fixed {
        message(&format!("fixed: {}\n", fixed.message));
    }
    let text: String = diagnosis.findings.iter().map(finding).collect();
    let read = out(&text);
    message(&format!("{}\n", count_problems(&diagnosis.findings)));
    read
}

fn finding(finding: &Finding) -> String {
    let (style, sign, word) = match finding.severity {
        Severity::Fine => (GREEN, "✓", ""),
        Severity::Warning => (YELLOW, "!", "warning: "),
        Severity::Error => (RED, "✗", "error: "),
    };
    let place = finding
        .place
        .as_deref()
        .filter(|_| finding.severity != Severity::Fine);
    let place = place.map(|place| format!(" ({})", one_line(place)));
    let mut text = format!(
        "{} {}{}  {}{}\n",
        styled(style, sign),
        styled(style, word),
        styled(BOLD, &one_line(&finding.subject)),
        one_line(&finding.message),
        styled(DIM, &place.unwrap_or_default()),
    );
    if let Some(repair) = &finding.repair {
        text.push_str(&format!("  {} {}\n", styled(CYAN, "→"), one_line(repair)));
        // On a separate line, so that it is easy to copy.
        if let Some(command) = &finding.command {
            text.push_str(&format!("    {}\n", one_line(command)));
        }
    }
    text
}

/// Counts the problems: "1 error, 2 warnings".
fn count_problems(findings: &[Finding]) -> String {
    let count = |severity| {
        findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    };
    let words = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    match (count(Severity::Error), count(Severity::Warning)) {
        (0, 0) => "no problems found".to_owned(),
        (0, warnings) => words(warnings, "warning"),
        (errors, 0) => words(errors, "error"),
        (errors, warnings) => {
            format!("{}, {}", words(errors, "error"), words(warnings, "warning"))
        }
    }
}

#[cfg(test)]
mod tests {
    use portway_api::Check;

    use super::*;

    fn example(severity: Severity) -> Finding {
        Finding {
            check: Check::Proxy,
            severity,
            subject: "web".into(),
            message: "broken\nproxy".into(),
            place: Some("vite.config.ts:3".into()),
            repair: Some("fix it".into()),
            command: Some("portway up".into()),
            fixable: false,
        }
    }

    #[test]
    fn prints_a_finding_with_its_fix_below() {
        let text = anstream::adapter::strip_str(&finding(&example(Severity::Error))).to_string();
        assert_eq!(
            text,
            "✗ error: web  broken\\nproxy (vite.config.ts:3)\n  → fix it\n    portway up\n"
        );
    }

    #[test]
    fn counts_problems_by_severity() {
        use Severity::{Error, Fine, Warning};
        for (severities, words) in [
            (&[Fine][..], "no problems found"),
            (&[Fine, Warning], "1 warning"),
            (&[Error, Error], "2 errors"),
            (&[Error, Warning, Warning], "1 error, 2 warnings"),
        ] {
            let findings: Vec<Finding> = severities.iter().map(|one| example(*one)).collect();
            assert_eq!(count_problems(&findings), words);
        }
    }
}
