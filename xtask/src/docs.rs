//! `cargo xtask docs`: generate the reference pages from the code, check the links of all Markdown
//! files, and build the documentation as a book.

mod links;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use self::links::Page;
use crate::command::root;
use crate::generate;
use crate::tools::Tool;

/// Builds the book. Installed without its server and search, which would double the installation
/// time.
pub(crate) const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    options: &["--debug", "--no-default-features"],
};

/// Write the schemas and `docs/src/reference/` from the code, then build the book.
pub(crate) fn update() -> Result<(), String> {
    generate::schema()?;
    generate::reference()?;
    check()
}

/// Check the links of all Markdown files, build `docs/` into `target/book`, and check the links of
/// the book. Warnings of mdBook are errors.
pub(crate) fn check() -> Result<(), String> {
    report(links::broken(&markdown_files()?, |path| {
        root().join(path).exists()
    }))?;
    build()?;
    let book = book();
    report(links::broken(&html_files(&book)?, |path| {
        book.join(path).exists()
    }))
}

/// The directory of the built book.
fn book() -> PathBuf {
    root().join("target/book")
}

fn report(broken: Vec<String>) -> Result<(), String> {
    if broken.is_empty() {
        Ok(())
    } else {
        Err(format!("broken links:\n{}", broken.join("\n")))
    }
}

fn build() -> Result<(), String> {
    let mdbook = MDBOOK.ensure()?;
    let mut command = Command::new(mdbook);
    command
        .args(["build", "docs", "--dest-dir"])
        .arg(book())
        // At this level it prints warnings and errors, and nothing else.
        .env("MDBOOK_LOG", "warn")
        .current_dir(root())
        .stdin(Stdio::null());
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    let messages = [output.stdout, output.stderr].concat();
    if output.status.success() && messages.is_empty() {
        return Ok(());
    }
    Err(format!(
        "mdBook reports problems in `docs`:\n{}",
        String::from_utf8_lossy(&messages)
    ))
}

/// The Markdown files that git tracks, by their paths from the root.
fn markdown_files() -> Result<BTreeMap<PathBuf, Page>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--", "*.md"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout);
    let paths = names.split('\0').filter(|name| !name.is_empty());
    paths
        .map(|name| Ok((name.into(), Page::markdown(&read(&root().join(name))?))))
        .collect()
}

/// The pages below a directory, by their paths from there. Without the page for unknown addresses,
/// which links to the root of a server.
fn html_files(directory: &Path) -> Result<BTreeMap<PathBuf, Page>, String> {
    let mut pending = vec![PathBuf::new()];
    let mut pages = BTreeMap::new();
    while let Some(inside) = pending.pop() {
        let path = directory.join(&inside);
        let entries = std::fs::read_dir(&path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        for entry in entries.flatten() {
            let (path, inside) = (entry.path(), inside.join(entry.file_name()));
            if path.is_dir() {
                pending.push(inside);
            } else if path.extension().is_some_and(|ending| ending == "html")
                && inside != Path::new("404.html")
            {
                let page = Page::html(&read(&path)?);
                pages.insert(inside, page);
            }
        }
    }
    Ok(pages)
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read `{}`: {error}", path.display()))
}
