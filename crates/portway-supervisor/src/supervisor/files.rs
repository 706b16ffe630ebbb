//! Watches whether the project's files have changed since they were applied.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{ChangedFiles, Message};

/// How often the files are checked. A request for the status also checks them.
const POLL_INTERVAL: Duration = Duration::from_secs(3);

/// Sends the files that have changed, again and again.
pub(super) async fn watch(changed_files: ChangedFiles, mailbox: mpsc::UnboundedSender<Message>) {
    loop {
        sleep(POLL_INTERVAL).await;
        let check = changed_files.clone();
        // Reading can block on a slow disk, so it must not happen in the supervisor's task.
        let Ok(files) = spawn_blocking(move || check()).await else {
            return;
        };
        if mailbox.send(Message::ChangedFiles(files)).is_err() {
            return;
        }
    }
}
