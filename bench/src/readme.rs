//! Writes results into `bench/README.md`, between marks. The text around them stays.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::chart::{self, Bar};

/// Print the results of a section and write them.
pub(crate) fn write_section(bench: &Path, name: &str, text: &str) -> Result<()> {
    println!("\n{text}");
    let path = bench.join("README.md");
    let old = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let new = replace_section(&old, name, text).ok_or_else(|| {
        format!(
            "{}: the marks of section `{name}` are missing",
            path.display()
        )
    })?;
    fs::write(&path, new).map_err(|error| format!("{}: {error}", path.display()))
}

/// Draw and write a bar chart. Returns the Markdown that shows it.
pub(crate) fn write_chart(
    bench: &Path,
    name: &str,
    title: &str,
    unit: &str,
    bars: &[Bar],
) -> Result<String> {
    write_picture(bench, name, title, &chart::svg(title, unit, bars))
}

/// Write a picture in SVG. Returns the Markdown that shows it.
pub(crate) fn write_picture(bench: &Path, name: &str, title: &str, svg: &str) -> Result<String> {
    let dir = bench.join("pictures");
    let path = dir.join(format!("{name}.svg"));
    fs::create_dir_all(&dir)
        .and_then(|()| fs::write(&path, svg))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(format!("![{title}](pictures/{name}.svg)\n"))
}

/// Replace the text between the marks of a section. `None` if a mark is missing.
fn replace_section(old: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let from = old.find(&begin)? + begin.len();
    let to = from + old[from..].find(&end)?;
    Some(format!("{}{text}{}", &old[..from], &old[to..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_only_the_text_between_the_marks() {
        let old = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let new = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n";
        assert_eq!(replace_section(old, "x", "new\n").unwrap(), new);
        assert_eq!(replace_section(old, "y", ""), None);
    }
}
