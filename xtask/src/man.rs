//! `cargo xtask man`: write the man pages, which a Portway for this machine makes from its command line.

use std::path::Path;

use crate::command::{cargo, root, run};

/// Write the pages into `target/man`.
pub(crate) fn update() -> Result<(), String> {
    write(&root().join("target/man"))
}

/// Write the pages into a directory, which is created.
pub(crate) fn write(dir: &Path) -> Result<(), String> {
    // With the features of the whole workspace, as in the tests, so that nothing is compiled twice.
    run(&mut cargo("build --quiet --workspace --bin portway"))?;
    run(cargo("run --quiet --workspace --bin portway -- __man").arg(dir))
}
