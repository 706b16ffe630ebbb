//! Changing one value in the text of a `config.toml`, with everything else as it was: comments,
//! order, blank lines.

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::Key;

/// The text with the value of `path` set. `value` is as a person types it on a command line.
///
/// # Errors
/// What is wrong with the value and what to write instead, or why the text cannot be changed.
pub fn set(
    text: &str,
    key: &'static Key,
    path: &[String],
    value: &str,
) -> Result<String, (String, String)> {
    let value = key
        .form
        .read_text(value)
        .map_err(|wrong| (wrong.message, wrong.help))?;
    let (mut document, last) = match (document(text)?, path.split_last()) {
        (document, Some((last, _))) => (document, last),
        (document, None) => return Ok(document.to_string()),
    };
    let is_empty = document.is_empty();
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in &path[..path.len() - 1] {
        let entry = table.entry(part).or_insert_with(|| {
            let mut table = Table::new();
            // Only a table that has values of its own gets a header.
            table.set_implicit(true);
            Item::Table(table)
        });
        table = entry
            .as_table_like_mut()
            .ok_or_else(|| (format!("`{part}` is no table"), "mend the file".to_owned()))?;
    }
    let mut new = value.to_toml();
    match table.get_mut(last).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(last, toml_edit::value(new));
        }
    }
    if is_empty {
        // Comments alone belong before the first value.
        document.set_trailing("");
        let newline = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        return Ok(format!("{text}{newline}{document}"));
    }
    Ok(document.to_string())
}

/// The text without a value for `path`, or `None` where it has none. Comments stay.
///
/// # Errors
/// Why the text cannot be changed.
pub fn unset(text: &str, path: &[String]) -> Result<Option<String>, (String, String)> {
    let mut document = document(text)?;
    let Some((last, parents)) = path.split_last() else {
        return Ok(None);
    };
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in parents {
        match table.get_mut(part).and_then(Item::as_table_like_mut) {
            Some(below) => table = below,
            None => return Ok(None),
        }
    }
    let Some(key) = table.key(last) else {
        return Ok(None);
    };
    let comments = key
        .leaf_decor()
        .prefix()
        .and_then(|prefix| prefix.as_str())
        .unwrap_or_default()
        .to_owned();
    let next = table
        .iter()
        .skip_while(|(name, _)| name != last)
        .find(|(name, item)| name != last && item.is_value())
        .map(|(name, _)| name.to_owned());
    table.remove(last);
    if comments.contains('#') {
        match next.and_then(|next| {
            table.key_mut(&next).map(|mut key| {
                let own = key.leaf_decor().prefix().and_then(|own| own.as_str());
                let both = format!("{comments}{}", own.unwrap_or_default());
                key.leaf_decor_mut().set_prefix(both);
            })
        }) {
            Some(()) => {}
            None => {
                let trailing = document.trailing().as_str().unwrap_or_default();
                let trailing = format!("{comments}{trailing}");
                document.set_trailing(trailing);
            }
        }
    }
    Ok(Some(document.to_string()))
}

fn document(text: &str) -> Result<DocumentMut, (String, String)> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| (error.message().to_owned(), "mend the file".into()))
}
