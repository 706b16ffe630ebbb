//! The plan of a run: a pure function from a seed to actions. The outcome also depends on the
//! machine; the plan does not.

use std::fmt;
use std::time::Duration;

/// The services of every checkout.
pub(crate) const SERVICES: [&str; 2] = ["api", "web"];

/// The size of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Some seconds, for the tests.
    Short,
    /// Minutes, with a thousand restarts.
    Long,
}

/// Everything that one run does.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The seed from which it was made.
    pub seed: u64,
    /// The number of checkouts.
    pub checkouts: usize,
    /// Carried out one after the other. After each, all instances recover and are checked.
    pub rounds: Vec<Round>,
}

/// What happens at the same time.
#[derive(Debug, PartialEq)]
pub struct Round {
    /// The actions of each checkout, carried out in order.
    pub actions: Vec<Vec<Action>>,
    /// Offset of the clock in checkouts with a fake clock, in seconds.
    pub clock_offset: i64,
    /// Whether another process competes for ports.
    pub has_competitor: bool,
    /// No action starts after this time. A busy machine completes fewer of them.
    pub limit: Duration,
}

/// Something that happens to one checkout. Services are indices into [`SERVICES`].
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run a command until it exits.
    Run(PortwayCommand),
    /// Kill a command after a delay.
    KillCommand(PortwayCommand, Duration),
    /// Kill a command while it writes `.ports.json`.
    KillWhileWriting(PortwayCommand),
    /// Pause `portway detect` while it writes `.ports.json`. Meanwhile another process takes the
    /// checkout's ports, and `portway up` gets other ones.
    RaceDetectWithUp,
    /// Pause a command for a while.
    PauseCommand(PortwayCommand, Pause),
    /// Start `portway up` in the foreground and leave it running.
    StartForeground,
    /// Inject a fault into a process of the instance.
    Inject(ProcessRole, Fault),
    /// Kill the keeper of a service and the supervisor at the same time.
    KillKeeperAndSupervisor(usize),
    /// Set how a service behaves from its next start.
    SetBehavior(usize, String),
    /// Make a running service do something.
    Trigger(usize, &'static str),
    /// Write a port of the run's block into `.ports.json`, as a user does.
    ForcePort(usize, u16),
    /// Copy the `.ports.json` of another checkout, as a user does.
    CopyPortsFile(usize),
    /// Delete the directory of the running instance, prune, and check it out again.
    DeleteCheckout,
    /// Run commands at the same time, some of them paused for a while.
    RunConcurrently(Vec<(PortwayCommand, Option<Pause>)>),
    /// Restart a service a number of times.
    RestartRepeatedly(usize, usize),
    /// Do nothing for a while.
    Idle(Duration),
}

/// A command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortwayCommand {
    /// `up --detach`
    Up,
    /// `down`
    Down,
    /// `down --now`
    DownNow,
    /// `restart SERVICE`
    Restart(usize),
    /// `detect`
    Detect,
    /// `env`
    Env,
    /// `exec -- true`
    Exec,
    /// `doctor`
    Doctor,
    /// `prune --yes`
    Prune,
    /// `leases`
    Leases,
    /// `who PORT`, with the port's index in the block
    Who(u16),
    /// `logs`
    Logs,
}

impl PortwayCommand {
    /// The arguments, with `--json` if the command has it. `port` returns a port of the block.
    pub(crate) fn arguments(self, port: impl Fn(u16) -> u16) -> Vec<String> {
        let line = match self {
            Self::Up => "up --detach --json".to_owned(),
            Self::Down => "down".to_owned(),
            Self::DownNow => "down --now".to_owned(),
            Self::Restart(service) => format!("restart {}", SERVICES[service]),
            Self::Detect => "detect --json".to_owned(),
            Self::Env => "env --json".to_owned(),
            Self::Exec => "exec -- true".to_owned(),
            Self::Doctor => "doctor --json".to_owned(),
            Self::Prune => "prune --yes --json".to_owned(),
            Self::Leases => "leases --json".to_owned(),
            Self::Who(index) => format!("who {} --json", port(index)),
            Self::Logs => "logs --json".to_owned(),
        };
        line.split(' ').map(str::to_owned).collect()
    }
}

/// SIGSTOP after a delay, then SIGCONT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long the process runs before.
    pub delay: Duration,
    /// How long it is stopped.
    pub duration: Duration,
}

/// A process of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessRole {
    /// The supervisor.
    Supervisor,
    /// The keeper of a service.
    Keeper(usize),
    /// The first process of a service.
    Service(usize),
}

/// A fault to inject into a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT after this time.
    Pause(Duration),
}

/// The number of ports in the block that the services of a run share.
pub(crate) const PORTS: u16 = 80;

impl Plan {
    /// The plan of a seed.
    pub fn new(seed: u64, length: Length) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (checkouts, rounds, actions, seconds) = match length {
            Length::Short => (3, 2, 4, 3),
            Length::Long => (6, 8, 8, 120),
        };
        let mut rounds: Vec<Round> = (0..rounds)
            .map(|_| Round {
                actions: (0..checkouts)
                    .map(|_| (0..actions).map(|_| action(&mut rng, checkouts)).collect())
                    .collect(),
                // Up to thirty years, forwards and backwards.
                clock_offset: rng.i64(-946_000_000..946_000_000),
                has_competitor: rng.u8(..4) != 0,
                limit: Duration::from_secs(seconds),
            })
            .collect();
        // All of one service, spread over the rounds.
        let restarts = match length {
            Length::Short => rng.usize(4..10),
            Length::Long => 1000,
        };
        let (checkout, service) = (rng.usize(..checkouts), rng.usize(..SERVICES.len()));
        let count = rounds.len();
        for round in &mut rounds {
            round.actions[checkout]
                .push(Action::RestartRepeatedly(service, restarts.div_ceil(count)));
        }
        Self {
            seed,
            checkouts,
            rounds,
        }
    }
}

fn action(rng: &mut fastrand::Rng, checkouts: usize) -> Action {
    let service = rng.usize(..SERVICES.len());
    match rng.u32(..100) {
        0..18 => Action::Run(command(rng)),
        18..28 => Action::KillCommand(allocating_command(rng), micros(rng, 60_000)),
        28..31 => Action::KillWhileWriting(allocating_command(rng)),
        31 => Action::RaceDetectWithUp,
        32..38 => Action::PauseCommand(allocating_command(rng), pause(rng)),
        38..42 => Action::StartForeground,
        42..50 => {
            let role = match rng.u8(..3) {
                0 => ProcessRole::Supervisor,
                1 => ProcessRole::Keeper(service),
                _ => ProcessRole::Service(service),
            };
            let fault = match rng.u8(..6) {
                0..4 => Fault::Kill,
                4 => Fault::Terminate,
                _ => Fault::Pause(micros(rng, 500_000)),
            };
            Action::Inject(role, fault)
        }
        50..54 => Action::KillKeeperAndSupervisor(service),
        54..68 => Action::SetBehavior(service, behavior(rng)),
        68..80 => Action::Trigger(
            service,
            rng.choice([
                "exit", "abort", "hang", "flood", "rebind", "fork", "plain", "setsid", "stubborn",
            ])
            .unwrap_or("exit"),
        ),
        80..84 => Action::ForcePort(service, rng.u16(..PORTS)),
        84..87 => Action::CopyPortsFile(rng.usize(..checkouts)),
        87..90 => Action::DeleteCheckout,
        90..95 => {
            let member = |_| (allocating_command(rng), rng.bool().then(|| pause(rng)));
            Action::RunConcurrently((0..3 + service * 3).map(member).collect())
        }
        _ => Action::Idle(micros(rng, 300_000)),
    }
}

fn pause(rng: &mut fastrand::Rng) -> Pause {
    Pause {
        delay: micros(rng, 60_000),
        duration: micros(rng, 500_000),
    }
}

fn micros(rng: &mut fastrand::Rng, limit: u64) -> Duration {
    Duration::from_micros(rng.u64(..limit))
}

/// Any command.
fn command(rng: &mut fastrand::Rng) -> PortwayCommand {
    match rng.u32(..20) {
        0..6 => allocating_command(rng),
        6..8 => PortwayCommand::Down,
        8 => PortwayCommand::DownNow,
        9..12 => PortwayCommand::Restart(rng.usize(..SERVICES.len())),
        12 => PortwayCommand::Exec,
        13 => PortwayCommand::Doctor,
        14 | 15 => PortwayCommand::Prune,
        16 => PortwayCommand::Leases,
        17 => PortwayCommand::Who(rng.u16(..PORTS)),
        18 => PortwayCommand::Logs,
        _ => PortwayCommand::Env,
    }
}

/// A command that chooses ports.
fn allocating_command(rng: &mut fastrand::Rng) -> PortwayCommand {
    match rng.u32(..8) {
        0..4 => PortwayCommand::Up,
        4..6 => PortwayCommand::Detect,
        6 => PortwayCommand::Env,
        _ => PortwayCommand::Exec,
    }
}

/// The behavior of a service, as `service/main.rs` describes it.
fn behavior(rng: &mut fastrand::Rng) -> String {
    let milliseconds = rng.u32(..300);
    let host = ["127.0.0.1", "::1", "0.0.0.0", "::"][rng.usize(..4)];
    match rng.u32(..15) {
        0 => format!("slow {milliseconds}"),
        1 => "exit 0".to_owned(),
        2 => "exit 3".to_owned(),
        3 => format!("crash {milliseconds}"),
        4 | 5 => format!("host {host}"),
        6 => "no-reuse".to_owned(),
        7 => "ignore-signals".to_owned(),
        8 => "daemonize".to_owned(),
        9 => "wrong-port".to_owned(),
        10 => "flood".to_owned(),
        11 => "plain setsid stubborn".to_owned(),
        12 => format!("stubborn ignore-signals slow {milliseconds}"),
        13 => format!("flood host {host} slow {milliseconds}"),
        _ => String::new(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, round) in self.rounds.iter().enumerate() {
            writeln!(
                f,
                "round {number}: clock offset {} s{}",
                round.clock_offset,
                if round.has_competitor {
                    ", with a competitor for ports"
                } else {
                    ""
                }
            )?;
            for (checkout, actions) in round.actions.iter().enumerate() {
                writeln!(f, "  c{checkout}")?;
                for action in actions {
                    writeln!(f, "    {action:?}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_plan() {
        for seed in 0..50 {
            assert_eq!(
                Plan::new(seed, Length::Short),
                Plan::new(seed, Length::Short)
            );
        }
        assert_ne!(
            Plan::new(1, Length::Short).to_string(),
            Plan::new(2, Length::Short).to_string()
        );
    }

    #[test]
    fn a_long_plan_restarts_a_service_a_thousand_times() {
        let plan = Plan::new(7, Length::Long);
        let actions = plan.rounds.iter().flat_map(|round| round.actions.concat());
        let restarts = actions.map(|action| match action {
            Action::RestartRepeatedly(_, count) => count,
            _ => 0,
        });
        assert!(restarts.sum::<usize>() >= 1000);
    }
}
