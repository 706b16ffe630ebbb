//! Templates: texts with names such as `@VERSION@`, which values replace.

use std::path::Path;

use super::{DESCRIPTION, HOMEPAGE, MAINTAINER, SUMMARY, VERSION, files};
use crate::command::root;

/// Reads a template below `packaging/` and fills it in: the names that each template may contain, and further
/// ones. A name without a value is an error.
pub(super) fn fill(path: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let file = root().join("packaging").join(path);
    let text = String::from_utf8(files::read(&file)?);
    let text = text.map_err(|error| format!("`{}`: {error}", file.display()))?;
    let common = [
        ("VERSION", VERSION),
        ("SUMMARY", SUMMARY),
        ("DESCRIPTION", DESCRIPTION),
        ("HOMEPAGE", HOMEPAGE),
        ("MAINTAINER", MAINTAINER),
    ];
    replace(&text, &[&common, values].concat()).map_err(|error| at(&file, &error))
}

fn at(file: &Path, error: &str) -> String {
    format!("`{}`: {error}", file.display())
}

/// Replaces each `@NAME@` by its value. A value may contain anything, as it is not searched for names.
fn replace(text: &str, values: &[(&str, &str)]) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('@') {
        result.push_str(before);
        match after.split_once('@') {
            Some((name, end)) if is_name(name) => {
                let value = values.iter().find(|(known, _)| *known == name);
                let (_, value) = value.ok_or_else(|| format!("`@{name}@` has no value"))?;
                result.push_str(value);
                rest = end;
            }
            _ => {
                result.push('@');
                rest = after;
            }
        }
    }
    Ok(result + rest)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_names_only() {
        let values = [("VERSION", "1.0"), ("LIST", "@VERSION@")];
        let replace = |text| replace(text, &values);
        assert_eq!(replace("v@VERSION@ @LIST@"), Ok("v1.0 @VERSION@".into()));
        assert_eq!(replace("a@b.c @version@"), Ok("a@b.c @version@".into()));
        assert_eq!(replace("x@ @VERSION@ @"), Ok("x@ 1.0 @".into()));
        assert_eq!(replace("@NAME@"), Err("`@NAME@` has no value".into()));
    }
}
