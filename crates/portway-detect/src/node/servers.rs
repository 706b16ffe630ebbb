//! Finds the commands in a package's scripts that serve, and those that run beside them.

use std::cell::RefCell;

use super::package::Package;
use super::search::Search;
use super::server::Server;
use crate::Dir;

/// Scripts that start the development server, most likely first.
const MAIN: [&str; 8] = [
    "dev",
    "start:dev",
    "develop",
    "serve",
    "start",
    "dev:web",
    "dev:client",
    "dev:frontend",
];

/// Scripts that start an additional API server, most likely first.
const BESIDE: [&str; 10] = [
    "dev:server",
    "server:dev",
    "server",
    "start:server",
    "dev:api",
    "api",
    "start:api",
    "dev:backend",
    "backend",
    "start:backend",
];

/// Names of scripts that start a program beside the server, without a port. Each occurs with a prefix or
/// suffix too, such as `dev:worker`.
const WORKERS: [&str; 9] = [
    "worker",
    "workers",
    "queue",
    "queues",
    "scheduler",
    "cron",
    "jobs",
    "consumer",
    "processor",
];

/// Scripts that start another server for development that the application does not always need, with the
/// reason why their service is optional.
const OPTIONAL: [(&[&str], &str); 2] = [
    (
        &[
            "storybook",
            "storybook:dev",
            "dev:storybook",
            "start:storybook",
        ],
        "it shows parts of the application, which works without it, so it is optional",
    ),
    (
        &[
            "run-mock-server",
            "mock-server",
            "mock:server",
            "mock",
            "dev:mock",
            "mock:api",
            "json-server",
        ],
        "it simulates a server, so it is optional",
    ),
];

/// Maximum depth of scripts that start scripts.
const MAX_DEPTH: usize = 4;

/// Returns the commands that serve: those of the most likely script, and those of an additional API
/// server. Includes what such a script starts beside them.
///
/// The second value has a sentence for each command beside them that is left out.
pub(super) fn servers(dir: &Dir<'_>, package: &Package) -> (Vec<Server>, Vec<String>) {
    let search = Search {
        dir,
        package,
        left_out: RefCell::default(),
    };
    let mut left_out = Vec::new();
    let mut first = |names: &[&str]| {
        for name in names {
            let servers = search.script(name, MAX_DEPTH);
            let others = search.left_out.take();
            if servers.iter().any(Server::serves) {
                left_out.extend(others);
                return servers;
            }
            if search.starts_members(name) {
                break;
            }
        }
        Vec::new()
    };
    let mut servers: Vec<Server> = first(&MAIN);
    for server in first(&BESIDE) {
        if servers.iter().all(|known| known.simple != server.simple) {
            servers.push(server);
        }
    }
    let is_new = |servers: &[Server], server: &Server| {
        servers.iter().all(|known| known.simple != server.simple)
    };
    for base in WORKERS {
        let names = [
            format!("dev:{base}"),
            format!("{base}:dev"),
            base.to_owned(),
            format!("start:{base}"),
            format!("{base}:start"),
        ];
        let mut found = names.iter().filter_map(|name| search.worker(name));
        if let Some(worker) = found.next().filter(|worker| is_new(&servers, worker)) {
            servers.push(worker);
        }
    }
    for (names, reason) in OPTIONAL {
        for mut server in first(names) {
            if is_new(&servers, &server) {
                server.optional = Some(reason);
                servers.push(server);
            }
        }
    }
    (servers, left_out)
}
