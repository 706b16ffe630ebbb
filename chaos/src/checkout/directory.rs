//! Actions that delete, move, and replace the directory of a running instance.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::{Checkout, delete};
use crate::Result;
use crate::invariants::commands;
use crate::plan::PortwayCommand;

impl Checkout<'_> {
    pub(super) fn delete_checkout(&mut self) -> Result<()> {
        // The main checkout contains the repository of all worktrees.
        if self.number == 0 {
            return Ok(());
        }
        delete(&self.dir());
        let result = self.env.run(&self.env.path(""), "prune --yes --json")?;
        self.check(&result, self.conditions());
        if let Some(foreground) = self.foreground.take() {
            foreground.signal(Signal::INT);
            let violation = commands::evaluate_any(&foreground.finish()?);
            self.violations
                .record("commands exit as documented", violation);
        }
        delete(&self.dir());
        self.add_worktree()
    }

    pub(super) fn move_checkout(&mut self, command: PortwayCommand) -> Result<()> {
        let (dir, moved) = (self.dir(), self.beside("moved"));
        // The main checkout contains the repository, in which git must not work while it moves.
        let _lock = (self.number == 0).then(|| self.env.lock_git());
        rename(&dir, &moved)?;
        let arguments = command.arguments(|index| self.env.ports.port(index));
        let command = self.env.start(&moved, &arguments)?;
        let result = self.finish_or_interrupt(command);
        rename(&moved, &dir)?;
        result
    }

    pub(super) fn replace_checkout(&mut self, command: PortwayCommand) -> Result<()> {
        // The main checkout contains the repository of all worktrees.
        if self.number == 0 {
            return Ok(());
        }
        let (dir, old) = (self.dir(), self.beside("old"));
        rename(&dir, &old)?;
        self.add_worktree()?;
        self.finish_or_interrupt(self.start(command)?)?;
        delete(&old);
        Ok(())
    }

    /// Check the worktree out again. An instance may still run in the previous directory.
    fn add_worktree(&mut self) -> Result<()> {
        self.was_replaced = true;
        // The new directory has no `.ports.json` until its first start.
        self.was_edited = true;
        self.env.add_worktree(self.number)
    }

    /// A directory next to the checkout. Its name ends like that of the checkout, which decides
    /// whether commands have a fake clock.
    fn beside(&self, prefix: &str) -> PathBuf {
        self.env.path(&format!("{prefix}-c{}", self.number))
    }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| format!("cannot rename `{}`: {error}", from.display()))
}
