//! A service with configurable misbehavior: `portway-chaos-service PORT`.
//!
//! It returns its identity as JSON to every request: `{"run": PORTWAY_RUN, "pid": N}`. The file
//! `$CHAOS_BEHAVIORS/CHECKOUT.SERVICE` sets its behavior at start, as words separated by spaces. A
//! request for `/do/WORD` triggers something later.
//!
//! ```text
//! start: slow MS, exit CODE, host ADDRESS, no-reuse, ignore-signals, daemonize, wrong-port, crash MS,
//!        descriptors N
//! both:  plain | setsid | stubborn (a child that stays), fork (a child with the socket), flood
//! later: exit, abort, hang, rebind, exhaust (all descriptors for a second)
//! ```

#![allow(
    clippy::exit,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::zombie_processes
)]

#[cfg(target_os = "linux")]
mod serve;

fn main() {
    #[cfg(target_os = "linux")]
    serve::main();
}
