//! What users see: the binary, run in a sandbox of its own. One module per verb or promise.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)]

mod sandbox;

mod bad_input;
mod contention;
mod dashboard;
mod detect;
mod doctor;
mod excluded;
mod forced;
mod free;
mod gateway;
mod handover;
mod health;
mod init;
mod leases;
mod lifetime;
mod logs;
mod passed_over;
mod prepare;
mod redis;
mod running;
mod state;
mod trust;
mod up;
mod who;
mod wiring;
mod worktrees;
