//! `cargo xtask docs`: generate the reference pages from the code, check the links of all Markdown
//! files, and build the documentation as a book.

mod links;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::root;
use crate::steps;
use crate::tools::Tool;

/// Makes the book. Without its server and search, which would double the time of its installation.
pub(crate) const MDBOOK: Tool = Tool {
    name: "mdbook",
    version: "0.5.4",
    options: &["--debug", "--no-default-features"],
};

/// Write the schemas and `docs/src/reference/` from the code, then build the book.
pub(crate) fn update() -> Result<(), String> {
    steps::schema()?;
    steps::reference()?;
    build()
}

/// Check links, then build `docs/` into `target/book`. Warnings of mdBook are errors.
pub(crate) fn build() -> Result<(), String> {
    let broken = links::broken(&markdown_files()?, |path| root().join(path).exists());
    if !broken.is_empty() {
        return Err(format!("broken links:\n{}", broken.join("\n")));
    }
    let mdbook = MDBOOK.ensure()?;
    let mut command = Command::new(mdbook);
    command
        .args(["build", "docs", "--dest-dir"])
        .arg(root().join("target/book"))
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

/// The text of every Markdown file that git tracks, by its path from the root.
fn markdown_files() -> Result<BTreeMap<PathBuf, String>, String> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--", "*.md"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cannot run git: {error}"))?;
    let names = String::from_utf8_lossy(&output.stdout);
    let paths = names.split('\0').filter(|name| !name.is_empty());
    paths
        .map(|name| {
            let text = std::fs::read_to_string(root().join(name));
            let text = text.map_err(|error| format!("cannot read `{name}`: {error}"))?;
            Ok((Path::new(name).to_owned(), text))
        })
        .collect()
}
