//! The supervisor's end of a service's standard input: of a pipe or of a terminal.
//!
//! The keeper holds the same end, so that the service's input stays open after the supervisor was killed.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};

use super::{InputKind, TaskInput};
use crate::platform;

/// The standard input of a service. If it is a terminal, it is its output, too.
#[derive(Debug)]
pub(crate) struct ServiceInput {
    end: AsyncFd<OwnedFd>,
    is_terminal: bool,
}

impl ServiceInput {
    fn new(end: OwnedFd, is_terminal: bool) -> io::Result<Self> {
        // The keeper shares this setting. It only reads, after it has polled.
        rustix::io::ioctl_fionbio(&end, true)?;
        let interest = match is_terminal {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::WRITABLE,
        };
        Ok(Self {
            end: platform::watch(end, interest)?,
            is_terminal,
        })
    }

    /// Returns whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes all of `bytes`. Waits while the service does not read.
    pub(crate) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut guard = self.end.writable().await?;
            match guard.try_io(|end| Ok(rustix::io::write(end.get_ref(), bytes)?)) {
                Ok(Ok(count)) => bytes = &bytes[count..],
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
        Ok(())
    }

    /// Sets the size of the terminal, in characters. The kernel sends SIGWINCH to its processes.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        if self.is_terminal {
            // It fails only if the terminal was closed.
            let _ = platform::resize_terminal(self.end.get_ref(), rows, columns);
        }
    }
}

/// Reads what a service prints to its terminal.
#[derive(Debug)]
pub(super) struct TerminalOutput(pub(super) Arc<ServiceInput>);

impl AsyncRead for TerminalOutput {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.end.poll_read_ready(context))?;
            let free = buffer.initialize_unfilled();
            match guard.try_io(|end| Ok(rustix::io::read(end.get_ref(), free)?)) {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                // Linux reports the end in this way: no process has the terminal open.
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

/// The ends of a new input.
pub(super) struct Ends {
    /// What the keeper gets.
    pub(super) task: TaskInput,
    /// The supervisor's end.
    pub(super) own: Option<Arc<ServiceInput>>,
    /// The descriptors that the keeper inherits. Closed when it has started.
    _passed: Vec<OwnedFd>,
}

/// Creates the input of a command, and passes it to the keeper that `command` starts.
pub(super) fn create(command: &mut Command, input: InputKind) -> io::Result<Ends> {
    match input {
        InputKind::Empty => Ok(Ends {
            task: TaskInput::Empty,
            own: None,
            _passed: Vec::new(),
        }),
        InputKind::Pipe => {
            let (reader, writer) = io::pipe()?;
            let own = ServiceInput::new(writer.try_clone()?.into(), false)?;
            let reader = platform::inherit(command, reader.into())?;
            let writer = platform::inherit(command, writer.into())?;
            Ok(Ends {
                task: TaskInput::Pipe(reader.as_raw_fd(), writer.as_raw_fd()),
                own: Some(Arc::new(own)),
                _passed: vec![reader, writer],
            })
        }
        InputKind::Terminal => {
            let terminal = platform::open_terminal()?;
            let own = ServiceInput::new(terminal.try_clone()?, true)?;
            let passed = platform::inherit(command, terminal)?;
            Ok(Ends {
                task: TaskInput::Terminal(passed.as_raw_fd()),
                own: Some(Arc::new(own)),
                _passed: vec![passed],
            })
        }
    }
}
