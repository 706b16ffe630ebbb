//! Doing what was planned.

use std::fs;
use std::io;
use std::path::Path;

use portway_api::{TrustState, TrustStep};

use super::command::{last_line, run};
use super::contents::has;
use super::steps::{Act, Step};

/// What is going to become of a step, after which its root is in its store, or out of it (`wanted`).
pub(crate) fn outlook(step: &Step, wanted: bool) -> TrustStep {
    let state = if step.lacks.is_some() {
        TrustState::Unavailable
    } else if has(&step.store, &step.root) == Ok(wanted) {
        TrustState::AlreadyDone
    } else if step.needs_root {
        TrustState::NeedsRoot
    } else {
        TrustState::Planned
    };
    TrustStep {
        store: step.store.to_string(),
        former: None,
        commands: step.acts.iter().map(Act::shell).collect(),
        state,
        message: step.lacks.clone(),
    }
}

/// Does a step, where that is left to do.
pub(crate) fn carry_out(step: &Step, wanted: bool) -> TrustStep {
    let mut told = outlook(step, wanted);
    if told.state != TrustState::Planned {
        return told;
    }
    told.message = perform_all(step, wanted).err();
    told.state = match told.message {
        None => TrustState::Done,
        Some(_) => TrustState::Failed,
    };
    told
}

fn perform_all(step: &Step, wanted: bool) -> Result<(), String> {
    for act in &step.acts {
        if let Err(why) = perform(act) {
            for act in &step.back {
                let _ = perform(act);
            }
            return Err(format!("`{}` failed: {why}", act.shell()));
        }
    }
    // What a command says of itself is not enough to trust.
    match has(&step.store, &step.root) {
        Ok(is) if is == wanted => Ok(()),
        Ok(_) => Err("its commands went well and changed nothing".to_owned()),
        Err(why) => Err(format!("it cannot be looked through: {why}")),
    }
}

fn perform(act: &Act) -> Result<(), String> {
    let done = match act {
        Act::Copy { from, to } => copy(from, to),
        Act::Remove(file) => match fs::remove_file(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        },
        Act::Run(words) => {
            let output = run(words).map_err(|error| error.to_string())?;
            if output.status.success() {
                return Ok(());
            }
            return Err(last_line(&output));
        }
    };
    done.map_err(|error| error.to_string())
}

/// Copies a file for all to read, whatever this process's mask is.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let text = fs::read(from)?;
    fs::write(to, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(to, fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
