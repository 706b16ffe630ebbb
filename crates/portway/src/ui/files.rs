//! Prints which files of the user change, and the lines that change.

use portway_api::{FileAction, FileChange};
use similar::{ChangeTag, TextDiff};

use super::sanitize::{lines, one_line};
use super::{BOLD, DIM, GREEN, RED, message, styled};

/// Unchanged lines before and after a change.
const CONTEXT: usize = 3;

/// Prints the changes with their lines.
pub(crate) fn file_changes(changes: &[FileChange], undo: bool) {
    for change in changes {
        message(&text(change));
    }
    let is_change = |one: &FileChange| !matches!(one.action, FileAction::Keep | FileAction::Skip);
    if !changes.iter().any(is_change) {
        let nothing = match undo {
            true => "nothing to remove\n",
            false => "everything is up to date\n",
        };
        message(nothing);
    }
}

fn text(change: &FileChange) -> String {
    let verb = match change.action {
        FileAction::Create => "create",
        FileAction::Change => "change",
        FileAction::Restore => "restore",
        FileAction::Delete => "delete",
        FileAction::Keep => return String::new(),
        FileAction::Skip => {
            let reason = change.reason.as_deref().unwrap_or_default();
            let line = format!("skip {}: {reason}", change.path);
            return format!("{}\n", styled(DIM, &one_line(&line)));
        }
    };
    let mut text = format!(
        "{}\n",
        styled(BOLD, &one_line(&format!("{verb} {}", change.path)))
    );
    let before = change.before.as_deref().unwrap_or_default();
    let after = change.after.as_deref().unwrap_or_default();
    let diff = TextDiff::from_lines(before, after);
    for (index, group) in diff.grouped_ops(CONTEXT).iter().enumerate() {
        if index > 0 {
            text.push_str(&format!("{}\n", styled(DIM, "  …")));
        }
        for line in group.iter().flat_map(|part| diff.iter_changes(part)) {
            let content = lines(line.value().trim_end_matches(['\n', '\r']));
            text.push_str(&match line.tag() {
                ChangeTag::Insert => format!("{}\n", styled(GREEN, &format!("+ {content}"))),
                ChangeTag::Delete => format!("{}\n", styled(RED, &format!("- {content}"))),
                ChangeTag::Equal => format!("  {content}\n"),
            });
        }
    }
    text
}
