//! Tests of networks with real processes. Each runs as root and as an ordinary user if it is started by
//! root, and otherwise as the user who starts it.

#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "panics and messages are the reports of tests"
)]

mod identity;
mod lifetime;
mod listeners;
mod outbound;
mod relay;
mod support;
mod udp;
