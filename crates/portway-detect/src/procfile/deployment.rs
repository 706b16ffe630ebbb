//! A `Procfile` without `Procfile.dev` is usually written for a deployment: it starts production
//! servers, and leaves out what the deployment builds beforehand. The dev servers of the checkout run
//! beside its processes, or instead of them.

use crate::shell::script_commands;
use crate::{DetectedService, Dir, node};
use portway_project::kind::Kind;

/// Returns whether the processes of the root come from such a file.
pub(crate) fn is_for_deployment(root: &Dir<'_>) -> bool {
    root.has("Procfile") && !root.has("Procfile.dev")
}

/// Combines the processes of a Procfile with what the other readers found in the checkout; `dev_servers`
/// are those of the Node package in the root.
pub(crate) fn combine(
    root: &Dir<'_>,
    mut processes: Vec<DetectedService>,
    others: Vec<DetectedService>,
    dev_servers: &[DetectedService],
) -> Vec<DetectedService> {
    // The last command of a script is the server.
    let is_node = |process: &DetectedService| {
        let commands = script_commands(root, &process.command);
        node::runs_program(commands.last().unwrap_or(&process.command))
    };
    if !dev_servers.is_empty() {
        // `npm start -- --only=worker` beside `npm start -- --only=web`: a part of the same program.
        let words = |process: &DetectedService| {
            let words = process.command.split_whitespace();
            let words = words.filter(|word| !word.starts_with('-'));
            words.map(str::to_owned).collect::<Vec<_>>()
        };
        let is_server = |process: &&DetectedService| process.port.is_some() && is_node(process);
        let programs: Vec<Vec<String>> = processes.iter().filter(is_server).map(words).collect();
        processes.retain(|process| {
            // Another worker has no dev server that replaces it.
            let is_replaced = is_server(&process) || programs.contains(&words(process));
            if is_replaced {
                let why = format!(
                    "runs `{}`, which a deployment starts; the dev script of package.json runs instead",
                    process.command
                );
                root.pass_over(&format!("Procfile: {}", process.name), why);
            }
            !is_replaced
        });
    }
    // The server of a deployment needs what the deployment builds and sets.
    let dev_server = others.iter().find(|other| {
        other.dir.is_empty()
            && other.kind == Kind::Http
            && other.port.is_some()
            && !dev_servers.contains(other)
    });
    if let Some(dev_server) = dev_server {
        for process in processes.iter_mut().filter(|process| process.name == "web") {
            let why = format!(
                "runs `{}`, which a deployment starts; the detected `{}` server runs instead",
                process.command, dev_server.framework
            );
            root.pass_over(&format!("Procfile: {}", process.name), why);
            *process = DetectedService {
                name: "web".into(),
                ..dev_server.clone()
            };
        }
    }
    let has_frontend = processes
        .iter()
        .any(|one| one.kind == Kind::Frontend && one.name != "web");
    let is_beside = |other: &DetectedService| match other.dir.as_str() {
        "" => dev_servers.contains(other) || other.kind == Kind::Frontend && !has_frontend,
        dir => !processes
            .iter()
            .any(|process| process.dir == dir || mentions(&process.command, dir)),
    };
    let beside: Vec<_> = others.into_iter().filter(is_beside).collect();
    processes.extend(beside);
    processes
}

/// Returns whether a command refers to a directory or to something in it.
fn mentions(command: &str, dir: &str) -> bool {
    let is_separator = |c: char| c.is_whitespace() || "'\"=;&|".contains(c);
    command.split(is_separator).any(|word| {
        let rest = word.trim_start_matches("./").strip_prefix(dir);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '.', ':']))
    })
}
