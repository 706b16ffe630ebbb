//! Actions that take resources from Portway: its state, and descriptors.

use std::fs;

use super::{Checkout, delete};
use crate::Result;
use crate::plan::{PortwayCommand, StatePart};

impl Checkout<'_> {
    pub(super) fn delete_state(&mut self, part: StatePart) {
        let state = self.env.state_dir();
        let instance = self.env.instance(&self.dir());
        self.env.mark_state_deleted();
        match (part, instance) {
            (StatePart::All, _) => delete(&state),
            (StatePart::Instance, Some(instance)) => {
                delete(&self.env.instances_dir().join(instance.id));
            }
            (StatePart::Instance, None) => {}
            (StatePart::Registry, _) => {
                for suffix in ["db", "db-wal", "db-shm", "lock"] {
                    // An error means that it does not exist.
                    let _ = fs::remove_file(state.join(format!("registry.{suffix}")));
                }
            }
        }
    }

    /// Run a command that may open only `limit` files. A supervisor that it starts keeps the limit.
    pub(super) fn run_with_descriptors(
        &mut self,
        command: PortwayCommand,
        limit: u64,
    ) -> Result<()> {
        self.was_limited = true;
        let arguments = command.arguments(|index| self.env.ports.port(index));
        let command = self.env.start_limited(&self.dir(), &arguments, limit)?;
        self.finish_or_interrupt(command)
    }
}
