//! Commands that run only if a database is empty (`only_if_empty`). In the wiring, a hidden command of Portway
//! replaces such a command: it checks the database as a part of the service, and then runs the command or says
//! why it does not. In doubt, the command does not run.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_project::database::{EmptyDatabase, refers_elsewhere};
use portway_project::mapping::Mapping;
use portway_project::shell::quote;
use portway_project::{AssignedPorts, Plan, Wiring};
use portway_supervisor::mark::Mark;
use serde::{Deserialize, Serialize};

use super::tables;
use super::wire::hidden_command;
use crate::compose;
use crate::error::CommandError;
use crate::mapping::environment;
use crate::platform::shell;

/// The hidden command that runs another one if a database is empty.
pub const RUN_IF_EMPTY: &str = "__run-if-empty";

/// The variable with what the command needs.
const VARIABLE: &str = "PORTWAY_RUN_IF_EMPTY";

/// What the command needs.
#[derive(Serialize, Deserialize)]
struct GuardedCommand {
    /// The shell command.
    command: String,
    database: EmptyDatabase,
    /// The project's root.
    root: PathBuf,
    /// The ports of this machine that are the server's.
    ports: Vec<u16>,
    /// Variables that Portway sets for every service.
    own: Vec<String>,
    /// A variable of the application's files that refers to another database, and where to.
    elsewhere: Option<(String, String)>,
}

/// Replaces the commands of services with `only_if_empty`. `mappings` are those of the plan's services, and
/// `inner` the ports in the instance's own network.
pub(crate) fn guard(
    root: &Path,
    plan: &Plan,
    ports: &AssignedPorts,
    inner: Option<&AssignedPorts>,
    mappings: &IndexMap<String, Mapping>,
    wiring: &mut Wiring,
) {
    for service in plan.services.values() {
        let (Some(database), Some(launch)) = (
            &service.only_if_empty,
            wiring.services.get_mut(&service.name),
        ) else {
            continue;
        };
        let ports: Vec<u16> = [Some(ports), inner]
            .into_iter()
            .flatten()
            .flat_map(|ports| ports.of(database.name()).to_vec())
            .collect();
        // The command checks those of its own environment.
        let of_files = mappings.get(&service.name).into_iter();
        let mut of_files = of_files
            .flat_map(|mapping| &mapping.in_use)
            .filter(|one| !launch.env.contains_key(&one.name) && environment(&one.name).is_none());
        let elsewhere = of_files.find_map(|one| {
            let place = elsewhere(database, &one.name, &one.value, &ports)?;
            Some((one.name.clone(), place))
        });
        let own = wiring.shared.iter();
        let own = own.filter(|(name, value)| launch.env.get(*name) == Some(*value));
        let input = GuardedCommand {
            own: own.map(|(name, _)| name.clone()).collect(),
            command: std::mem::replace(&mut launch.command, hidden_command(RUN_IF_EMPTY)),
            database: database.clone(),
            root: root.to_owned(),
            ports,
            elsewhere,
        };
        let text = serde_json::to_string(&input).unwrap_or_default();
        launch.env.insert(VARIABLE.to_owned(), text);
    }
}

fn elsewhere(database: &EmptyDatabase, name: &str, value: &str, ports: &[u16]) -> Option<String> {
    match database {
        EmptyDatabase::Container { engine, .. } => refers_elsewhere(name, value, *engine, ports),
        EmptyDatabase::File(_) => None,
    }
}

/// Runs the command of the service of this process if its database is empty. Returns the exit code. `report`
/// receives a line if it does not run.
///
/// # Errors
/// When this process belongs to no service, or the command cannot be started.
pub fn run_if_empty(report: &dyn Fn(&str)) -> Result<u8, CommandError> {
    let input: Option<GuardedCommand> = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok());
    let (Some(input), Some(mark)) = (input, Mark::own()) else {
        let message = format!("`{RUN_IF_EMPTY}` runs only as a part of `portway up`");
        return Err(CommandError::new(ErrorCode::Usage, message));
    };
    let name = input.database.name();
    let by_hand = by_hand(&input, &mark.service);
    let variables = || {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    };
    let found = input.elsewhere.clone().or_else(|| {
        let mut all = variables().filter(|(variable, _)| !input.own.contains(variable));
        all.find_map(|(variable, value)| {
            let place = elsewhere(&input.database, &variable, &value, &input.ports)?;
            Some((variable, place))
        })
    });
    if let Some((variable, place)) = found {
        report(&format!(
            "skipped: `{variable}` refers to {} instead of `{name}`, and Portway changes only databases \
             that it starts; {by_hand}",
            place.escape_debug()
        ));
        return Ok(0);
    }
    let marker = mark.dir.join(format!("incomplete-{}", mark.service));
    match has_tables(&input) {
        Ok(false) => {}
        Ok(true) if marker.exists() => {
            report(&format!(
                "skipped: `{name}` already has tables, and an earlier run of this command did not complete; \
                 {by_hand}, or delete the database and start again"
            ));
            return Ok(0);
        }
        Ok(true) => {
            report(&format!("skipped: `{name}` already has tables"));
            return Ok(0);
        }
        Err(why) => {
            report(&format!(
                "skipped: cannot tell whether `{name}` is empty: {}; {by_hand}",
                why.escape_debug()
            ));
            return Ok(0);
        }
    }
    // Without the file, a failed run is only not mentioned later.
    let _ = std::fs::write(&marker, "");
    let code = execute(&input.command)?;
    if code == 0 {
        let _ = std::fs::remove_file(&marker);
    }
    Ok(code)
}

/// Says how a user runs the command without the check.
fn by_hand(input: &GuardedCommand, service: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_./:=@".contains(c);
    let command = match input.command.chars().all(is_plain) {
        true => input.command.clone(),
        false => format!("sh -c {}", quote(&input.command)),
    };
    let own = std::env::current_dir().unwrap_or_default();
    let dir = own.strip_prefix(&input.root).unwrap_or(Path::new(""));
    let change = match dir.as_os_str().is_empty() {
        true => String::new(),
        false => format!("cd {} && ", quote(&dir.to_string_lossy())),
    };
    let whole = format!("{change}portway exec --service {service} -- {command}");
    let shown: String = whole
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    format!("run it yourself: `{shown}`")
}

/// Returns whether the database has tables, or why that is not known.
fn has_tables(input: &GuardedCommand) -> Result<bool, String> {
    match &input.database {
        EmptyDatabase::Container { service, engine } => {
            let (client, name) =
                compose::container_of(service).ok_or("its container has no name")?;
            tables::in_container(client, &name, *engine)
        }
        EmptyDatabase::File(file) => tables::in_file(&input.root.join(file)),
    }
}

/// Runs a shell command to its end. The keeper of the service stops it.
fn execute(command: &str) -> Result<u8, CommandError> {
    let mut shell = shell(command);
    shell.env_remove(VARIABLE);
    let status = shell
        .status()
        .map_err(|error| CommandError::cannot_run("the shell", error))?;
    Ok(compose::exit_code(status))
}
