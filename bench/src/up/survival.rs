//! What is left after every kind of end, and whether the next start gets the same ports.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::competitors::{self, Competitor};
use super::set_uid::SetUid;
use super::stack::{Load, Mode, Stack};
use crate::chart::Bar;
use crate::env::BenchEnv;
use crate::ports::ranges::Ranges;
use crate::stats::{Summary, format_number};
use crate::table::Table;
use crate::{Result, readme};

/// How long processes may take to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);

/// How long nothing may be found until nothing is left: one look can miss a process that forks and
/// exits.
const QUIET_TIME: Duration = Duration::from_millis(300);

/// How long the next start may take. Some tools first wait for the grace period of ten seconds.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How a stack ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Interrupt,
    Terminate,
    TerminalClosed,
    Kill,
    KillHelpers,
    KillAll,
    SuspendSupervisor,
    SuspendHelpers,
    Chain,
    BlockedOutput,
    DirectoryDeleted,
    SetUidChild,
    KillExec,
}

/// The rows of the table.
const ENDINGS: [(Ending, &str); 13] = [
    (Ending::Interrupt, "Ctrl-C"),
    (Ending::Terminate, "SIGTERM"),
    (Ending::TerminalClosed, "terminal closed"),
    (Ending::Kill, "SIGKILL"),
    (Ending::KillHelpers, "SIGKILL of the helpers, then SIGTERM"),
    (
        Ending::KillAll,
        "SIGKILL of the supervisor and the helpers together",
    ),
    (
        Ending::SuspendSupervisor,
        "supervisor suspended, then SIGKILL",
    ),
    (Ending::SuspendHelpers, "helpers suspended, then SIGTERM"),
    (Ending::Chain, "children fork and exit without end, SIGTERM"),
    (Ending::BlockedOutput, "output that is not read, SIGTERM"),
    (Ending::DirectoryDeleted, "directory deleted, then SIGTERM"),
    (Ending::SetUidChild, "set-uid children, SIGTERM"),
    (Ending::KillExec, "one command, SIGKILL"),
];

/// What was found after an ending.
struct Outcome {
    services: usize,
    children: usize,
    /// Milliseconds until nothing was left.
    stopped: f64,
    /// Milliseconds until the services of the next start listened on the same ports.
    again: Option<f64>,
}

/// End two services in every way, and start them again.
pub(super) fn measure(env: &BenchEnv, all: &[Competitor], ranges: &Ranges) -> Result<String> {
    let names = all.iter().map(|competitor| competitor.name);
    let columns: Vec<&str> = std::iter::once("end").chain(names).collect();
    let mut left = Table::new(&columns);
    let mut again = Table::new(&columns);
    let mut totals = vec![0; all.len()];
    let set_uid = SetUid::new(env);
    let mut missing = String::new();
    if let Err(reason) = &set_uid {
        missing = format!("Not measured: set-uid children ({reason}).\n\n");
    }
    let set_uid = set_uid.ok();
    for (ending, name) in ENDINGS {
        let mut left_row = vec![name.to_owned()];
        let mut again_row = vec![name.to_owned()];
        for (competitor, total) in all.iter().zip(&mut totals) {
            println!("== {name}: {}", competitor.name);
            let (was_left, next) = match end(env, set_uid.as_ref(), competitor, ranges, ending) {
                Ok(Some(outcome)) => {
                    *total += outcome.services + outcome.children;
                    // Its files are gone, so it is not started again.
                    let next = match ending {
                        Ending::DirectoryDeleted => "–".to_owned(),
                        _ => outcome.next(),
                    };
                    (outcome.left(), next)
                }
                Ok(None) if ending == Ending::KillExec => ("n/a".to_owned(), "n/a".to_owned()),
                Ok(None) => ("–".to_owned(), "–".to_owned()),
                // The other tools are measured nevertheless.
                Err(message) => {
                    println!("{message}");
                    ("?".to_owned(), "?".to_owned())
                }
            };
            println!("{was_left}; next start: {next}");
            left_row.push(was_left);
            again_row.push(next);
        }
        left.rows.push(left_row);
        again.rows.push(again_row);
    }
    let bars = all.iter().zip(totals).filter_map(|(competitor, left)| {
        Some(Bar {
            name: competitor.name.to_owned(),
            value: Summary::of(&[left as f64])?,
            is_wrong: left > 0,
        })
    });
    let title = format!("Processes left after {} kinds of end", ENDINGS.len());
    let bars: Vec<Bar> = bars.collect();
    let chart = readme::write_chart(&env.bench, "up-left", &title, "left", &bars)?;
    Ok(format!(
        "{missing}#### Processes left\n\n{}\n{chart}\n#### The next start gets the same ports\n\n{}\n",
        left.markdown(),
        again.markdown()
    ))
}

impl Outcome {
    fn left(&self) -> String {
        match (self.services, self.children) {
            (0, 0) => format!("0 ({} s)", format_number(self.stopped / 1000.0)),
            (services, children) => format!("**{services} + {children}**"),
        }
    }

    fn next(&self) -> String {
        match self.again {
            Some(wall) => format!("{} s", format_number(wall / 1000.0)),
            None => "**no**".to_owned(),
        }
    }
}

/// Start a stack, and end it. `None` if the ending needs something that is not available: helpers of
/// the tool, a command that runs one command, or another user.
fn end(
    env: &BenchEnv,
    set_uid: Option<&SetUid>,
    competitor: &Competitor,
    ranges: &Ranges,
    ending: Ending,
) -> Result<Option<Outcome>> {
    let (env, load) = match (ending, set_uid) {
        (Ending::SetUidChild, None) => return Ok(None),
        (Ending::SetUidChild, Some(set_uid)) => (&set_uid.env, Load::SetUidChild(&set_uid.program)),
        (Ending::Chain, _) => (env, Load::Chain),
        (Ending::BlockedOutput, _) => (env, Load::Flood),
        _ => (env, Load::Child),
    };
    let (mode, count) = match ending {
        Ending::KillExec if competitor.exec.is_none() => return Ok(None),
        Ending::KillExec => (Mode::Exec, 1),
        Ending::TerminalClosed => (Mode::UpInTerminal, 2),
        _ => (Mode::Up, 2),
    };
    let mut stack = Stack::start(env, competitor, ranges, count, load, mode)?;
    let helpers = stack.helpers();
    let needs_helpers = matches!(ending, Ending::KillHelpers | Ending::SuspendHelpers);
    if helpers.is_empty() && needs_helpers {
        return Ok(None);
    }
    let started = Instant::now();
    signal(&stack, ending, &helpers, env, competitor)?;
    let (services, children) = stack.wait_until_empty(started + STOP_TIMEOUT, QUIET_TIME);
    let stopped = started.elapsed().saturating_sub(QUIET_TIME);
    let stopped = stopped.as_secs_f64() * 1000.0;
    // The tool has to find its files again.
    let again = match ending {
        Ending::DirectoryDeleted => None,
        _ => stack.start_again(START_TIMEOUT)?,
    };
    Ok(Some(Outcome {
        services,
        children,
        stopped,
        again,
    }))
}

fn signal(
    stack: &Stack,
    ending: Ending,
    helpers: &[u32],
    env: &BenchEnv,
    competitor: &Competitor,
) -> Result<()> {
    let supervisor = pid(stack.supervisor)?;
    let send = |signal| kill(supervisor, signal).map_err(|error| error.to_string());
    let send_helpers = |signal| {
        for &helper in helpers {
            if let Ok(helper) = pid(helper) {
                // An error means that it has exited.
                let _ = kill(helper, signal);
            }
        }
    };
    match ending {
        Ending::Interrupt if stack.detaches => send(Signal::SIGINT),
        Ending::Interrupt => {
            killpg(pid(stack.child.id())?, Signal::SIGINT).map_err(|error| error.to_string())
        }
        Ending::TerminalClosed => {
            kill(pid(stack.child.id())?, Signal::SIGKILL).map_err(|error| error.to_string())
        }
        Ending::Kill | Ending::KillExec => send(Signal::SIGKILL),
        Ending::KillHelpers => {
            send_helpers(Signal::SIGKILL);
            std::thread::sleep(Duration::from_millis(500));
            // The supervisor may have exited because of it.
            let _ = send(Signal::SIGTERM);
            Ok(())
        }
        Ending::KillAll => {
            // Stopped first, so that none sees the end of another.
            send(Signal::SIGSTOP)?;
            send_helpers(Signal::SIGSTOP);
            send_helpers(Signal::SIGKILL);
            send(Signal::SIGKILL)
        }
        Ending::SuspendSupervisor => {
            send(Signal::SIGSTOP)?;
            send(Signal::SIGKILL)
        }
        Ending::SuspendHelpers => {
            send_helpers(Signal::SIGSTOP);
            send(Signal::SIGTERM)
        }
        Ending::DirectoryDeleted => {
            if let Some(directory) = competitors::directory(competitor.name) {
                let directory = env.path(directory);
                std::fs::remove_dir_all(&directory)
                    .map_err(|error| format!("{}: {error}", directory.display()))?;
            }
            send(Signal::SIGTERM)
        }
        Ending::Terminate | Ending::Chain | Ending::BlockedOutput | Ending::SetUidChild => {
            send(Signal::SIGTERM)
        }
    }
}

fn pid(pid: u32) -> Result<Pid> {
    let number = i32::try_from(pid).map_err(|error| error.to_string())?;
    Ok(Pid::from_raw(number))
}
