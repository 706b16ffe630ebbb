//! What is going to happen: a function from a seed to actions, and nothing else. What comes of it
//! depends on the machine; the plan does not.

use std::fmt;
use std::time::Duration;

/// The services of every checkout.
pub(crate) const SERVICES: [&str; 2] = ["api", "web"];

/// How much is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// For the tests: some seconds.
    Short,
    /// By hand: minutes, with a thousand restarts.
    Long,
}

/// Everything that one run does.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// What it was made from.
    pub seed: u64,
    /// How many checkouts are beaten.
    pub lanes: usize,
    /// One after the other; after each the world is brought to rest and looked at closely.
    pub rounds: Vec<Round>,
}

/// What happens at once.
#[derive(Debug, PartialEq)]
pub struct Round {
    /// For each checkout what happens there, one after the other.
    pub lanes: Vec<Vec<Action>>,
    /// How far the clock of the checkouts with a clock of their own is off from now on, in seconds.
    pub clock: i64,
    /// Whether somebody takes ports meanwhile.
    pub grabs: bool,
    /// After so long no further action is begun: a busy machine gets through fewer of them.
    pub limit: Duration,
}

/// One thing that happens to one checkout. Services are given by their index in [`SERVICES`].
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// A command, run to its end.
    Run(Verb),
    /// A command that is killed after so long.
    Cut(Verb, Duration),
    /// A command that is killed while it writes `.ports.json`.
    CutWrite(Verb),
    /// `portway detect` stands still while it writes `.ports.json`; meanwhile a stranger takes the
    /// ports that the checkout had, and `portway up` has others.
    Overtake,
    /// A command that stands still for a while.
    Pause(Verb, Pause),
    /// `portway up` in the foreground, left running.
    Foreground,
    /// A signal to a process of the instance.
    Signal(Whom, Blow),
    /// The keeper of a service and the supervisor killed in the same instant.
    KillTogether(usize),
    /// How a service behaves from its next start on.
    Mood(usize, String),
    /// A service is told to do something.
    Tell(usize, &'static str),
    /// A person writes a port of the run's block into `.ports.json`.
    Force(usize, u16),
    /// A person copies the `.ports.json` of another checkout.
    Copy(usize),
    /// The directory is deleted under the running instance, pruned, and checked out again.
    Vanish,
    /// Commands at once, some of which stand still for a while.
    Crowd(Vec<(Verb, Option<Pause>)>),
    /// So many restarts, one after the other.
    Restarts(usize, usize),
    /// Nothing for a while.
    Rest(Duration),
}

/// A command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
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
    /// `who PORT`, by its index in the block
    Who(u16),
    /// `logs`
    Logs,
}

impl Verb {
    /// Its words; `port` gives a port of the block.
    pub(crate) fn words(self, port: impl Fn(u16) -> u16) -> Vec<String> {
        let words = match self {
            Self::Up => "up --detach".to_owned(),
            Self::Down => "down".to_owned(),
            Self::DownNow => "down --now".to_owned(),
            Self::Restart(service) => format!("restart {}", SERVICES[service]),
            Self::Detect => "detect".to_owned(),
            Self::Env => "env".to_owned(),
            Self::Exec => "exec -- true".to_owned(),
            Self::Doctor => "doctor".to_owned(),
            Self::Prune => "prune --yes".to_owned(),
            Self::Leases => "leases".to_owned(),
            Self::Who(index) => format!("who {}", port(index)),
            Self::Logs => "logs".to_owned(),
        };
        words.split(' ').map(str::to_owned).collect()
    }
}

/// SIGSTOP after a while, and SIGCONT after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// How long it runs first.
    pub after: Duration,
    /// How long it stands still.
    pub rest: Duration,
}

/// A process of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// The supervisor.
    Supervisor,
    /// The keeper of a service.
    Keeper(usize),
    /// The service's first process.
    Leader(usize),
}

/// What a process gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGTERM.
    Term,
    /// SIGSTOP, and SIGCONT after so long.
    Freeze(Duration),
}

/// The size of the block of ports that a run's services share.
pub(crate) const PORTS: u16 = 80;

impl Plan {
    /// What `seed` stands for.
    pub fn new(seed: u64, length: Length) -> Self {
        let mut dice = fastrand::Rng::with_seed(seed);
        let (lanes, rounds, actions, seconds) = match length {
            Length::Short => (3, 2, 4, 3),
            Length::Long => (6, 8, 8, 120),
        };
        let mut rounds: Vec<Round> = (0..rounds)
            .map(|_| Round {
                lanes: (0..lanes)
                    .map(|_| (0..actions).map(|_| action(&mut dice, lanes)).collect())
                    .collect(),
                // Up to thirty years, forwards and back.
                clock: dice.i64(-946_000_000..946_000_000),
                grabs: dice.u8(..4) != 0,
                limit: Duration::from_secs(seconds),
            })
            .collect();
        // Spread over the rounds, all of one service.
        let restarts = match length {
            Length::Short => dice.usize(4..10),
            Length::Long => 1000,
        };
        let (lane, service) = (dice.usize(..lanes), dice.usize(..SERVICES.len()));
        let count = rounds.len();
        for round in &mut rounds {
            round.lanes[lane].push(Action::Restarts(service, restarts.div_ceil(count)));
        }
        Self {
            seed,
            lanes,
            rounds,
        }
    }
}

fn action(dice: &mut fastrand::Rng, lanes: usize) -> Action {
    let service = dice.usize(..SERVICES.len());
    match dice.u32(..100) {
        0..18 => Action::Run(verb(dice)),
        18..28 => Action::Cut(starting_verb(dice), micros(dice, 60_000)),
        28..31 => Action::CutWrite(starting_verb(dice)),
        31 => Action::Overtake,
        32..38 => Action::Pause(starting_verb(dice), pause(dice)),
        38..42 => Action::Foreground,
        42..50 => {
            let whom = match dice.u8(..3) {
                0 => Whom::Supervisor,
                1 => Whom::Keeper(service),
                _ => Whom::Leader(service),
            };
            let blow = match dice.u8(..6) {
                0..4 => Blow::Kill,
                4 => Blow::Term,
                _ => Blow::Freeze(micros(dice, 500_000)),
            };
            Action::Signal(whom, blow)
        }
        50..54 => Action::KillTogether(service),
        54..68 => Action::Mood(service, mood(dice)),
        68..80 => Action::Tell(
            service,
            dice.choice([
                "exit", "abort", "hang", "flood", "rebind", "fork", "plain", "setsid", "stubborn",
            ])
            .unwrap_or("exit"),
        ),
        80..84 => Action::Force(service, dice.u16(..PORTS)),
        84..87 => Action::Copy(dice.usize(..lanes)),
        87..90 => Action::Vanish,
        90..95 => {
            let member = |_| (starting_verb(dice), dice.bool().then(|| pause(dice)));
            Action::Crowd((0..3 + service * 3).map(member).collect())
        }
        _ => Action::Rest(micros(dice, 300_000)),
    }
}

fn pause(dice: &mut fastrand::Rng) -> Pause {
    Pause {
        after: micros(dice, 60_000),
        rest: micros(dice, 500_000),
    }
}

fn micros(dice: &mut fastrand::Rng, below: u64) -> Duration {
    Duration::from_micros(dice.u64(..below))
}

/// Any command.
fn verb(dice: &mut fastrand::Rng) -> Verb {
    match dice.u32(..20) {
        0..6 => starting_verb(dice),
        6..8 => Verb::Down,
        8 => Verb::DownNow,
        9..12 => Verb::Restart(dice.usize(..SERVICES.len())),
        12 => Verb::Exec,
        13 => Verb::Doctor,
        14 | 15 => Verb::Prune,
        16 => Verb::Leases,
        17 => Verb::Who(dice.u16(..PORTS)),
        18 => Verb::Logs,
        _ => Verb::Env,
    }
}

/// A command that chooses ports.
fn starting_verb(dice: &mut fastrand::Rng) -> Verb {
    match dice.u32(..8) {
        0..4 => Verb::Up,
        4..6 => Verb::Detect,
        6 => Verb::Env,
        _ => Verb::Exec,
    }
}

/// How a service behaves; see `service/main.rs`.
fn mood(dice: &mut fastrand::Rng) -> String {
    let milliseconds = dice.u32(..300);
    let host = ["127.0.0.1", "::1", "0.0.0.0", "::"][dice.usize(..4)];
    match dice.u32(..15) {
        0 => format!("slow {milliseconds}"),
        1 => "die 0".to_owned(),
        2 => "die 3".to_owned(),
        3 => format!("crash {milliseconds}"),
        4 | 5 => format!("host {host}"),
        6 => "no-reuse".to_owned(),
        7 => "ignore".to_owned(),
        8 => "daemonize".to_owned(),
        9 => "stray".to_owned(),
        10 => "flood".to_owned(),
        11 => "plain setsid stubborn".to_owned(),
        12 => format!("stubborn ignore slow {milliseconds}"),
        13 => format!("flood host {host} slow {milliseconds}"),
        _ => String::new(),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, round) in self.rounds.iter().enumerate() {
            writeln!(
                f,
                "round {number}: clock off by {} s, {}",
                round.clock,
                if round.grabs { "ports taken" } else { "calm" }
            )?;
            for (lane, actions) in round.lanes.iter().enumerate() {
                writeln!(f, "  c{lane}")?;
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
    fn a_seed_is_a_plan() {
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
    fn a_long_run_restarts_a_service_a_thousand_times() {
        let plan = Plan::new(7, Length::Long);
        let actions = plan.rounds.iter().flat_map(|round| round.lanes.concat());
        let restarts = actions.map(|action| match action {
            Action::Restarts(_, count) => count,
            _ => 0,
        });
        assert!(restarts.sum::<usize>() >= 1000);
    }
}
