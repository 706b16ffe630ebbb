//! Handles the requests of commands and of the gateway.

use super::{Request, Supervisor};
use crate::state::Input;

impl Supervisor {
    /// Starts, restarts or stops services as a command asked.
    pub(super) fn handle_request(&mut self, request: Request) {
        match request {
            Request::Stop(names) if names.is_empty() => self.stop_on_request(),
            Request::Kill => {
                self.stop_on_request();
                self.kill();
            }
            _ if self.stopping.is_some() => {}
            Request::Stop(names) => {
                for name in names {
                    self.step(&name, Input::Stop);
                }
            }
            Request::Release(names) => {
                for name in names {
                    self.release_ports(&name);
                }
            }
            Request::Restart(names) => {
                let names = if names.is_empty() {
                    self.config.services.clone()
                } else {
                    names
                };
                for name in names {
                    self.step(&name, Input::Restart);
                }
            }
            Request::Start(names) => {
                for name in self.config.plan.closure(&names).unwrap_or_default() {
                    if !self.config.services.contains(&name) {
                        self.config.services.push(name.clone());
                    }
                    self.step(&name, Input::Start);
                }
            }
        }
    }
}
