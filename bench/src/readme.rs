//! Results go between their marks in `bench/README.md`; the words around stay.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::chart::{self, Bar};

/// Writes a section's results and prints them.
pub(crate) fn write(bench: &Path, name: &str, text: &str) -> Result<()> {
    println!("\n{text}");
    let path = bench.join("README.md");
    let old = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let new = replaced(&old, name, text)
        .ok_or_else(|| format!("{}: no marks for `{name}`", path.display()))?;
    fs::write(&path, new).map_err(|error| format!("{}: {error}", path.display()))
}

/// Draws and writes a picture of bars; answers with its Markdown.
pub(crate) fn picture(
    bench: &Path,
    name: &str,
    title: &str,
    unit: &str,
    bars: &[Bar],
) -> Result<String> {
    drawn(bench, name, title, &chart::svg(title, unit, bars))
}

/// Writes a picture that is drawn; answers with its Markdown.
pub(crate) fn drawn(bench: &Path, name: &str, title: &str, svg: &str) -> Result<String> {
    let dir = bench.join("pictures");
    let path = dir.join(format!("{name}.svg"));
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&path, svg))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(format!("![{title}](pictures/{name}.svg)\n"))
}

fn replaced(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = old.find(&begin)? + begin.len();
    let to = from + old[from..].find(&end)?;
    Some(format!("{}{text}{}", &old[..from], &old[to..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let new = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n";
        assert_eq!(replaced(old, "x", "new\n").unwrap(), new);
        assert_eq!(replaced(old, "y", ""), None);
    }
}
