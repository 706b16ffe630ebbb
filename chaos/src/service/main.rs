//! A service that misbehaves: `portway-chaos-service PORT`.
//!
//! It answers every request with who it is, as JSON: `{"run": PORTWAY_RUN, "pid": N}`. How it
//! behaves at its start stands in its mood file, `$CHAOS_MOODS/CHECKOUT.SERVICE`, words with a blank
//! between them; what it does later, `/do/WORD` tells it.
//!
//! ```text
//! start: slow MS, die CODE, host ADDRESS, no-reuse, ignore, daemonize, stray, crash MS
//! both:  plain | setsid | stubborn (a child that stays), fork (a child with the socket), flood
//! later: exit, abort, hang, rebind
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
