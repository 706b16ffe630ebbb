//! The question that commands ask after they have shown what they are about to change.

use portway_api::ErrorCode;
use portway_app::error::CommandError;

use crate::ui;

/// Asks whether to proceed. Fails if no user can answer, which includes that the output is `json`.
pub(super) fn proceed(json: bool) -> Result<bool, CommandError> {
    if json || !ui::is_interactive() {
        return Err(CommandError::new(
            ErrorCode::Refused,
            "cannot ask for confirmation: standard input is not a terminal",
        )
        .hint("add `--yes` to proceed without asking, or `--dry-run` to see the changes"));
    }
    Ok(ui::confirm("proceed?"))
}
