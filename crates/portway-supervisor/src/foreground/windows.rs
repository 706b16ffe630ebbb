//! Windows: the command belongs to the job of this process, which ends with this process.

use std::io;

use tokio::process::{Child, Command};

use super::{ForegroundConfig, ForegroundExit};
use crate::state::ExitStatus;

/// A command in the foreground.
pub struct Foreground {
    config: ForegroundConfig,
    child: Child,
}

impl Foreground {
    /// Starts the command.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub fn start(config: ForegroundConfig) -> io::Result<Self> {
        crate::become_reaper()?;
        let (program, arguments) = config
            .command
            .split_first()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        let child = Command::new(program)
            .args(arguments)
            .envs(&config.env)
            .spawn()?;
        Ok(Self { config, child })
    }

    /// Waits until the command has exited and nothing that it started is left.
    ///
    /// # Errors
    /// When the system fails to wait.
    pub async fn wait(&mut self) -> io::Result<ForegroundExit> {
        let status = self.child.wait().await?;
        let stuck = crate::stop_descendants(self.config.grace).await;
        let status = ExitStatus::Code(status.code().unwrap_or(1));
        Ok(ForegroundExit { status, stuck })
    }

    /// Does nothing: the console has sent its event to the command too.
    pub fn terminate(&self) {}

    /// Does nothing: the console has sent its event to the command too.
    pub fn hang_up(&self) {}
}
