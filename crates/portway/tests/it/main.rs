//! Tests of the binary, each in a sandbox. There is one module for each command or guarantee.
//!
//! On Windows only those modules run that need neither a Unix shell nor signals.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]
#![cfg_attr(
    windows,
    allow(
        dead_code,
        unused_imports,
        reason = "helpers for the tests of other systems"
    )
)]

mod run;
mod sandbox;

mod contention;
mod detect;
mod forced_ports;
mod forward;
mod gateway;
mod up;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
mod agents;
#[cfg(target_os = "linux")]
mod attach;
#[cfg(unix)]
mod broken_checkouts;
#[cfg(unix)]
mod changes;
#[cfg(unix)]
mod completions;
#[cfg(target_os = "linux")]
mod compose;
#[cfg(target_os = "linux")]
mod containers;
#[cfg(unix)]
mod dashboard;
#[cfg(target_os = "linux")]
mod databases;
#[cfg(unix)]
mod doctor;
#[cfg(target_os = "linux")]
mod engine;
#[cfg(unix)]
mod excluded_ports;
#[cfg(unix)]
mod free;
#[cfg(unix)]
mod handover;
#[cfg(unix)]
mod health;
#[cfg(unix)]
mod identity;
#[cfg(unix)]
mod init;
#[cfg(unix)]
mod invalid_input;
#[cfg(target_os = "linux")]
mod isolation;
#[cfg(target_os = "linux")]
mod lan;
#[cfg(unix)]
mod leases;
#[cfg(unix)]
mod lifetime;
#[cfg(unix)]
mod limits;
#[cfg(unix)]
mod logs;
#[cfg(unix)]
mod lost_state;
#[cfg(unix)]
mod mcp;
#[cfg(unix)]
mod only_if_empty;
#[cfg(target_os = "linux")]
mod overload;
#[cfg(unix)]
mod prepare;
#[cfg(unix)]
mod read_only;
#[cfg(unix)]
mod redis;
#[cfg(unix)]
mod reference;
#[cfg(unix)]
mod servers;
#[cfg(unix)]
mod silence;
#[cfg(unix)]
mod state;
#[cfg(target_os = "linux")]
mod texts;
#[cfg(unix)]
mod transcript;
#[cfg(unix)]
mod trust;
#[cfg(unix)]
mod unreadable_files;
#[cfg(unix)]
mod up_and_down;
#[cfg(target_os = "linux")]
mod users;
#[cfg(unix)]
mod who;
#[cfg(unix)]
mod wiring;
#[cfg(unix)]
mod worktrees;
