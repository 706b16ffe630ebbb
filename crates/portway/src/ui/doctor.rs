//! What is right and wrong in a checkout: one line for each fact, below it its repair, and the
//! command that helps with it.

use portway_api::{Diagnosis, Finding, Severity};

use super::sanitize::one_line;
use super::{CYAN, DIM, GREEN, RED, YELLOW, out, styled, talk};

/// Everything that was looked at.
pub(crate) fn diagnosis(diagnosis: &Diagnosis) -> bool {
    for fixed in &diagnosis.fixed {
        talk(&format!("{}: {}\n", fixed.subject, fixed.message));
    }
    let text: String = diagnosis.findings.iter().map(finding).collect();
    let read = out(&text);
    talk(&format!("{}\n", sum(&diagnosis.findings)));
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
        "{} {}{}: {}{}\n",
        styled(style, sign),
        styled(style, word),
        one_line(&finding.subject),
        one_line(&finding.message),
        styled(DIM, &place.unwrap_or_default()),
    );
    if let Some(repair) = &finding.repair {
        text.push_str(&format!("  {} {}\n", styled(CYAN, "→"), one_line(repair)));
        // On a line of its own: it is to be copied.
        if let Some(command) = &finding.command {
            text.push_str(&format!("    {}\n", one_line(command)));
        }
    }
    text
}

/// "1 error, 2 warnings".
fn sum(findings: &[Finding]) -> String {
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
        (0, 0) => "nothing is wrong".to_owned(),
        (0, warnings) => format!("nothing is wrong, {}", words(warnings, "warning")),
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

    fn a(severity: Severity) -> Finding {
        Finding {
            check: Check::Proxy,
            severity,
            subject: "web".into(),
            message: "leads\nastray".into(),
            place: Some("vite.config.ts:3".into()),
            repair: Some("mend it".into()),
            command: Some("portway up".into()),
            fixable: false,
        }
    }

    #[test]
    fn a_finding_is_one_line_with_its_repair_below() {
        let text = anstream::adapter::strip_str(&finding(&a(Severity::Error))).to_string();
        assert_eq!(
            text,
            "✗ error: web: leads\\nastray (vite.config.ts:3)\n  → mend it\n    portway up\n"
        );
    }

    #[test]
    fn findings_are_counted() {
        use Severity::{Error, Fine, Warning};
        for (severities, words) in [
            (&[Fine][..], "nothing is wrong"),
            (&[Fine, Warning], "nothing is wrong, 1 warning"),
            (&[Error, Error], "2 errors"),
            (&[Error, Warning, Warning], "1 error, 2 warnings"),
        ] {
            let findings: Vec<Finding> = severities.iter().map(|one| a(*one)).collect();
            assert_eq!(sum(&findings), words);
        }
    }
}
