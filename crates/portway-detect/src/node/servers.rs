//! Finds the commands in a package's scripts that serve, and those that run beside them.

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

/// Parts of the names of other scripts that start the development server, such as `watch-server` and
/// `start-dev`, most likely first.
const STARTS: [&str; 7] = [
    "dev", "develop", "watch", "server", "serve", "start", "local",
];

/// Parts of the names of scripts that start something else than the application.
const STARTS_ELSE: [&str; 18] = [
    "bench",
    "build",
    "ci",
    "demo",
    "doc",
    "docs",
    "e2e",
    "example",
    "examples",
    "mock",
    "playground",
    "preview",
    "prod",
    "production",
    "site",
    "storybook",
    "test",
    "website",
];

/// Maximum depth of scripts that start scripts.
const MAX_DEPTH: usize = 6;

/// The parts of the name of a script, in lower case.
fn name_parts(name: &str) -> impl Iterator<Item = String> {
    name.split([':', '-', '_', '.'])
        .map(str::to_ascii_lowercase)
}

/// Returns whether a script with this name may start the development server.
pub(super) fn is_start(name: &str) -> bool {
    name_parts(name).any(|part| STARTS.contains(&part.as_str()))
}

/// Returns whether a script with this name starts something else than the application.
pub(super) fn starts_else(name: &str) -> bool {
    name_parts(name).any(|part| STARTS_ELSE.contains(&part.as_str()))
}

/// Returns the names of the scripts that may start the development server under a name of their own.
fn of_other_names(package: &Package) -> Vec<&str> {
    let rank = |name: &str| {
        let has = |known: &&str| name_parts(name).any(|part| part == **known);
        STARTS.iter().position(has)
    };
    let mut names: Vec<(usize, &str)> = package
        .scripts
        .keys()
        .filter(|name| !starts_else(name))
        .filter_map(|name| Some((rank(name)?, name.as_str())))
        .collect();
    names.sort_by_key(|(rank, _)| *rank);
    names.into_iter().map(|(_, name)| name).collect()
}

/// Returns the commands that serve: those of the most likely script, and those of an additional API
/// server. Includes what such a script starts beside them.
///
/// The second value has a sentence for each command beside them that is left out.
pub(super) fn servers(dir: &Dir<'_>, package: &Package) -> (Vec<Server>, Vec<String>) {
    let search = Search::new(dir, package);
    let mut left_out = Vec::new();
    let mut first = |names: &[&str]| {
        for (index, name) in names.iter().enumerate() {
            let mut servers = search.script(name, MAX_DEPTH);
            let mut others = search.left_out.take();
            if servers.iter().any(Server::serves) {
                for name in &names[index + 1..] {
                    let more = search.script(name, MAX_DEPTH);
                    let more_others = search.left_out.take();
                    if starts_more(&more, &servers) {
                        (servers, others) = (more, more_others);
                    }
                }
                left_out.extend(others);
                return servers;
            }
            if search.starts_members(name) {
                break;
            }
        }
        Vec::new()
    };
    let is_new = |servers: &[Server], server: &Server| {
        servers.iter().all(|known| known.origin != server.origin)
    };
    let mut servers: Vec<Server> = first(&MAIN);
    let has_main = !servers.is_empty();
    for server in first(&BESIDE) {
        if is_new(&servers, &server) {
            servers.push(server);
        }
    }
    if !has_main {
        let others = first(&of_other_names(package));
        if servers.is_empty() || starts_more(&others, &servers) {
            servers = others;
        }
    }
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
    if !servers
        .iter()
        .any(|server| server.serves() && server.optional.is_none())
    {
        let names = MAIN.iter();
        let alone = names.clone().find_map(|name| search.lone_worker(name));
        let alone = alone.or_else(|| {
            names
                .take(1)
                .find_map(|name| search.watcher_of_member(name))
        });
        let alone = alone.filter(|alone| is_new(&servers, alone));
        servers.splice(0..0, alone);
    }
    (servers, left_out)
}

/// Returns whether these are servers of a script that starts all of the others, and more.
fn starts_more(servers: &[Server], others: &[Server]) -> bool {
    servers.len() > others.len()
        && others
            .iter()
            .all(|other| servers.iter().any(|server| server.origin == other.origin))
}
