//! Finds the processes that belong to the server on a port: from the process that owns the socket
//! up to the one that a person started.
//!
//! Stopping only the process that listens is rarely enough: its master replaces a forked worker,
//! and a reloader or `npm run` restarts a server or outlives it. Stopping the shell, the terminal
//! or the editor above it would be worse. So a parent belongs to the tree only if it certainly
//! exists only for this child.

use std::collections::HashSet;
use std::path::Path;

use super::{Process, ProcessId, ancestors, descendants};

/// The processes that serve a port together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTree {
    /// The topmost process, without which the others do not run.
    pub root: Process,
    /// Every process below the root, children before grandchildren.
    pub descendants: Vec<ProcessId>,
    /// The ancestors of the root, its parent first.
    pub started_by: Vec<Process>,
}

impl ProcessTree {
    /// Returns the tree around `owner`, a process that owns a socket.
    ///
    /// `sharing` are the other processes that have the same socket open. `excluded` are processes
    /// that never belong to the tree, such as the caller's own ancestors.
    pub fn around(owner: &Process, sharing: &[u32], excluded: &[u32]) -> Self {
        let mut chain = vec![owner.clone()];
        chain.extend(ancestors(owner.id.pid));
        let root = root_index(&chain, sharing, excluded);
        let started_by = chain.split_off(root + 1);
        let root = chain.swap_remove(root);
        Self {
            descendants: descendants(root.id.pid),
            root,
            started_by,
        }
    }
}

/// Returns the index of the root of the tree in `chain`: the process that owns the socket, followed
/// by its ancestors, the parent first. For the other arguments see [`ProcessTree::around`].
pub fn root_index(chain: &[Process], sharing: &[u32], excluded: &[u32]) -> usize {
    let has_one_child = |parent: &Process| {
        let below = descendants(parent.id.pid);
        let children = below.iter().filter(|process| {
            Process::read(process.pid).is_some_and(|child| child.parent == parent.id.pid)
        });
        children.count() == 1
    };
    let sharing = sharing.iter().copied().collect();
    let excluded = excluded.iter().copied().collect();
    find_root(chain, &sharing, &excluded, &has_one_child)
}

fn find_root(
    chain: &[Process],
    sharing: &HashSet<u32>,
    excluded: &HashSet<u32>,
    has_one_child: &dyn Fn(&Process) -> bool,
) -> usize {
    let mut root = 0;
    for (index, pair) in chain.windows(2).enumerate() {
        let (child, parent) = (&pair[0], &pair[1]);
        let belongs = parent.user == child.user
            && !excluded.contains(&parent.id.pid)
            && (sharing.contains(&parent.id.pid)
                || is_reloader_of(parent, child)
                || (parent.group == child.group && is_runner(parent) && has_one_child(parent)));
        if !belongs {
            break;
        }
        root = index + 1;
    }
    root
}

/// Returns whether `parent` started itself a second time to watch its own sources: the same program
/// with the same arguments.
fn is_reloader_of(parent: &Process, child: &Process) -> bool {
    parent.name == child.name && parent.args.len() > 1 && parent.args == child.args
}

/// Programs that only run another program and wait for it.
const RUNNERS: [&str; 30] = [
    "air", "bun", "bunx", "bundle", "cargo", "deno", "dotenv", "dotnet", "env", "go", "hatch",
    "just", "make", "mise", "nodemon", "npm", "npx", "nice", "nohup", "pdm", "pipenv", "pnpm",
    "pnpx", "poetry", "rye", "task", "time", "tsx", "uv", "yarn",
];

/// Shells. They are runners only with `-c`: otherwise they are interactive or run a script.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "fish", "ash", "ksh"];

fn is_runner(process: &Process) -> bool {
    let args: Vec<&str> = match process.args.as_slice() {
        // npm overwrites its arguments with a title: `npm run dev` in one argument.
        [title] => title.split(' ').collect(),
        args => args.iter().map(String::as_str).collect(),
    };
    let program = base_name(args.first().unwrap_or(&process.name.as_str()));
    let second = args.get(1).copied().unwrap_or_default();
    if SHELLS.contains(&program) {
        return second.starts_with('-') && !second.starts_with("--") && second.contains('c');
    }
    // `node /usr/lib/node_modules/npm/bin/npm-cli.js run dev`, `python /usr/bin/poetry run …`.
    let script = base_name(second);
    let script = script.strip_suffix("-cli").unwrap_or(script);
    let is_interpreter = program == "node" || program.starts_with("python") || program == "ruby";
    RUNNERS.contains(&program) || (is_interpreter && RUNNERS.contains(&script))
}

/// Returns the name of a program or script without its directory and extension.
fn base_name(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let is_script = Path::new(name).extension().is_some_and(|extension| {
        ["js", "cjs", "mjs", "exe", "cmd"]
            .iter()
            .any(|&e| extension == e)
    });
    if is_script {
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, group: u32, args: &[&str]) -> Process {
        let mut process = Process::new(ProcessId { pid, started: 1 }, base_name(args[0]));
        process.group = group;
        process.user = Some(1000);
        process.args = args.iter().map(|&arg| arg.to_owned()).collect();
        process
    }

    /// Returns the pid of the root of a chain. Every parent has one child, except those in `busy`.
    fn root_of(chain: &[Process], sharing: &[u32], busy: &[u32]) -> u32 {
        let has_one_child = |parent: &Process| !busy.contains(&parent.id.pid);
        // In these tests pid 2 is excluded.
        let (sharing, excluded) = (sharing.iter().copied().collect(), HashSet::from([2]));
        chain[find_root(chain, &sharing, &excluded, &has_one_child)]
            .id
            .pid
    }

    #[test]
    fn a_master_that_shares_the_socket_belongs_to_its_worker() {
        let chain = [
            process(12, 10, &["nginx: worker process"]),
            process(11, 10, &["nginx: master process"]),
            process(10, 10, &["bash"]),
        ];
        assert_eq!(root_of(&chain, &[11, 13], &[]), 11);
        assert_eq!(root_of(&chain, &[], &[]), 12);
    }

    #[test]
    fn runners_belong_to_the_server_and_interactive_shells_do_not() {
        let chain = [
            process(14, 11, &["node", "/p/node_modules/.bin/vite"]),
            process(13, 11, &["sh", "-c", "vite --port 5173"]),
            process(12, 11, &["npm run dev"]),
            process(11, 11, &["/bin/bash", "-lc", "npm run dev"]),
            process(10, 10, &["-bash"]),
            process(9, 9, &["tmux: server"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 11);
        // A runner with several children does not belong to the tree.
        assert_eq!(root_of(&chain, &[], &[12]), 13);
        // Neither does a process of another process group.
        let other = [chain[0].clone(), process(13, 7, &["sh", "-c", "vite"])];
        assert_eq!(root_of(&other, &[], &[]), 14);
    }

    #[test]
    fn a_shell_script_is_not_a_runner() {
        let chain = [
            process(12, 10, &["python3", "-m", "http.server"]),
            process(10, 10, &["bash", "start.sh"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 12);
    }

    #[test]
    fn a_reloader_is_the_root_of_its_server() {
        let args = ["/v/bin/python", "/v/bin/flask", "run"];
        let chain = [
            process(12, 10, &args),
            process(11, 10, &args),
            process(10, 10, &["zsh"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 11);
    }

    #[test]
    fn excluded_processes_never_belong() {
        let args = ["sh", "-c", "portway free 9000 & exec server"];
        let chain = [process(12, 10, &["server"]), process(2, 10, &args)];
        assert_eq!(root_of(&chain, &[2], &[]), 12);
    }

    #[test]
    fn a_parent_of_another_user_never_belongs() {
        let mut parent = process(11, 10, &["npm"]);
        parent.user = Some(0);
        let chain = [process(12, 10, &["node", "x.js"]), parent];
        assert_eq!(root_of(&chain, &[11], &[]), 12);
    }

    #[test]
    fn recognizes_runners_in_every_form() {
        for args in [
            &["npm run dev"][..],
            &["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "run"],
            &["/usr/bin/python3", "/usr/bin/poetry", "run", "x"],
            &["sh", "-ec", "x"],
            &["C:\\Program Files\\nodejs\\npm.cmd", "run"],
            &["/root/.cargo/bin/cargo", "run"],
        ] {
            assert!(is_runner(&process(1, 1, args)), "{args:?}");
        }
        for args in [
            &["bash"][..],
            &["bash", "--login"],
            &["node", "server.js"],
            &["sshd"],
        ] {
            assert!(!is_runner(&process(1, 1, args)), "{args:?}");
        }
    }
}
