//! The section of the version in `CHANGELOG.md`.

use std::fs;

use crate::command::root;
use crate::package::{VERSION, cannot};

fn read() -> Result<String, String> {
    let file = root().join("CHANGELOG.md");
    fs::read_to_string(&file).map_err(|error| cannot("read", &file, &error))
}

/// What the changelog lacks.
pub(super) fn missing() -> Result<Vec<String>, String> {
    let text = read()?;
    let title = section(&text, VERSION).map(|(title, _)| title);
    let wanted = format!("## [{VERSION}] - YEAR-MONTH-DAY");
    Ok(match title {
        Some(title)
            if title
                .rsplit_once(" - ")
                .is_some_and(|(_, date)| is_date(date)) =>
        {
            Vec::new()
        }
        Some(_) => vec![format!(
            "the section of {VERSION} in CHANGELOG.md needs a date: `{wanted}`"
        )],
        None => vec![format!("CHANGELOG.md has no section `{wanted}`")],
    })
}

/// The changes of the version, or those that are not released yet.
pub(super) fn notes() -> Result<String, String> {
    let text = read()?;
    let found = section(&text, VERSION).or_else(|| section(&text, "Unreleased"));
    let (_, notes) = found.ok_or("CHANGELOG.md has no section `## [Unreleased]`")?;
    Ok(format!("{}\n", notes.trim()))
}

/// The title and the text of a section of the second level, which is for a version.
fn section<'a>(text: &'a str, version: &str) -> Option<(&'a str, &'a str)> {
    let start = format!("## [{version}]");
    let mut sections = text.split("\n## ").skip(1);
    // `split` has removed the start of each title.
    let found = sections.find(|section| section.starts_with(&start[3..]))?;
    Some(found.split_once('\n').unwrap_or((found, "")))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.trim().split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let all_digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    lengths == [4, 2, 2] && parts.iter().all(all_digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_section_of_a_version() {
        let text = "# Changelog\n\n## [Unreleased]\n\n## [0.10.0] - 2026-12-01\n\n### Added\n\n- a\n\n\
                    ## [0.1.0]\n- b\n";
        let found = section(text, "0.10.0").unwrap();
        assert_eq!(found, ("[0.10.0] - 2026-12-01", "\n### Added\n\n- a\n"));
        assert_eq!(section(text, "0.1.0").unwrap(), ("[0.1.0]", "- b\n"));
        assert_eq!(section(text, "0.1"), None);
    }

    #[test]
    fn a_date_has_three_numbers() {
        assert!(is_date("2026-12-01"));
        for text in ["", "soon", "2026-12", "26-12-01", "2026-12-xx"] {
            assert!(!is_date(text), "{text}");
        }
    }
}
