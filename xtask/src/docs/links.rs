//! Links between the Markdown files of the repository, and between the pages of the book. Pure
//! functions.
//!
//! A relative link must name an existing file, and its fragment an anchor of that file. Links with
//! a scheme (`https:`) are not checked, because the tests run offline.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// The links and anchors of a file.
#[derive(Debug, Default)]
pub(super) struct Page {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Page {
    /// Read Markdown.
    pub(super) fn markdown(text: &str) -> Self {
        Self {
            links: links(text),
            anchors: anchors(text),
        }
    }

    /// Read HTML as mdBook writes it.
    pub(super) fn html(text: &str) -> Self {
        let values = |attribute: &str| -> Vec<String> {
            let rests = text.split(attribute).skip(1);
            rests
                .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
                .collect()
        };
        let mut links = values(" href=\"");
        links.extend(values(" src=\""));
        Self {
            links,
            anchors: values(" id=\"").into_iter().collect(),
        }
    }
}

/// Describe every broken link. `exists` says whether a path names a file or directory of any kind.
pub(super) fn broken(
    pages: &BTreeMap<PathBuf, Page>,
    exists: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let mut messages = Vec::new();
    for (file, page) in pages {
        for link in &page.links {
            if let Err(reason) = check(file, link, pages, &exists) {
                messages.push(format!("{}: `{link}` {reason}", file.display()));
            }
        }
    }
    messages
}

fn check(
    file: &Path,
    link: &str,
    pages: &BTreeMap<PathBuf, Page>,
    exists: &impl Fn(&Path) -> bool,
) -> Result<(), &'static str> {
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    if has_scheme(link) {
        return Ok(());
    }
    let target = if path.is_empty() {
        file.to_owned()
    } else {
        let parent = file.parent().unwrap_or(Path::new(""));
        normalize(&parent.join(path)).ok_or("leaves the repository")?
    };
    if !exists(&target) {
        return Err("names no file");
    }
    match pages.get(&target) {
        Some(page) if !fragment.is_empty() && !page.anchors.contains(fragment) => {
            Err("names no anchor")
        }
        _ => Ok(()),
    }
}

/// Whether a link is a URL: letters, then a colon.
fn has_scheme(link: &str) -> bool {
    link.split_once(':')
        .is_some_and(|(scheme, _)| scheme.chars().all(|letter| letter.is_ascii_alphabetic()))
}

/// Resolve `.` and `..` without reading the disk. `None` if the path leaves the repository.
fn normalize(path: &Path) -> Option<PathBuf> {
    let mut normalized = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                if !normalized.pop() {
                    return None;
                }
            }
            Component::Normal(name) => normalized.push(name),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normalized)
}

/// The lines of a text, without those in fenced code blocks.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut fence: Option<&str> = None;
    text.lines().filter(move |line| {
        let start = line.trim_start();
        match fence {
            Some(mark) => {
                if start.starts_with(mark) {
                    fence = None;
                }
                false
            }
            None => {
                fence = ["```", "~~~"]
                    .into_iter()
                    .find(|mark| start.starts_with(mark));
                fence.is_none()
            }
        }
    })
}

/// The targets of all links: `[text](target)`, `[text](target "title")`, and `[name]: target`.
fn links(text: &str) -> Vec<String> {
    // Inline code and links may continue on the next line.
    let text = without_code(&lines(text).collect::<Vec<_>>().join("\n"));
    let target = |rest: &str| {
        let end = rest.find(|letter: char| letter == ')' || letter.is_whitespace());
        rest[..end.unwrap_or(rest.len())].to_owned()
    };
    let inline = text.split("](").skip(1).map(target);
    let reference = text.lines().filter_map(|line| {
        let (_, rest) = line.strip_prefix('[')?.split_once("]:")?;
        Some(target(rest.trim_start()))
    });
    inline
        .chain(reference)
        .filter(|target| !target.is_empty())
        .collect()
}

/// Replace inline code with nothing.
fn without_code(text: &str) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        result.push_str(&rest[..start]);
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let mark = "`".repeat(ticks);
        let after = &rest[start + ticks..];
        match after.find(&mark) {
            Some(end) => rest = &after[end + ticks..],
            // Not closed, so not code.
            None => rest = after,
        }
    }
    result + rest
}

/// The anchors of all headings, as GitHub and mdBook make them, and of `<a id="…">`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in lines(text) {
        for rest in line.split(" id=\"").skip(1) {
            anchors.extend(rest.split_once('"').map(|(id, _)| id.to_owned()));
        }
        let heading = line.trim_start_matches('#');
        let level = line.len() - heading.len();
        if !(1..=6).contains(&level) || !heading.starts_with(' ') {
            continue;
        }
        let anchor = anchor(heading.trim());
        let count = counts.entry(anchor.clone()).or_default();
        anchors.insert(match *count {
            0 => anchor,
            count => format!("{anchor}-{count}"),
        });
        *count += 1;
    }
    anchors
}

/// The anchor of a heading: lower case, punctuation removed, spaces as hyphens.
fn anchor(heading: &str) -> String {
    // Only the text of a link in a heading counts.
    let mut text = String::new();
    let mut parts = heading.split("](");
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        text.push_str(part.split_once(')').map_or("", |(_, rest)| rest));
    }
    text.chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            letter if letter.is_alphanumeric() => Some(letter),
            _ => None,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_all(files: &[(&str, &str)]) -> Vec<String> {
        let files: BTreeMap<PathBuf, Page> = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), Page::markdown(text)))
            .collect();
        let others = [Path::new("LICENSE"), Path::new("docs")];
        broken(&files, |path| {
            files.contains_key(path) || others.contains(&path)
        })
    }

    #[test]
    fn accepts_files_directories_anchors_and_urls() {
        let readme = "[a](docs/a.md) [b](docs/a.md#two-words) [c](docs) [d](LICENSE)\n\
                      [e](https://example.org/#x) [f](mailto:a@example.org) [g](#here)\n# Here";
        let page = "# Title\n## Two `words`!\n[up](../README.md)";
        assert_eq!(
            check_all(&[("README.md", readme), ("docs/a.md", page)]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn reports_missing_files_and_anchors() {
        let text = "[a](b.md) [a](#none)\n\n[c]: d.md\n[e](../x.md)";
        assert_eq!(
            check_all(&[("a.md", text)]),
            [
                "a.md: `b.md` names no file",
                "a.md: `#none` names no anchor",
                "a.md: `../x.md` leaves the repository",
                "a.md: `d.md` names no file"
            ]
        );
    }

    #[test]
    fn ignores_code() {
        let text = "```toml\n[a](b.md)\n```\n`[c](d.md)` and ``[e](f.md)``";
        assert!(check_all(&[("a.md", text)]).is_empty());
    }

    #[test]
    fn numbers_headings_that_repeat() {
        let anchors = anchors("# A B\n# A B\n## [C d](e.md)\n#### Not, here?\n#no heading");
        assert_eq!(
            anchors,
            ["a-b", "a-b-1", "c-d", "not-here"]
                .map(str::to_owned)
                .into()
        );
    }

    #[test]
    fn checks_links_between_html_pages() {
        let page = |text: &str| Page::html(text);
        let pages = BTreeMap::from([
            (
                PathBuf::from("a.html"),
                page("<a href=\"b/c.html#d\"></a> <a href=\"b/c.html#e\"></a> <img src=\"f.svg\">"),
            ),
            (PathBuf::from("b/c.html"), page("<h1 id=\"d\"></h1>")),
        ]);
        assert_eq!(
            broken(&pages, |path| pages.contains_key(path)),
            [
                "a.html: `b/c.html#e` names no anchor",
                "a.html: `f.svg` names no file"
            ]
        );
    }
}
