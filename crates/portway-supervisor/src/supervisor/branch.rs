//! Watches which branch is checked out, because `git switch` changes it while the instance runs.

use std::path::Path;
use std::time::Duration;

use portway_project::Checkout;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Message;

const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Sends a message whenever the branch of `directory` differs from the last known one. Ignores a
/// checkout that cannot be read and a directory whose name is not Unicode.
pub(super) async fn watch(
    directory: String,
    mut last: Option<String>,
    mailbox: mpsc::UnboundedSender<Message>,
) {
    loop {
        sleep(POLL_INTERVAL).await;
        let directory = directory.clone();
        // Reading can block on a slow disk, so it must not happen in the supervisor's task.
        let checkout = spawn_blocking(move || Checkout::read(Path::new(&directory)));
        let Ok(Ok(checkout)) = checkout.await else {
            continue;
        };
        let branch = checkout.branch().map(str::to_owned);
        if branch == last {
            continue;
        }
        last.clone_from(&branch);
        if mailbox.send(Message::Branch(branch)).is_err() {
            return;
        }
    }
}
