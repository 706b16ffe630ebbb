//! Which branch is checked out: `git switch` changes that under an instance that runs.

use std::path::Path;
use std::time::Duration;

use portway_project::Checkout;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Message;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);

/// Tells the supervisor whenever it is another branch than `known`, which was the last it heard of.
/// What cannot be read tells nothing, nor does a directory whose name is not Unicode.
pub(super) async fn follow(
    directory: String,
    mut known: Option<String>,
    mailbox: mpsc::UnboundedSender<Message>,
) {
    loop {
        sleep(EVERY).await;
        let directory = directory.clone();
        // Not by the supervisor itself: a disk may be slow, or away.
        let look = spawn_blocking(move || Checkout::read(Path::new(&directory)));
        let Ok(Ok(checkout)) = look.await else {
            continue;
        };
        let branch = checkout.branch().map(str::to_owned);
        if branch == known {
            continue;
        }
        known.clone_from(&branch);
        if mailbox.send(Message::Branch(branch)).is_err() {
            return;
        }
    }
}
