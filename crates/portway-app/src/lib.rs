//! The Portway application: one function or type per command.
//!
//! Input: a directory and plain option structs ([`options`]). Output: values of `portway-api`, or a
//! [`CommandError`](error::CommandError) with a stable code. Warnings, progress, log lines and
//! questions go to a [`Reporter`](reporter::Reporter) that the caller provides.
//!
//! This crate does not parse the command line, does not print and does not exit.

pub mod agents;
mod allocation;
pub mod browser;
pub mod completion;
pub mod compose;
pub mod config;
mod credentials;
pub mod database;
pub mod diagnostics;
mod dirs;
pub mod discover;
pub mod doctor;
pub mod edits;
mod env_files;
pub mod error;
pub mod exec;
pub mod explain;
pub mod free;
pub mod gateway;
pub mod health;
pub mod init;
pub mod inspect;
pub mod instance;
mod isolation;
pub mod leases;
mod mapping;
pub mod mcp;
mod missing;
pub mod options;
pub mod plan;
mod platform;
pub mod preferences;
mod project;
pub mod prune;
mod registry;
pub mod reporter;
pub mod run;
mod runtime;
pub mod shell;
mod toolchains;
pub mod trust;
mod unset;
pub mod wiring;
mod worktree;

pub use portway_supervisor::now;
