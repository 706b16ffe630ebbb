//! Executes planned steps.

use std::fs;
use std::io;
use std::path::Path;

use portway_api::{TrustState, TrustStep};
use portway_registry::replace_file;

use super::command::{StoreError, last_line, run};
use super::contents::contains;
use super::steps::{Action, Step};

/// Returns the planned result of a step without executing it. `present` is whether the root must be
/// in the store afterwards.
pub(crate) fn preview(step: &Step, present: bool) -> TrustStep {
    let state = if step.unavailable.is_some() {
        TrustState::Unavailable
    } else if contains(&step.store, &step.root).is_ok_and(|is_present| is_present == present) {
        TrustState::AlreadyDone
    } else if step.needs_root {
        TrustState::NeedsRoot
    } else {
        TrustState::Planned
    };
    TrustStep {
        store: step.store.to_string(),
        former: None,
        commands: step.actions.iter().map(Action::shell_command).collect(),
        state,
        message: step.unavailable.clone(),
    }
}

/// Executes a step, unless its store is already as required or cannot be changed.
pub(crate) fn execute(step: &Step, present: bool) -> TrustStep {
    let mut result = preview(step, present);
    if result.state != TrustState::Planned {
        return result;
    }
    result.message = execute_actions(step, present)
        .err()
        .map(|error| error.to_string());
    result.state = match result.message {
        None => TrustState::Done,
        Some(_) => TrustState::Failed,
    };
    result
}

fn execute_actions(step: &Step, present: bool) -> Result<(), StoreError> {
    for action in &step.actions {
        if let Err(error) = execute_action(action) {
            for action in &step.rollback {
                let _ = execute_action(action);
            }
            return Err(StoreError::Action {
                command: action.shell_command(),
                source: Box::new(error),
            });
        }
    }
    // A successful exit code does not prove that the store has changed.
    match contains(&step.store, &step.root) {
        Ok(is_present) if is_present == present => Ok(()),
        Ok(_) => Err(StoreError::Unchanged),
        Err(error) => Err(StoreError::Unreadable(Box::new(error))),
    }
}

fn execute_action(action: &Action) -> Result<(), StoreError> {
    let result = match action {
        Action::Copy { from, to } => copy(from, to),
        Action::Remove(file) => match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
        Action::Run(command) => {
            let output = run(command)?;
            if output.status.success() {
                return Ok(());
            }
            return Err(StoreError::Program(last_line(&output)));
        }
    };
    Ok(result?)
}

/// Copies a file and makes it readable for all users, regardless of the umask.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let text = fs::read(from)?;
    replace_file(to, &text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(to, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
