//! What editors get: tests of the schema of the manifest and of the extension for VS Code, and its package.

use std::fs;
use std::process::Command;

use crate::command::{cargo, output, root, run};
use crate::package::{VERSION, cannot, copy, target_dir};
use crate::setup::npm_packages;

/// The directory with the tests and the tools that they run.
const TESTS: &str = "tests/editors";

/// Run the tests with Node.
pub(crate) fn test() -> Result<(), String> {
    // With the features of the whole workspace, as in the other tests, so that nothing is compiled twice.
    run(&mut cargo("build --quiet --workspace --bin portway"))?;
    let temporary = target_dir().join("tmp/editors");
    fs::create_dir_all(&temporary).map_err(|error| cannot("create", &temporary, &error))?;
    run(Command::new("npm")
        .args(["test", "--prefix"])
        .arg(root().join(TESTS))
        .env("PORTWAY_BIN", target_dir().join("debug/portway"))
        .env("PORTWAY_TEST_TMP", temporary)
        .env("npm_config_update_notifier", "false"))
}

/// Pack the extension for VS Code, with the tool of its store, into the directory of the packages.
pub(crate) fn package() -> Result<(), String> {
    npm_packages("editor tests", TESTS)?;
    let packages = target_dir().join("packages");
    let stage = packages.join("vscode");
    let _ = fs::remove_dir_all(&stage);
    let files = output(
        Command::new("git")
            .args(["ls-files", "integrations/vscode"])
            .current_dir(root()),
    )?;
    for path in files.lines() {
        let name = path.trim_start_matches("integrations/vscode/");
        copy(&root().join(path), &stage.join(name), 0o644)?;
    }
    copy(
        &root().join("LICENSE-MIT"),
        &stage.join("LICENSE.txt"),
        0o644,
    )?;
    let file = packages.join(format!("portway-{VERSION}.vsix"));
    let packed = Command::new("node")
        .arg(root().join(TESTS).join("node_modules/@vscode/vsce/vsce"))
        .args(["package", "--no-dependencies", "--out"])
        .arg(&file)
        .current_dir(&stage)
        .status()
        .map_err(|error| format!("cannot run node: {error}"))?;
    fs::remove_dir_all(&stage).map_err(|error| cannot("remove", &stage, &error))?;
    if !packed.success() {
        return Err(format!("vsce failed ({packed})"));
    }
    println!("{}", file.display());
    Ok(())
}
