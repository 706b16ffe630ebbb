//! Services of compose files: their containers as services of an instance, and an override for people
//! who use `docker compose up`.
//!
//! `run` is the command of such a service, `pull` its prepare step, `exec` runs a command in its
//! container. `engine` finds the program that runs containers, and says what is missing.

mod container;
pub(crate) mod engine;
mod example_env;
mod override_file;
mod pull;
mod run;

pub(crate) use self::container::container_of;
pub use self::container::exec;
pub use self::engine::NAMES as ENGINES;
pub(crate) use self::example_env::is_set;
pub use self::override_file::{ComposeOverride, override_file};
pub use self::pull::pull;
pub(crate) use self::run::exit_code;
pub use self::run::{RunOptions, run};

/// The exit code of a command whose engine does not run containers. The supervisor does not restart it.
const NO_ENGINE: u8 = 125;
