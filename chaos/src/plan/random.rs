//! Random actions and behaviors.

use std::time::Duration;

use super::{Action, Fault, PORTS, Pause, PortwayCommand, ProcessRole, SERVICES, StatePart};

pub(super) fn action(rng: &mut fastrand::Rng, checkouts: usize) -> Action {
    let service = rng.usize(..SERVICES.len());
    match rng.u32(..116) {
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
                "exhaust",
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
        95..98 => Action::Idle(micros(rng, 300_000)),
        98..103 => Action::KillPortway(rng.bool()),
        103..105 => Action::KillStartingKeeper(service, micros(rng, 20_000)),
        105..108 => {
            let role = match rng.bool() {
                true => ProcessRole::Supervisor,
                false => ProcessRole::Keeper(service),
            };
            Action::RunWhileSuspended(role, command_of_instance(rng))
        }
        108..110 => Action::LimitDescriptors(command(rng), rng.u64(12..80)),
        110..112 => Action::MoveCheckout(command_of_instance(rng)),
        112..114 => Action::ReplaceCheckout(command_of_instance(rng)),
        _ => Action::DeleteState(match rng.u8(..4) {
            0 => StatePart::All,
            1 => StatePart::Instance,
            _ => StatePart::Registry,
        }),
    }
}

/// A command that uses a running instance.
fn command_of_instance(rng: &mut fastrand::Rng) -> PortwayCommand {
    match rng.u32(..8) {
        0..3 => PortwayCommand::Up,
        3 | 4 => PortwayCommand::Down,
        5 => PortwayCommand::DownNow,
        6 => PortwayCommand::Restart(rng.usize(..SERVICES.len())),
        _ => PortwayCommand::Env,
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
    match rng.u32(..17) {
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
        14 => format!("descriptors {}", 5 + milliseconds % 20),
        _ => String::new(),
    }
}
