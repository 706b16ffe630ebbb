//! One direction of a connection: from one socket to the other.
//!
//! Small data goes through a buffer that all connections share. When a read fills it, the direction
//! uses a pipe, through which the kernel moves data without copying it (`splice`), until it is idle.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown, recv, send, shutdown};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

/// The size of the shared buffer. A longer read counts as bulk data.
pub(super) const BUFFER_SIZE: usize = 64 * 1024;

/// The size of a pipe. The kernel lets each user have 64 MB of pipes.
const PIPE_SIZE: usize = 256 * 1024;

/// How many unused pipes are kept.
const MAX_SPARE_PIPES: usize = 8;

/// How much one direction moves before other connections have their turn.
const BUDGET: usize = 1024 * 1024;

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) socket: OwnedFd,
    /// Whether a read may return something. Events are reported once only.
    pub(super) is_readable: bool,
    /// Whether a write may succeed.
    pub(super) is_writable: bool,
    /// Whether the other side has closed its half, or everything.
    pub(super) is_closing: bool,
}

impl End {
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            is_readable: false,
            is_writable: true,
            is_closing: false,
        }
    }
}

/// Buffers that all connections share.
#[derive(Debug)]
pub(super) struct Buffers {
    bytes: Vec<u8>,
    spare: Vec<Pipe>,
}

#[derive(Debug)]
struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// What was read and not yet written, from `start`.
    pending: Vec<u8>,
    start: usize,
    pipe: Option<Pipe>,
    /// How many bytes are in the pipe.
    in_pipe: usize,
    /// Whether the source has no more data.
    is_at_end: bool,
    /// Whether the end was passed on, or the target accepts nothing any more.
    pub(super) is_done: bool,
}

/// Why a direction stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// It continues with the next event.
    Waiting,
    /// It has more to do after the other connections.
    Busy,
    /// The source was reset.
    Reset,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER_SIZE],
            spare: Vec::new(),
        }
    }

    fn take_pipe(&mut self) -> Option<Pipe> {
        self.spare.pop().or_else(|| {
            let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
            let (reader, writer) = pipe_with(flags).ok()?;
            // A smaller pipe works, too.
            let _ = fcntl_setpipe_size(&writer, PIPE_SIZE);
            Some(Pipe { reader, writer })
        })
    }

    fn keep_pipe(&mut self, pipe: Pipe) {
        if self.spare.len() < MAX_SPARE_PIPES {
            self.spare.push(pipe);
        }
    }
}

impl Flow {
    /// Moves as much as possible.
    pub(super) fn run(&mut self, from: &mut End, to: &mut End, buffers: &mut Buffers) -> Stopped {
        let mut budget = BUDGET;
        while !self.is_done {
            if self.start < self.pending.len() || self.in_pipe > 0 {
                if !to.is_writable {
                    return Stopped::Waiting;
                }
                match self.write(to) {
                    Ok(()) | Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => to.is_writable = false,
                    Err(_) => self.abandon(to),
                }
            } else if self.is_at_end {
                self.release_pipe(buffers);
                // Fails only if the other side has already closed everything.
                let _ = shutdown(&to.socket, Shutdown::Write);
                self.is_done = true;
            } else if !from.is_readable {
                self.release_pipe(buffers);
                return Stopped::Waiting;
            } else if budget == 0 {
                return Stopped::Busy;
            } else {
                match self.read(from, to, buffers) {
                    Ok(count) => budget = budget.saturating_sub(count),
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => from.is_readable = false,
                    Err(_) => return Stopped::Reset,
                }
            }
        }
        Stopped::Waiting
    }

    /// Writes what was read.
    fn write(&mut self, to: &End) -> Result<(), Errno> {
        if let Some(pipe) = self.pipe.as_ref().filter(|_| self.in_pipe > 0) {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            let (reader, count) = (&pipe.reader, self.in_pipe);
            self.in_pipe -= splice(reader, None, &to.socket, None, count, flags)?;
            return Ok(());
        }
        let rest = self.pending.get(self.start..).unwrap_or_default();
        self.start += send(&to.socket, rest, SendFlags::NOSIGNAL)?;
        if self.start >= self.pending.len() {
            // Most connections never have anything pending, so none keeps the memory.
            self.pending = Vec::new();
            self.start = 0;
        }
        Ok(())
    }

    /// Reads once, and writes at once what does not go through a pipe.
    fn read(
        &mut self,
        from: &mut End,
        to: &mut End,
        buffers: &mut Buffers,
    ) -> Result<usize, Errno> {
        if let Some(pipe) = &self.pipe {
            let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
            let count = splice(&from.socket, None, &pipe.writer, None, PIPE_SIZE, flags)?;
            self.in_pipe = count;
            self.is_at_end = count == 0;
            return Ok(count);
        }
        let (count, _) = recv(&from.socket, &mut buffers.bytes[..], RecvFlags::empty())?;
        if count == 0 {
            self.is_at_end = true;
            return Ok(0);
        }
        if count == BUFFER_SIZE {
            // Without a pipe, for example because no descriptor is free, the buffer does it.
            self.pipe = buffers.take_pipe();
        } else if !from.is_closing {
            // There was no more, and new data is a new event.
            from.is_readable = false;
        }
        let read = buffers.bytes.get(..count).unwrap_or_default();
        let written = match send(&to.socket, read, SendFlags::NOSIGNAL) {
            Ok(written) => written,
            Err(Errno::AGAIN) => {
                to.is_writable = false;
                0
            }
            Err(Errno::INTR) => 0,
            Err(_) => {
                self.abandon(to);
                return Ok(count);
            }
        };
        self.pending
            .extend_from_slice(read.get(written..).unwrap_or_default());
        Ok(count)
    }

    /// Discards what the target does not accept. It may still have something to say.
    fn abandon(&mut self, to: &mut End) {
        self.pending = Vec::new();
        self.start = 0;
        // A pipe with something in it cannot be used again.
        self.pipe = None;
        self.in_pipe = 0;
        self.is_done = true;
        to.is_readable = true;
        to.is_closing = true;
    }

    fn release_pipe(&mut self, buffers: &mut Buffers) {
        if let Some(pipe) = self.pipe.take() {
            buffers.keep_pipe(pipe);
        }
    }
}
