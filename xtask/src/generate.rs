//! Files that the tests write from the code, with `PORTWAY_UPDATE=1`.

use crate::command::{cargo, run};

/// Update the JSON schema of the manifest and the OpenAPI description.
pub(crate) fn schema() -> Result<(), String> {
    for test in [
        "test --quiet --package portway-project --lib schema",
        "test --quiet --package portway-gateway --lib openapi",
    ] {
        run(cargo(test).env("PORTWAY_UPDATE", "1"))?;
    }
    Ok(())
}

/// Update the reference pages of the documentation.
pub(crate) fn reference() -> Result<(), String> {
    run(cargo("test --quiet --package portway --test it reference::").env("PORTWAY_UPDATE", "1"))
}
