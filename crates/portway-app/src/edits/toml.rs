//! Portway's part of a TOML file: lines of scripts, and tables of an array. Comments and order stay.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::part::{Part, Problem};

/// A line of a script that a string contains.
#[derive(Clone, Debug)]
pub(crate) struct ScriptLine {
    /// The table and the key of the string.
    pub(crate) path: (&'static str, &'static str),
    pub(crate) line: &'static str,
}

/// A table of an array of tables.
#[derive(Clone, Debug)]
pub(crate) struct ArrayTable {
    /// The key of the array.
    pub(crate) array: &'static str,
    /// The key whose value identifies the table, and all keys with their values.
    pub(crate) id: &'static str,
    pub(crate) values: Vec<(&'static str, &'static str)>,
}

/// Portway's part of a TOML file.
#[derive(Clone, Debug)]
pub(crate) struct Scripts {
    /// The first lines of a file that does not exist yet.
    pub(crate) header: String,
    pub(crate) lines: Vec<ScriptLine>,
    pub(crate) tables: Vec<ArrayTable>,
}

impl Part for Scripts {
    fn put(&self, text: Option<&str>) -> Result<String, Problem> {
        let text = text.filter(|text| !text.trim().is_empty());
        let text = text.unwrap_or(&self.header);
        let mut document = parse(text)?;
        for line in &self.lines {
            put_line(&mut document, line)?;
        }
        for table in &self.tables {
            put_table(&mut document, table)?;
        }
        Ok(document.to_string())
    }

    fn take(&self, text: &str) -> Result<Option<String>, Problem> {
        let mut document = parse(text)?;
        for line in &self.lines {
            take_line(&mut document, line);
        }
        for table in &self.tables {
            take_table(&mut document, table);
        }
        let rest = document.to_string();
        let is_empty = rest.trim().is_empty() || rest.trim() == self.header.trim();
        Ok((!is_empty).then_some(rest))
    }
}

fn parse(text: &str) -> Result<DocumentMut, Problem> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line_start = |before: &str| before.rfind('\n').map_or(0, |at| at + 1);
        Problem {
            message: format!("it is not valid TOML: {}", error.message().trim()),
            line: before.map(|before| before.matches('\n').count() + 1),
            column: before.map(|before| before[line_start(before)..].chars().count() + 1),
            help: "fix the file with an editor".to_owned(),
        }
    })
}

fn not_a(what: &str, path: &str) -> Problem {
    Problem {
        message: format!("`{path}` is not {what}"),
        line: None,
        column: None,
        help: "change the file with an editor, or leave it out".to_owned(),
    }
}

fn put_line(document: &mut DocumentMut, line: &ScriptLine) -> Result<(), Problem> {
    let (table, key) = line.path;
    let entry = document.entry(table).or_insert(Item::Table(Table::new()));
    let table_like = entry
        .as_table_like_mut()
        .ok_or_else(|| not_a("a table", table))?;
    let script = match table_like.get(key) {
        None => line.line.to_owned(),
        Some(item) => {
            let script = item
                .as_str()
                .ok_or_else(|| not_a("a string", &format!("{table}.{key}")))?;
            if script.lines().any(|one| one.trim() == line.line) {
                return Ok(());
            }
            match script.trim_end() {
                "" => line.line.to_owned(),
                before => format!("{before}\n{}\n", line.line),
            }
        }
    };
    table_like.insert(key, value(script));
    Ok(())
}

fn take_line(document: &mut DocumentMut, line: &ScriptLine) {
    let (table, key) = line.path;
    let Some(table_like) = document.get_mut(table).and_then(Item::as_table_like_mut) else {
        return;
    };
    let Some(script) = table_like.get(key).and_then(Item::as_str) else {
        return;
    };
    if !script.lines().any(|one| one.trim() == line.line) {
        return;
    }
    let rest: String = script
        .split_inclusive('\n')
        .filter(|one| one.trim() != line.line)
        .collect();
    match rest.trim().is_empty() {
        true => drop(table_like.remove(key)),
        false => drop(table_like.insert(key, value(rest))),
    }
    if table_like.is_empty() {
        document.remove(table);
    }
}

fn is_own(table: &Table, own: &ArrayTable) -> bool {
    let id = own.values.iter().find(|(key, _)| *key == own.id);
    id.is_some_and(|(key, value)| table.get(key).and_then(Item::as_str) == Some(*value))
}

fn put_table(document: &mut DocumentMut, own: &ArrayTable) -> Result<(), Problem> {
    let entry = document
        .entry(own.array)
        .or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
    let array = entry
        .as_array_of_tables_mut()
        .ok_or_else(|| not_a("an array of tables", own.array))?;
    if array.iter().any(|table| is_own(table, own)) {
        return Ok(());
    }
    let mut table = Table::new();
    for (key, text) in &own.values {
        table.insert(key, value(*text));
    }
    array.push(table);
    Ok(())
}

fn take_table(document: &mut DocumentMut, own: &ArrayTable) {
    let Some(array) = document
        .get_mut(own.array)
        .and_then(Item::as_array_of_tables_mut)
    else {
        return;
    };
    array.retain(|table| !is_own(table, own));
    if array.is_empty() {
        document.remove(own.array);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Scripts {
        Scripts {
            header: "version = 1\n".to_owned(),
            lines: vec![ScriptLine {
                path: ("setup", "script"),
                line: "portway detect",
            }],
            tables: vec![ArrayTable {
                array: "actions",
                id: "command",
                values: vec![("name", "Start"), ("command", "portway up")],
            }],
        }
    }

    #[test]
    fn a_new_file_contains_only_the_part() {
        let text = part().put(None).unwrap();
        assert_eq!(
            text,
            "version = 1\n\n[setup]\nscript = \"portway detect\"\n\n[[actions]]\nname = \"Start\"\n\
             command = \"portway up\"\n"
        );
        assert_eq!(part().put(Some(&text)).unwrap(), text);
        assert_eq!(part().take(&text).unwrap(), None);
    }

    #[test]
    fn the_rest_of_a_file_stays_as_it_is() {
        let text = "# ours\nversion   = 2\n\n[setup] # first\nscript = '''\nnpm ci\n'''\n\n\
                    [[actions]]\nname = 'Test'\ncommand = 'npm test'\n";
        let put = part().put(Some(text)).unwrap();
        assert!(put.starts_with("# ours\nversion   = 2\n\n[setup] # first\n"));
        assert!(put.contains("name = 'Test'\n"), "{put}");
        let document: DocumentMut = put.parse().unwrap();
        assert_eq!(
            document["setup"]["script"].as_str(),
            Some("npm ci\nportway detect\n")
        );
        assert_eq!(part().put(Some(&put)).unwrap(), put);
        let taken: DocumentMut = part().take(&put).unwrap().unwrap().parse().unwrap();
        assert_eq!(taken["setup"]["script"].as_str(), Some("npm ci\n"));
        assert_eq!(taken["actions"].as_array_of_tables().unwrap().len(), 1);
    }

    #[test]
    fn an_invalid_file_is_an_error_with_its_place() {
        let problem = part().put(Some("a = 1\nb = = 2\n")).unwrap_err();
        assert_eq!((problem.line, problem.column), (Some(2), Some(5)));
        let problem = part().put(Some("setup = 1\n")).unwrap_err();
        assert_eq!(problem.message, "`setup` is not a table");
    }
}
