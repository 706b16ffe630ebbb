//! Readiness and liveness probes: tasks that repeat a request or a command and report the result.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_project::Launch;
use portway_project::plan::{Liveness, Probe, ReadinessProbe};
use portway_project::policy::StopSignal;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::Supervisor;
use super::effects::SUSPENSION;
use super::environment::environment;
use super::handle::Report;
use super::service::{Reporter, read_lines};
use crate::keeper::{InputKind, Keeper, KeeperConfig, KeeperEvent, KeeperStreams, Namespace};
use crate::probe::{self, PROBE_TIMEOUT, ProbeRequest};
use crate::state::Input;

/// The delay after the first failed readiness request. It doubles up to the maximum.
const FIRST_REQUEST_DELAY: Duration = Duration::from_millis(20);
const MAX_REQUEST_DELAY: Duration = Duration::from_millis(500);
/// The delay after the first failed readiness command. It doubles up to the maximum.
const FIRST_COMMAND_DELAY: Duration = Duration::from_millis(50);
const MAX_COMMAND_DELAY: Duration = Duration::from_secs(1);
/// How long a readiness command may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// The grace period of a probe's command.
const COMMAND_GRACE: Duration = Duration::from_millis(500);

impl Supervisor {
    pub(super) fn start_readiness_probe(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let mark = self.mark(name);
        let namespace = self.probe_namespace(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let probe = match &service.plan.readiness.probe {
            None => return,
            Some(ReadinessProbe::Log(_)) => return self.evaluate_log_pattern(name),
            Some(ReadinessProbe::Poll(probe)) => probe,
        };
        let task = if let Some(command) = &launch.readiness_command {
            let command = ProbeCommand::new(command, launch, mark, namespace);
            tokio::spawn(repeat_command(command, reporter))
        } else if let Some(request) = probe_request(probe, &ports, &launch.dir) {
            tokio::spawn(repeat_request(request, reporter))
        } else {
            return;
        };
        if let Some(previous) = service.readiness_probe.replace(task) {
            previous.abort();
        }
    }

    /// Completes the readiness probe once the pattern has matched and the service listens on its
    /// port, in either order.
    pub(super) fn evaluate_log_pattern(&mut self, name: &str) {
        let service = &self.services[name];
        if service.log_matched && !service.machine.awaits_listening() {
            self.step(name, Input::ReadinessProbeSucceeded);
        }
    }

    pub(super) fn start_liveness_probe(&mut self, name: &str) {
        let ports = self.config.ports.of(name).to_vec();
        let reporter = self.reporter(name);
        let mark = self.mark(name);
        let namespace = self.probe_namespace(name);
        let launch = &self.config.wiring.services[name];
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let Some(liveness) = service.plan.liveness.clone() else {
            return;
        };
        if service.liveness_probe.is_some() {
            return;
        }
        let request = probe_request(&liveness.probe, &ports, &launch.dir);
        let command = launch
            .liveness_command
            .as_ref()
            .map(|command| ProbeCommand::new(command, launch, mark, namespace));
        let task = tokio::spawn(check_liveness(liveness, request, command, reporter));
        service.liveness_probe = Some(task);
    }
}

impl Supervisor {
    /// Returns the network in which the probes of a service run.
    fn probe_namespace(&self, name: &str) -> Option<Arc<Namespace>> {
        let namespace = self.network_of(name)?.namespace();
        // Without a descriptor, the command would check another service.
        namespace.ok().map(Arc::new)
    }
}

/// Returns the request of a network probe; `None` for a command.
fn probe_request(probe: &Probe, ports: &[u16], dir: &Path) -> Option<ProbeRequest> {
    Some(match probe {
        Probe::Http { port, path } => ProbeRequest::Http {
            port: *ports.get(*port)?,
            path: path.clone(),
        },
        Probe::Tcp { port } => ProbeRequest::Tcp {
            port: *ports.get(*port)?,
        },
        Probe::Unix(path) => ProbeRequest::Unix {
            path: dir.join(path),
        },
        Probe::Exec(_) => return None,
    })
}

/// Repeats a readiness request until it succeeds.
async fn repeat_request(request: ProbeRequest, reporter: Reporter) {
    let mut delay = FIRST_REQUEST_DELAY;
    while !succeeds(&request, PROBE_TIMEOUT).await {
        sleep(delay).await;
        delay = (delay * 2).min(MAX_REQUEST_DELAY);
    }
    reporter.send(Report::ReadinessProbeSucceeded);
}

async fn succeeds(request: &ProbeRequest, timeout: Duration) -> bool {
    let response = probe::send(request, timeout).await;
    response.is_ok_and(|response| response.is_success())
}

/// Repeats a readiness command until it succeeds.
async fn repeat_command(command: ProbeCommand, reporter: Reporter) {
    let mut delay = FIRST_COMMAND_DELAY;
    while !command.run(COMMAND_TIMEOUT).await {
        sleep(delay).await;
        delay = (delay * 2).min(MAX_COMMAND_DELAY);
    }
    reporter.send(Report::ReadinessProbeSucceeded);
}

/// Repeats a liveness probe until the task is aborted.
async fn check_liveness(
    liveness: Liveness,
    request: Option<ProbeRequest>,
    command: Option<ProbeCommand>,
    reporter: Reporter,
) {
    let mut failures = 0;
    loop {
        sleep(liveness.interval).await;
        let started = Instant::now();
        let is_alive = match (&request, &command) {
            (_, Some(command)) => command.run(liveness.timeout).await,
            (Some(request), None) => succeeds(request, liveness.timeout).await,
            (None, None) => return,
        };
        // A supervisor that was suspended meanwhile does not know how long the probe took.
        if !is_alive && started.elapsed() > liveness.timeout + SUSPENSION {
            continue;
        }
        failures = if is_alive { 0 } else { failures + 1 };
        if is_alive || failures >= liveness.failures {
            reporter.send(Report::LivenessChecked(is_alive));
        }
    }
}

/// The command of a probe.
struct ProbeCommand {
    command: String,
    launch: Launch,
    mark: String,
    namespace: Option<Arc<Namespace>>,
}

impl ProbeCommand {
    fn new(
        command: &str,
        launch: &Launch,
        mark: String,
        namespace: Option<Arc<Namespace>>,
    ) -> Self {
        Self {
            command: command.to_owned(),
            launch: launch.clone(),
            mark,
            namespace,
        }
    }

    /// Runs the command once and returns whether it exited with code 0 within `limit`. It runs
    /// below its own keeper, so that it leaves no process behind.
    async fn run(&self, limit: Duration) -> bool {
        let namespace = self.namespace.as_ref().map(|one| one.try_clone());
        let Ok(namespace) = namespace.transpose() else {
            return false;
        };
        let config = KeeperConfig {
            command: self.command.clone(),
            dir: self.launch.dir.clone(),
            env: environment(&self.launch, &self.mark, false),
            stop_signal: StopSignal::Term,
            grace: COMMAND_GRACE,
            socket: None,
            input: InputKind::Empty,
            namespace,
        };
        let Ok((keeper, streams)) = Keeper::start(config) else {
            return false;
        };
        let KeeperStreams {
            out,
            err,
            mut events,
            ..
        } = streams;
        let drain = tokio::spawn(async move {
            tokio::join!(read_lines(out, drop), read_lines(err, drop));
        });
        let (sender, receiver) = oneshot::channel();
        // A separate task waits for the exit of the keeper, also when this future is dropped.
        tokio::spawn(async move {
            let mut sender = Some(sender);
            loop {
                let is_success = match events.next().await {
                    KeeperEvent::Started(_)
                    | KeeperEvent::DaemonFailed(_)
                    | KeeperEvent::Stuck(_) => continue,
                    KeeperEvent::LeaderExited(status) => status.is_success(),
                    KeeperEvent::StartFailed(_) => false,
                    KeeperEvent::KeeperExited(_) => break,
                };
                if let Some(sender) = sender.take() {
                    // Sending fails only when the result is no longer needed.
                    let _ = sender.send(is_success);
                }
            }
            drain.abort();
        });
        let is_success = timeout(limit, receiver).await;
        // Dropping the handle makes the keeper stop the remaining processes.
        drop(keeper);
        matches!(is_success, Ok(Ok(true)))
    }
}
