//! Runs one command that is not part of a project, with a port, a name and supervision.
//!
//! The command is the only service of an instance of its own. The project of that instance is a manifest in
//! Portway's state directory, one for each directory and name, so that the command keeps its port.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use portway_api::{ErrorCode, InstanceStatus};
use portway_detect::{DetectedPort, DetectedService, Detection};
use portway_project::Checkout;
use portway_project::checkout::{Git, default_project_name, host_label};
use portway_project::manifest::FILE_NAME;
use portway_project::policy::Isolation;
use portway_project::shell::quote;
use portway_registry::replace_file;

use crate::error::CommandError;
use crate::gateway::background;
use crate::instance::connection::{self, Supervised};
use crate::instance::remnants::{self, Mode};
use crate::instance::{check_processes, command};
use crate::options::{Selection, UpOptions};
use crate::project::{LoadedProject, surroundings};
use crate::reporter::Reporter;
use crate::runtime::runtime;
use crate::wiring::running_variables;
use crate::{dirs, isolation, preferences};

/// The directory of the manifests, below the state directory.
const DIRECTORY: &str = "runs";

/// Options of `portway run`.
#[derive(Debug, Clone, Default)]
pub struct RunOptions {
    /// The name of the command; `None` for that of the directory.
    pub name: Option<String>,
    /// A required port.
    pub port: Option<u16>,
    /// Whether the command gets a network of its own.
    pub isolate: bool,
    /// The command and its arguments, or one argument for the shell.
    pub command: Vec<OsString>,
}

/// The instance that is running in the checkout of the command.
#[derive(Default)]
struct Surrounding {
    /// The variables that it passes to all services.
    variables: IndexMap<String, String>,
    /// A process in its network, if it has one of its own.
    network: Option<u32>,
    /// The ports that its services use there.
    inner: Vec<u16>,
    /// The name of its project; `None` if no instance is running.
    project: Option<String>,
}

/// Runs a command until it exits. Returns its exit code.
///
/// # Errors
/// When no port is available, the command cannot be started, or a command with the same name is running.
pub fn run(
    directory: Option<&Path>,
    options: &RunOptions,
    reporter: &Arc<dyn Reporter>,
) -> Result<u8, CommandError> {
    check_processes()?;
    let directory = dirs::directory(directory)?;
    let checkout = Checkout::read(&directory)?;
    let surrounding = surrounding(&directory)?;
    let text = command_text(&options.command)?;
    let name = name(options, &checkout, &surrounding, &text)?;
    let preferences = preferences::read_user()?;
    let preferred = |framework: &str| preferences.framework_port(framework);
    let mut found = portway_detect::command(&directory, &text, &surroundings(&preferred));
    found.name.clone_from(&name);
    if surrounding.network.is_some() {
        avoid(&mut found, &surrounding.inner);
    }
    let place = write(&checkout, &directory, &name, found)?;

    let mut selection = Selection::default();
    if let Some(port) = options.port {
        selection.ports.push((name.clone(), port));
    }
    let mut loaded = LoadedProject::load(Some(&place), &selection)?;
    if loaded.is_supervised() {
        return Err(is_running(&name));
    }
    let plan = &mut loaded.project.plan;
    for service in plan.services.values_mut() {
        service.dir = Some(directory.display().to_string());
        for (variable, value) in &surrounding.variables {
            let own = service.env.entry(variable.clone());
            own.or_insert_with(|| value.clone());
        }
    }
    if options.isolate && surrounding.network.is_none() {
        plan.isolation = Isolation::Network;
    }
    if surrounding.network.is_none() {
        isolation::report(plan, reporter.as_ref());
    }
    if preferences.starts_gateway()
        && let Err(error) = background::ensure(None, None)
    {
        reporter.warning(&format!(
            "{}; the command starts without a gateway",
            error.info.message
        ));
    }
    let registered = loaded.register()?;
    let dir = registered.dir();
    let is_supervised = || registered.is_supervised();
    remnants::settle(&dir, Mode::Start, Some(reporter.as_ref()), is_supervised);
    let up = UpOptions {
        selection,
        isolate: options.isolate && surrounding.network.is_none(),
        enters: surrounding.network,
        ..UpOptions::default()
    };
    command(registered, &up, reporter)?.ok_or_else(|| is_running(&name))
}

fn is_running(name: &str) -> CommandError {
    CommandError::new(
        ErrorCode::Usage,
        format!("a command with the name `{name}` is running in this directory"),
    )
    .hint("choose another name: `portway run --name NAME -- COMMAND`")
}

/// Returns the instance that is running in the checkout of `directory`, if there is one.
fn surrounding(directory: &Path) -> Result<Surrounding, CommandError> {
    // Without a project, nothing is running.
    let Ok(loaded) = LoadedProject::load(Some(directory), &Selection::default()) else {
        return Ok(Surrounding::default());
    };
    if !loaded.has_running()? {
        return Ok(Surrounding::default());
    }
    let (environment, status) = runtime()?.block_on(async {
        let environment = connection::environment(&loaded).await?;
        Ok::<_, CommandError>((environment, connection::status(&loaded).await?))
    })?;
    let variables = environment.and_then(|environment| running_variables(environment, None));
    let inner = |status: &InstanceStatus| {
        let ports = status.services.iter().flat_map(|service| &service.ports);
        ports.filter_map(|port| port.inner).collect()
    };
    Ok(Surrounding {
        variables: own_variables(variables.unwrap_or_default()),
        network: status
            .as_ref()
            .and_then(|status| Some(status.network.as_ref()?.pid)),
        inner: status.as_ref().map(inner).unwrap_or_default(),
        project: status.map(|status| status.project),
    })
}

/// Leaves out the variables that say which instance a process belongs to.
fn own_variables(mut variables: IndexMap<String, String>) -> IndexMap<String, String> {
    variables.retain(|name, _| !name.starts_with("PORTWAY_") && name != "PORT" && name != "HOST");
    variables
}

/// Returns the command as text for a shell. One argument is that text.
fn command_text(command: &[OsString]) -> Result<String, CommandError> {
    let words: Option<Vec<&str>> = command.iter().map(|word| word.to_str()).collect();
    let words = words
        .ok_or_else(|| CommandError::new(ErrorCode::Usage, "the command is not valid UTF-8"))?;
    match words[..] {
        [] => Err(CommandError::new(ErrorCode::Usage, "no command is given")),
        [text] => Ok(text.to_owned()),
        _ => {
            let quoted: Vec<String> = words.iter().map(|word| quote(word).into_owned()).collect();
            Ok(quoted.join(" "))
        }
    }
}

/// Returns the name: the given one, or that of the project. Beside a running instance, which has that name, the
/// program is added.
fn name(
    options: &RunOptions,
    checkout: &Checkout,
    surrounding: &Surrounding,
    command: &str,
) -> Result<String, CommandError> {
    if let Some(name) = &options.name {
        let label = host_label(name);
        if label != *name || !label.starts_with(|char: char| char.is_ascii_alphabetic()) {
            return Err(CommandError::new(
                ErrorCode::Usage,
                format!("`{name}` is not a valid name"),
            )
            .hint(
                "use at most 40 lower-case letters, digits and inner `-`, starting with a letter",
            ));
        }
        return Ok(label);
    }
    let root = checkout.git.as_ref().map_or(&checkout.root, |git| &git.top);
    let mut name = match &surrounding.project {
        Some(project) => {
            let program = command.split_whitespace().next().unwrap_or_default();
            let program = program.rsplit('/').next().unwrap_or_default();
            host_label(&format!("{project}-{program}"))
        }
        None => host_label(&default_project_name(root)),
    };
    if !name.starts_with(|char: char| char.is_ascii_alphabetic()) {
        name = host_label(&format!("run-{name}"));
    }
    Ok(name)
}

/// Chooses another preferred port than those that other services use in the same network.
fn avoid(found: &mut DetectedService, used: &[u16]) {
    if let Some(DetectedPort::Preferred(port)) = &mut found.port {
        let free = (*port..=u16::MAX).find(|port| !used.contains(port));
        *port = free.unwrap_or(*port);
    }
}

/// Writes the project of the command. Returns its directory.
fn write(
    checkout: &Checkout,
    directory: &Path,
    name: &str,
    found: DetectedService,
) -> Result<PathBuf, CommandError> {
    // The id of the directory itself: a checkout can have several packages.
    let place = dirs::state_dir()?
        .join(DIRECTORY)
        .join(format!("{name}-{}", &checkout.id));
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| CommandError::file("write", &path, error)
    };
    fs::create_dir_all(&place).map_err(failed(&place))?;
    let detection = Detection {
        services: vec![found],
        ..Detection::default()
    };
    let manifest = place.join(FILE_NAME);
    let text = format!(
        "# The command that `portway run` starts in {}.\n{}",
        directory.display().to_string().escape_debug(),
        detection.manifest(name)
    );
    replace_file(&manifest, text.as_bytes()).map_err(failed(&manifest))?;
    // The instance gets the branch in its name, as the other instances of a worktree.
    let git = place.join(".git");
    match checkout.git.as_ref().and_then(worktree) {
        Some(text) => replace_file(&git, text.as_bytes()).map_err(failed(&git))?,
        None => {
            let _ = fs::remove_file(&git);
        }
    }
    Ok(place)
}

/// Returns the text of a file `.git` that refers to the same worktree from another directory. `None` for a main
/// checkout.
fn worktree(git: &Git) -> Option<String> {
    if !git.linked {
        return None;
    }
    let text = fs::read_to_string(git.top.join(".git")).ok()?;
    let dir = git.top.join(text.trim().strip_prefix("gitdir:")?.trim());
    Some(format!("gitdir: {}\n", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn one_argument_is_a_command_for_the_shell() {
        let text = |all: &[&str]| command_text(&words(all)).unwrap();
        assert_eq!(text(&["npm run dev | cat"]), "npm run dev | cat");
        assert_eq!(text(&["serve", "a b", "{port}"]).replace('"', "'"), {
            let quoted = quote("{port}");
            format!("serve 'a b' {quoted}").replace('"', "'")
        });
        assert!(command_text(&[]).is_err());
    }

    #[test]
    fn beside_a_running_instance_the_program_is_part_of_the_name() {
        let checkout = Checkout {
            root: "/work/shop".into(),
            id: "0123456789abcdef".into(),
            git: None,
        };
        let named = |given: Option<&str>, is_running: bool| {
            let options = RunOptions {
                name: given.map(str::to_owned),
                ..RunOptions::default()
            };
            let surrounding = Surrounding {
                project: is_running.then(|| "store".to_owned()),
                ..Surrounding::default()
            };
            name(&options, &checkout, &surrounding, "./bin/serve --all").ok()
        };
        assert_eq!(named(None, false).as_deref(), Some("shop"));
        assert_eq!(named(None, true).as_deref(), Some("store-serve"));
        assert_eq!(named(Some("docs"), true).as_deref(), Some("docs"));
        assert_eq!(named(Some("My Docs"), false), None);
        assert_eq!(named(Some("7"), false), None);
    }
}
