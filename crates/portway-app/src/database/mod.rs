//! A database for each linked worktree: names and addresses for the wiring, the step that creates the
//! databases at the first start, and what `portway prune` does with those of deleted checkouts.
//!
//! Portway creates and drops databases with the client programs of each server. It records each database
//! that it created, and never uses or drops another one.

mod client;
mod create;
mod describe;
mod empty;
mod mysql;
mod postgres;
mod program_paths;
pub(crate) mod record;
mod remove;
mod sqlite;
mod tables;
mod wire;

pub use create::{COMMAND, create};
pub(crate) use describe::{OwnVariable, own_variables};
pub(crate) use empty::guard;
pub use empty::{RUN_IF_EMPTY, run_if_empty};
pub(crate) use remove::drop_one;
pub(crate) use wire::{add_step, assign, is_needed};
