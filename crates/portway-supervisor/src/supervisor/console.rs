//! The console of a service's process: its output as it arrives and its standard input, for the terminals
//! that are attached to it (`portway attach`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_api::{ErrorCode, ErrorInfo};
use tokio::sync::broadcast;

use super::Supervisor;
use crate::keeper::ServiceInput;

/// How many pieces of output a slow terminal may lag behind before it misses some.
const CAPACITY: usize = 256;

/// How many bytes of earlier output a terminal gets first, such as the prompt that waits for an answer.
const TAIL: usize = 4096;

/// The console of one process.
pub(super) struct Console {
    input: Option<Arc<ServiceInput>>,
    output: Mutex<Output>,
}

struct Output {
    tail: VecDeque<u8>,
    /// `None` after the end of the process.
    sender: Option<broadcast::Sender<Arc<[u8]>>>,
}

/// A terminal's connection to a console.
pub(crate) struct Attachment {
    /// The standard input of the service, if something can be written to it.
    pub(crate) input: Option<Arc<ServiceInput>>,
    /// The last output before the connection.
    pub(crate) recent: Vec<u8>,
    /// The output since then. It ends with the process.
    pub(crate) output: broadcast::Receiver<Arc<[u8]>>,
}

impl Console {
    pub(super) fn new(input: Option<Arc<ServiceInput>>) -> Self {
        let (sender, _) = broadcast::channel(CAPACITY);
        Self {
            input,
            output: Mutex::new(Output {
                tail: VecDeque::new(),
                sender: Some(sender),
            }),
        }
    }

    /// Passes on output of the process.
    pub(super) fn write(&self, bytes: &[u8]) {
        let mut output = self.output();
        let last = &bytes[bytes.len().saturating_sub(TAIL)..];
        output.tail.extend(last);
        let excess = output.tail.len().saturating_sub(TAIL);
        output.tail.drain(..excess);
        if let Some(sender) = &output.sender
            && sender.receiver_count() > 0
        {
            // Sending fails only if the last terminal has just left.
            let _ = sender.send(bytes.into());
        }
    }

    /// Ends all attachments, because the process has exited.
    pub(super) fn close(&self) {
        self.output().sender = None;
    }

    /// Connects a terminal. `None` if the process has exited.
    fn attach(&self) -> Option<Attachment> {
        let output = self.output();
        let receiver = output.sender.as_ref()?.subscribe();
        let mut recent: Vec<u8> = output.tail.iter().copied().collect();
        // It may start within a line, a character or an escape sequence.
        if recent.len() == TAIL
            && let Some(newline) = recent.iter().position(|&byte| byte == b'\n')
        {
            recent.drain(..=newline);
        }
        Some(Attachment {
            input: self.input.clone(),
            recent,
            output: receiver,
        })
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervisor {
    /// Connects a terminal to a service.
    pub(super) fn attach(&self, name: &str) -> Result<Attachment, ErrorInfo> {
        let service = self.services.get(name);
        let console = service.and_then(|service| service.console.as_ref());
        console
            .and_then(|console| console.attach())
            .ok_or_else(|| ErrorInfo {
                code: ErrorCode::NotRunning,
                message: format!("`{name}` has no running process"),
                place: None,
                hints: vec![
                    "run `portway ps` to see its state".into(),
                    format!("run `portway restart {name}` to start it"),
                ],
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_the_last_output_first() {
        let console = Console::new(None);
        console.write(b"hello\n> ");
        let mut attachment = console.attach().unwrap();
        assert_eq!(attachment.recent, b"hello\n> ");
        console.write(b"42\n");
        assert_eq!(&attachment.output.try_recv().unwrap()[..], b"42\n");
        console.close();
        let end = attachment.output.try_recv();
        assert_eq!(end, Err(broadcast::error::TryRecvError::Closed));
        assert!(console.attach().is_none());
    }

    #[test]
    fn the_last_output_is_limited_and_starts_with_a_line() {
        let console = Console::new(None);
        for number in 0..1000 {
            console.write(format!("line {number}\n").as_bytes());
        }
        let recent = console.attach().unwrap().recent;
        assert!(recent.len() <= TAIL);
        assert!(recent.starts_with(b"line "));
        console.write(&[b'x'; 3 * TAIL]);
        assert_eq!(console.attach().unwrap().recent.len(), TAIL);
    }
}
