//! The plan of a run: a pure function from a seed to actions. The outcome also depends on the
//! machine; the plan does not.

mod random;

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
    /// The number of clients that connect to the gateway and stay silent.
    pub silent_clients: usize,
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
    /// Kill the supervisor and all keepers at the same time, as `killall -9` does. If true, the
    /// guard, too.
    KillPortway(bool),
    /// Kill the keeper of a service this long after a restart has started it.
    KillStartingKeeper(usize, Duration),
    /// Run a command while a process of the instance is suspended.
    RunWhileSuspended(ProcessRole, PortwayCommand),
    /// Run a command that may open only a number of files.
    LimitDescriptors(PortwayCommand, u64),
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
    /// Rename the directory of the running instance, run a command there, and rename it back.
    MoveCheckout(PortwayCommand),
    /// Rename the directory of the running instance, check out another one in its place, run a
    /// command there, and delete the renamed one.
    ReplaceCheckout(PortwayCommand),
    /// Delete a part of Portway's state.
    DeleteState(StatePart),
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

/// A part of Portway's state directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatePart {
    /// The database and its lock.
    Registry,
    /// The directory with the lock, the socket, and the logs of the instance.
    Instance,
    /// Everything, of all instances.
    All,
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

/// How many files the gateway of a run may open.
pub(crate) const GATEWAY_DESCRIPTORS: usize = 200;

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
                    .map(|_| {
                        (0..actions)
                            .map(|_| random::action(&mut rng, checkouts))
                            .collect()
                    })
                    .collect(),
                // Up to thirty years, forwards and backwards.
                clock_offset: rng.i64(-946_000_000..946_000_000),
                has_competitor: rng.u8(..4) != 0,
                // More than the gateway has descriptors for, fewer, or none.
                silent_clients: [2 * GATEWAY_DESCRIPTORS, 40, 0][rng.usize(..3)],
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

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, round) in self.rounds.iter().enumerate() {
            writeln!(
                f,
                "round {number}: clock offset {} s, {} silent clients{}",
                round.clock_offset,
                round.silent_clients,
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
