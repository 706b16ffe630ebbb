//! Linux and macOS: the command runs below a keeper that shares the session of this process.

use std::io;

use super::{ForegroundConfig, ForegroundExit};
use crate::keeper::{Keeper, KeeperEvent, KeeperEvents, KeeperExit};
use crate::state::ExitStatus;
use crate::stuck::StuckProcess;
use crate::{orphans, remnants};

/// A command in the foreground.
pub struct Foreground {
    config: ForegroundConfig,
    keeper: Keeper,
    events: KeeperEvents,
    /// How the command has ended. Not local to [`Self::wait`], which is called again after each signal.
    status: Option<ExitStatus>,
    stuck: Vec<StuckProcess>,
}

impl Foreground {
    /// Starts the command.
    ///
    /// # Errors
    /// When the system refuses another process. [`Foreground::wait`] reports a missing program.
    pub fn start(config: ForegroundConfig) -> io::Result<Self> {
        crate::become_reaper()?;
        let (keeper, events) = Keeper::start_foreground(
            &config.command,
            &config.env,
            config.grace,
            &config.instance_dir,
            config.namespace.as_ref(),
        )?;
        Ok(Self {
            config,
            keeper,
            events,
            status: None,
            stuck: Vec::new(),
        })
    }

    /// Waits until the command has exited and nothing that it started is left. Can be canceled and called
    /// again.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub async fn wait(&mut self) -> io::Result<ForegroundExit> {
        loop {
            match self.events.next().await {
                KeeperEvent::Started(_) | KeeperEvent::DaemonFailed(_) => {}
                KeeperEvent::StartFailed(error) => return Err(error.into()),
                KeeperEvent::LeaderExited(exit) => self.status = Some(exit),
                KeeperEvent::Stuck(processes) => self.stuck = processes,
                KeeperEvent::KeeperExited(exit) => {
                    if exit == KeeperExit::Lost {
                        let dir = &self.config.instance_dir;
                        self.stuck = orphans::stop(self.config.grace, || false).await;
                        remnants::kill_groups(dir);
                        remnants::clean(dir);
                    }
                    let status = self.status.take().unwrap_or(ExitStatus::KILLED);
                    let stuck = std::mem::take(&mut self.stuck);
                    return Ok(ForegroundExit { status, stuck });
                }
            }
        }
    }

    /// Sends SIGTERM to the command.
    pub fn terminate(&self) {
        self.keeper.terminate();
    }

    /// Sends SIGHUP to the command.
    pub fn hang_up(&self) {
        self.keeper.hang_up();
    }
}
