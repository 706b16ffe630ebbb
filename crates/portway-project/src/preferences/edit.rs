//! Edits one value in the text of a `config.toml`. Comments, order and blank lines stay.

use toml_edit::{DocumentMut, Item, Table, TableLike};

use super::{Key, PreferenceError};

/// Sets the value at `path` and returns the new text. `value` is written as on a command line.
///
/// # Errors
/// When the value is invalid, or the text is not TOML.
pub fn set(
    text: &str,
    key: &'static Key,
    path: &[String],
    value: &str,
) -> Result<String, PreferenceError> {
    let value = key.value_type.parse(value)?;
    let mut document = document(text)?;
    let path = written_path(&document, key, path);
    let Some((last, parents)) = path.split_last() else {
        return Ok(document.to_string());
    };
    let is_empty = document.is_empty();
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for part in parents {
        let entry = table.entry(part).or_insert_with(|| {
            let mut table = Table::new();
            // Only a table that contains values gets a header.
            table.set_implicit(true);
            Item::Table(table)
        });
        table = entry
            .as_table_like_mut()
            .ok_or_else(|| PreferenceError::new(format!("`{part}` is not a table"), FIX))?;
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
        // The comments of an otherwise empty file belong before the first value.
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

/// Removes the value at `path` and returns the new text, or `None` if there is no such value.
/// Comments stay.
///
/// # Errors
/// When the text is not TOML.
pub fn unset(
    text: &str,
    key: &'static Key,
    path: &[String],
) -> Result<Option<String>, PreferenceError> {
    let mut document = document(text)?;
    let path = written_path(&document, key, path);
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

/// How to fix a file that cannot be edited.
const FIX: &str = "fix the file with an editor";

/// The path under which the document has the key: its alias if the document uses that.
fn written_path(document: &DocumentMut, key: &Key, path: &[String]) -> Vec<String> {
    let alias = key.alias.filter(|alias| document.contains_key(alias));
    alias.map_or_else(|| path.to_owned(), |alias| vec![alias.to_owned()])
}

fn document(text: &str) -> Result<DocumentMut, PreferenceError> {
    text.parse()
        .map_err(|error: toml_edit::TomlError| PreferenceError::new(error.message(), FIX))
}

#[cfg(test)]
mod tests;
