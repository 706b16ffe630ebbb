//! Aligned columns, shortened to the width of the terminal.

use std::io::{self, IsTerminal};

use comfy_table::{Table, presets};

/// The spaces between two columns.
const GAP: usize = 2;

/// A column that is shortened if a table is wider than the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flexible {
    /// The index of the column.
    column: usize,
    /// The width that remains, in characters.
    min: usize,
    /// Whether the start of the text is omitted, as for a path.
    keeps_end: bool,
}

impl Flexible {
    /// A text whose start matters, such as a command.
    pub(super) const fn text(column: usize, min: usize) -> Self {
        Self {
            column,
            min,
            keeps_end: false,
        }
    }

    /// A path, whose end matters.
    pub(super) const fn path(column: usize, min: usize) -> Self {
        Self {
            column,
            min,
            keeps_end: true,
        }
    }
}

/// Aligns rows in columns without borders. On a terminal, shortens `flexible` columns, the first one
/// first, until the rows fit. In a pipe, nothing is shortened.
pub(super) fn columns(rows: Vec<Vec<String>>, indent: &str, flexible: &[Flexible]) -> String {
    let width = terminal_width().map(|width| width.saturating_sub(indent.len()));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_rows(match width {
        Some(width) => fit(rows, width, flexible),
        None => rows,
    });
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP as u16));
    }
    table
        .lines()
        .map(|line| format!("{indent}{}\n", line.trim_end()))
        .collect()
}

/// Returns the columns of the terminal that shows standard output; `None` if it is not a terminal.
fn terminal_width() -> Option<usize> {
    let stdout = io::stdout();
    // A terminal without a size has 0 columns.
    stdout
        .is_terminal()
        .then(|| terminal_size::terminal_size_of(&stdout))?
        .map(|(width, _)| usize::from(width.0))
        .filter(|width| *width > 0)
}

fn fit(mut rows: Vec<Vec<String>>, available: usize, flexible: &[Flexible]) -> Vec<Vec<String>> {
    let length = |text: &str| text.chars().count();
    let width = |rows: &[Vec<String>], column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| length(cell)).max().unwrap_or(0)
    };
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let used: Vec<usize> = (0..count)
        .map(|column| width(&rows, column))
        .filter(|width| *width > 0)
        .collect();
    let total = used.iter().sum::<usize>() + GAP * used.len().saturating_sub(1);
    let mut excess = total.saturating_sub(available);
    for one in flexible {
        let now = width(&rows, one.column);
        let new = now.saturating_sub(excess).max(one.min);
        if excess == 0 || new >= now {
            continue;
        }
        for cell in rows.iter_mut().filter_map(|row| row.get_mut(one.column)) {
            *cell = shortened(cell, new, one.keeps_end);
        }
        excess -= now - new;
    }
    rows
}

fn shortened(text: &str, max: usize, keeps_end: bool) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let kept = max.saturating_sub(1);
    match keeps_end {
        true => std::iter::once('…')
            .chain(text.chars().skip(count - kept))
            .collect(),
        false => text.chars().take(kept).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        vec![
            row(["PORT", "COMMAND", "DIRECTORY", ""]),
            row(["9000", "python3 -m http.server", "/home/me/src/jobi", ""]),
        ]
    }

    #[test]
    fn shortens_columns_in_their_order_until_the_rows_fit() {
        let flexible = [Flexible::text(1, 10), Flexible::path(2, 9)];
        let second = |width: usize| fit(rows(), width, &flexible)[1].join("|");
        assert_eq!(second(47), "9000|python3 -m http.server|/home/me/src/jobi|");
        assert_eq!(second(46), "9000|python3 -m http.serv…|/home/me/src/jobi|");
        assert_eq!(second(35), "9000|python3 -…|/home/me/src/jobi|");
        assert_eq!(second(30), "9000|python3 -…|…me/src/jobi|");
        // A header is never shortened.
        assert_eq!(second(1), "9000|python3 -…|…src/jobi|");
        assert_eq!(
            fit(rows(), 1, &flexible)[0].join("|"),
            "PORT|COMMAND|DIRECTORY|"
        );
    }

    #[test]
    fn aligns_columns_without_trailing_spaces() {
        let rows = vec![
            vec!["a".to_owned(), "ready".to_owned(), String::new()],
            vec!["longer".to_owned(), "x".to_owned(), String::new()],
        ];
        assert_eq!(columns(rows, "  ", &[]), "  a       ready\n  longer  x\n");
    }
}
