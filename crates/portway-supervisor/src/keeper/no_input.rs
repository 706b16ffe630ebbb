//! Systems on which the supervisor cannot write to the standard input of a service. The keeper holds the
//! pipe.

use std::io;

use super::{InputKind, TaskInput};

/// The standard input of a service. There is none.
#[derive(Debug)]
pub(crate) enum ServiceInput {}

impl ServiceInput {
    pub(crate) fn is_terminal(&self) -> bool {
        match *self {}
    }

    pub(crate) async fn write(&self, _bytes: &[u8]) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn resize(&self, _rows: u16, _columns: u16) {
        match *self {}
    }
}

/// Returns how a keeper creates the standard input of its command.
pub(super) fn task_input(input: InputKind) -> TaskInput {
    match input {
        InputKind::Empty => TaskInput::Empty,
        InputKind::Pipe | InputKind::Terminal => TaskInput::Pipe,
    }
}
