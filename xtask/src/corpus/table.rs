//! The page `docs/compatibility.md` from the records. Pure functions.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::list::{Repository, Set};
use super::record::{Record, Records};

/// The longest text of the last column, in characters.
const MISSING_LENGTH: usize = 140;

/// The whole page. `machine` describes the machine and its toolchains in one line.
pub(super) fn page(list: &[Repository], records: &Records, machine: &str) -> String {
    let mut page = String::from(HEAD);
    let measured = |set| list.iter().filter(move |r: &&Repository| r.set == set);
    let dates = records.values().map(|record| record.date.as_str());
    let runs = records.values().filter_map(|record| record.run.as_ref());
    let commits = records.values().map(|record| record.portway.as_str());
    let commits = commits.chain(runs.map(|run| run.portway.as_str()));
    let _ = writeln!(
        page,
        "Measured on {} with Portway at {}, on Linux with {machine}.\n",
        distinct(dates, ""),
        distinct(commits, "`"),
    );
    page.push_str("## Totals\n\n");
    page.push_str(
        "| half | repositories | found right | can run here | up | wired main | wired worktree |\n",
    );
    page.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for (set, name) in [(Set::Learn, "learn"), (Set::Measure, "measure")] {
        let records: Vec<_> = measured(set)
            .filter_map(|repository| records.get(&repository.title()))
            .collect();
        let _ = writeln!(page, "| {name} | {} |", totals(&records));
    }
    for (set, title) in [(Set::Measure, "Measure"), (Set::Learn, "Learn")] {
        let _ = writeln!(page, "\n## {title}\n");
        page.push_str("| repository | commit | found right | up | wired main | wired worktree | what is missing |\n");
        page.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
        for repository in measured(set) {
            let record = records.get(&repository.title());
            let _ = writeln!(page, "{}", row(repository, record));
        }
    }
    page
}

/// The different values in order, each between quotes.
fn distinct<'a>(values: impl Iterator<Item = &'a str>, quote: &str) -> String {
    let values: BTreeSet<&str> = values.filter(|value| !value.is_empty()).collect();
    let values: Vec<_> = values
        .iter()
        .map(|value| format!("{quote}{value}{quote}"))
        .collect();
    values.join(", ")
}

/// The columns of the totals, from the number of repositories on.
fn totals(records: &[&Record]) -> String {
    let count = |holds: &dyn Fn(&Record) -> bool| records.iter().filter(|r| holds(r)).count();
    let all = records.len();
    let right = count(&|record| record.differences.is_empty());
    let runs = |record: &Record, holds: fn(&super::record::Run) -> bool| {
        record.lacks.is_empty() && record.run.as_ref().is_some_and(holds)
    };
    let started = count(&|record| runs(record, |_| true));
    let part = |number: usize, whole: usize| {
        let percent = (100 * number + whole / 2).checked_div(whole).unwrap_or(0);
        format!("{number} ({percent} %)")
    };
    format!(
        "{all} | {} | {started} | {} | {} | {}",
        part(right, all),
        part(count(&|record| runs(record, |run| run.main.up)), started),
        part(
            count(&|record| runs(record, |run| run.main.is_wired())),
            started
        ),
        part(
            count(&|record| runs(record, |run| run.worktree.is_wired())),
            started
        ),
    )
}

fn row(repository: &Repository, record: Option<&Record>) -> String {
    let name = &repository.name;
    let title = repository.title();
    let link = format!("[{title}](https://github.com/{name})");
    let commit = repository.commit.get(..10).unwrap_or_default();
    let Some(record) = record else {
        return format!("| {link} | `{commit}` | not measured | – | – | – | |");
    };
    let right = if record.differences.is_empty() {
        "yes"
    } else {
        "no"
    };
    let mut columns = ["–"; 3];
    if let Some(run) = record.run.as_ref().filter(|_| record.lacks.is_empty()) {
        columns[0] = if run.main.up { "yes" } else { "no" };
        for (column, attempt) in [(1, &run.main), (2, &run.worktree)] {
            columns[column] = match (attempt.up, attempt.is_wired(), attempt.by_name) {
                (false, ..) => "–",
                (true, false, _) => "no",
                (true, true, true) => "by name",
                (true, true, false) => "yes",
            };
        }
    }
    let [up, main, worktree] = columns;
    let missing = missing(record);
    format!("| {link} | `{commit}` | {right} | {up} | {main} | {worktree} | {missing} |")
}

/// What is missing, in the words of Portway or of the check: what the machine lacks, or else the first
/// difference of the plan and the first problem of the run.
fn missing(record: &Record) -> String {
    let mut reasons: Vec<&str> = Vec::new();
    reasons.extend(record.differences.first().map(String::as_str));
    if record.lacks.is_empty() {
        let run = record.run.as_ref();
        let problems = run.map(|run| [&run.main.problems, &run.worktree.problems]);
        let mut problems = problems.into_iter().flatten().flatten();
        reasons.extend(problems.next().map(String::as_str));
        reasons.extend(run.and_then(|run| run.left.first()).map(String::as_str));
        if run.is_none() {
            reasons.push("not started yet");
        }
    } else {
        reasons.extend(record.lacks.iter().map(String::as_str));
    }
    cell(&reasons.join("; "))
}

/// A text as a cell of a table: one line, not too long, without characters with a meaning.
fn cell(text: &str) -> String {
    let words: Vec<_> = text.split_whitespace().map(without_directory).collect();
    let line = words.join(" ");
    let shown = if line.chars().count() > MISSING_LENGTH {
        let mut shown: String = line.chars().take(MISSING_LENGTH - 1).collect();
        // A code span that was cut would reach into the next column.
        if shown.matches('`').count() % 2 == 1 {
            shown.push('`');
        }
        shown + "…"
    } else {
        line
    };
    shown
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('[', "\\[")
}

/// A word without the directory of an absolute path, which says something about this machine only.
fn without_directory(word: &str) -> String {
    let start = word.trim_start_matches(['(', '`', '"', '\'']);
    match start.rsplit_once('/') {
        Some((_, name)) if start.starts_with('/') => {
            format!("{}{name}", &word[..word.len() - start.len()])
        }
        _ => word.to_owned(),
    }
}

const HEAD: &str = "\
# Compatibility

<!-- Generated by `cargo xtask corpus`. Do not edit. -->

This page shows how far a bare `portway up` gets in public repositories, without a `portway.toml` or any
other new file. Portway may be changed because of a repository of the half *learn*. The half *measure*
is only measured, and its repositories are replaced when one has been learned from.

| column | meaning |
| --- | --- |
| found right | `portway plan` agrees with a person who knows the repository: services, directories, commands, usual ports, order. Written down in `xtask/corpus.toml` before Portway was run. Optional services that nobody expects do not count. |
| up | `portway up --detach` ends within 8 minutes, installation included, and every service is ready |
| wired main | pages open in Chromium, all their requests to this machine go to ports of the same instance and succeed, and all connections of its services stay within the instance |
| wired worktree | the same in a git worktree beside it, while the main checkout runs; `by name` means through the names of the gateway |
| what is missing | the first reasons, in the words of Portway or of the check |

A dash means that it was not tried: the machine lacks what the project requires, by the rules in
`xtask/src/corpus/toolchain.rs`, or the project was not up. Repositories that the machine cannot run do not
count under *up* and *wired*.

A container engine of its own runs if Docker and slirp4netns are installed, and the measurement runs as
root after `cargo xtask setup`. It reaches no registry of images: whatever version of PostgreSQL, Redis,
MySQL, or MariaDB a Compose file names, it gets the one that Debian packages. A repository that needs
another image cannot run here.

To repeat it, install Node, Python, and Chromium, and run this command. It installs packages and runs
programs of these repositories, so use a disposable machine:

```console
$ cargo build && npm ci --prefix tests/browser && cargo xtask corpus
```

";

#[cfg(test)]
mod tests {
    use super::super::record::{Attempt, Run};
    use super::*;

    fn repository(name: &str, set: Set) -> Repository {
        Repository {
            name: name.to_owned(),
            commit: "0123456789012345678901234567890123456789".to_owned(),
            set,
            subdir: String::new(),
            services: Vec::new(),
        }
    }

    fn up() -> Attempt {
        Attempt {
            up: true,
            ..Attempt::default()
        }
    }

    fn ran(main: Attempt, worktree: Attempt) -> Record {
        Record {
            portway: "0a1b2c3".to_owned(),
            date: "2026-01-02".to_owned(),
            run: Some(Run {
                main,
                worktree,
                ..Run::default()
            }),
            ..Record::default()
        }
    }

    fn unwired() -> Attempt {
        Attempt {
            problems: vec!["the page requests localhost:8000".to_owned()],
            ..up()
        }
    }

    #[test]
    fn shows_each_state() {
        let by_name = Attempt {
            by_name: true,
            ..up()
        };
        let mut lacking = ran(Attempt::default(), Attempt::default());
        lacking.lacks = vec!["`php` is not installed".to_owned()];
        let wrong = Record {
            differences: vec!["`api` is not found".to_owned()],
            ..ran(up(), up())
        };
        let start = "| [a/b](https://github.com/a/b) | `0123456789` | ";
        for (record, rest) in [
            (Some(ran(up(), up())), "yes | yes | yes | yes |  |"),
            (Some(ran(up(), by_name)), "yes | yes | yes | by name |  |"),
            (
                Some(ran(up(), unwired())),
                "yes | yes | yes | no | the page requests localhost:8000 |",
            ),
            (
                Some(ran(Attempt::default(), Attempt::default())),
                "yes | no | – | – |  |",
            ),
            (Some(lacking), "yes | – | – | – | `php` is not installed |"),
            (Some(wrong), "no | yes | yes | yes | `api` is not found |"),
            (
                Some(Record::default()),
                "yes | – | – | – | not started yet |",
            ),
            (None, "not measured | – | – | – | |"),
        ] {
            let row = row(&repository("a/b", Set::Learn), record.as_ref());
            assert_eq!(row, format!("{start}{rest}"));
        }
    }

    #[test]
    fn counts_only_what_the_machine_can_run() {
        let mut lacking = ran(Attempt::default(), Attempt::default());
        lacking.lacks = vec!["no engine".to_owned()];
        lacking.differences = vec!["`api` is not found".to_owned()];
        let records = [ran(up(), up()), ran(up(), unwired()), lacking];
        assert_eq!(
            totals(&records.iter().collect::<Vec<_>>()),
            "3 | 2 (67 %) | 2 | 2 (100 %) | 2 (100 %) | 1 (50 %)"
        );
        assert_eq!(totals(&[]), "0 | 0 (0 %) | 0 | 0 (0 %) | 0 (0 %) | 0 (0 %)");
    }

    #[test]
    fn separates_both_halves() {
        let list = [
            repository("a/b", Set::Learn),
            repository("c/d", Set::Measure),
        ];
        let records = Records::from([("c/d".to_owned(), ran(up(), up()))]);
        let page = page(&list, &records, "Node 20");
        assert!(page.contains("| learn | 0 |"), "{page}");
        assert!(page.contains("| measure | 1 |"), "{page}");
        assert!(
            page.contains(
                "Measured on 2026-01-02 with Portway at `0a1b2c3`, on Linux with Node 20."
            ),
            "{page}"
        );
    }

    #[test]
    fn keeps_a_cell_within_its_column() {
        assert_eq!(cell("a | b\n<c>"), "a \\| b &lt;c>");
        let text = "no /home/ada/shop/.env: see (/tmp/x.log) and https://example.com/a";
        assert_eq!(cell(text), "no .env: see (x.log) and https://example.com/a");
        let long = cell(&format!("`{}`", "x".repeat(300)));
        assert_eq!(long.matches('`').count(), 2, "{long}");
        assert!(long.chars().count() <= MISSING_LENGTH + 1, "{long}");
    }
}
