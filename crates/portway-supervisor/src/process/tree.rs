//! Finds the processes that belong to the server on a port: from the process that owns the socket
//! up to the one that a person started.
//!
//! Stopping only the process that listens is rarely enough: its master replaces a forked worker,
//! and a reloader or `npm run` restarts a server or outlives it. Stopping the shell, the terminal
//! or the editor above it would be worse, and so would a job that only started the server. So a parent
//! belongs to the tree only if it has the socket open too, or certainly exists only for this child.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::{Process, ProcessId, ancestors, descendants, platform};

/// The processes that serve a port together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessTree {
    /// The topmost process, without which the others do not run.
    pub root: Process,
    /// The processes below the root that belong to the server, children before grandchildren.
    pub descendants: Vec<ProcessId>,
    /// The processes below the root that do not belong to the server.
    pub unrelated: Vec<ProcessId>,
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
        let below = descendants(root.id.pid);
        let mut processes = vec![root.clone()];
        processes.extend(below.iter().filter_map(|one| Process::read(one.pid)));
        let holders = sharing.iter().copied().chain([owner.id.pid]).collect();
        let unrelated = find_unrelated(&processes, &holders, &is_copy);
        let (unrelated, descendants) = below
            .into_iter()
            .partition(|process| unrelated.contains(&process.pid));
        Self {
            root,
            descendants,
            unrelated,
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
    find_root(chain, &sharing, &excluded, &has_one_child, &is_copy)
}

/// Returns whether a process runs the program of its parent because it was only forked.
fn is_copy(process: &Process) -> bool {
    platform::is_forked_copy(process.id.pid)
}

fn find_root(
    chain: &[Process],
    sharing: &HashSet<u32>,
    excluded: &HashSet<u32>,
    has_one_child: &dyn Fn(&Process) -> bool,
    is_copy: &dyn Fn(&Process) -> bool,
) -> usize {
    let mut root = 0;
    for (index, pair) in chain.windows(2).enumerate() {
        let (child, parent) = (&pair[0], &pair[1]);
        let exists_for_child = || {
            (is_reloader_of(parent, child) && !is_copy(child))
                || (parent.group == child.group && is_runner(parent))
        };
        let belongs = parent.user == child.user
            && !excluded.contains(&parent.id.pid)
            && (sharing.contains(&parent.id.pid) || (exists_for_child() && has_one_child(parent)));
        if !belongs {
            break;
        }
        root = index + 1;
    }
    root
}

/// Returns whether `parent` started itself a second time to watch its own sources: the same program
/// with the same arguments. A forked copy is a part of a job instead.
fn is_reloader_of(parent: &Process, child: &Process) -> bool {
    parent.name == child.name && parent.args.len() > 1 && parent.args == child.args
}

/// Returns those of `processes`, a root and all processes below it, that do not belong to the server
/// on a socket. `holders` have the socket open.
///
/// A process that passes its socket to another program is a manager, and its other children may do
/// anything. The children of a server belong to it.
fn find_unrelated(
    processes: &[Process],
    holders: &HashSet<u32>,
    is_copy: &dyn Fn(&Process) -> bool,
) -> HashSet<u32> {
    let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
    for process in processes.iter().skip(1) {
        children.entry(process.parent).or_default().push(process);
    }
    let of = |parent: u32| children.get(&parent).map_or(&[][..], Vec::as_slice);
    let below = |root: u32| {
        let mut found = vec![root];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            next += 1;
            let new = of(parent).iter().map(|child| child.id.pid);
            found.extend(new.filter(|pid| !found.contains(pid)).collect::<Vec<_>>());
        }
        found
    };
    let is_program = |child: &Process, parent: &Process| {
        holders.contains(&child.id.pid) && child.args != parent.args && !is_copy(child)
    };
    let managers = processes.iter().filter(|process| {
        let mut children = of(process.id.pid).iter();
        holders.contains(&process.id.pid) && children.any(|child| is_program(child, process))
    });
    managers
        .flat_map(|manager| of(manager.id.pid))
        .map(|child| below(child.id.pid))
        .filter(|subtree| !subtree.iter().any(|pid| holders.contains(pid)))
        .flatten()
        .collect()
}

/// Programs that only run another program and wait for it.
const RUNNERS: [&str; 27] = [
    "air", "bunx", "bundle", "cargo", "dotenv", "env", "go", "hatch", "just", "make", "mise",
    "nodemon", "npm", "npx", "nice", "nohup", "pdm", "pipenv", "pnpm", "pnpx", "poetry", "rye",
    "task", "time", "tsx", "uv", "yarn",
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
    let rest = args.get(1..).unwrap_or_default();
    match program {
        "bun" => return runs_bun_script(rest),
        // These run a program themselves, except with a command that starts another one.
        "deno" => return second == "task",
        "dotnet" => return ["run", "watch"].contains(&second),
        _ => {}
    }
    // `node /usr/lib/node_modules/npm/bin/npm-cli.js run dev`, `python /usr/bin/poetry run …`.
    let script = base_name(second);
    let script = script.strip_suffix("-cli").unwrap_or(script);
    let is_interpreter = program == "node" || program.starts_with("python") || program == "ruby";
    RUNNERS.contains(&program) || (is_interpreter && RUNNERS.contains(&script))
}

/// Returns whether Bun runs a script of `package.json` or a package in another process. It runs a file
/// itself.
fn runs_bun_script(args: &[&str]) -> bool {
    let mut words = args.iter().filter(|word| !word.starts_with('-'));
    let first = match words.next() {
        Some(&"run") => words.next(),
        first => first,
    };
    first.is_some_and(|word| {
        *word != "test" && !word.contains(['/', '\\']) && Path::new(word).extension().is_none()
    })
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
        root_of_forked(chain, sharing, busy, &[])
    }

    /// Same as [`root_of`]; `forked` are copies of their parents.
    fn root_of_forked(chain: &[Process], sharing: &[u32], busy: &[u32], forked: &[u32]) -> u32 {
        let has_one_child = |parent: &Process| !busy.contains(&parent.id.pid);
        let is_copy = |process: &Process| forked.contains(&process.id.pid);
        // In these tests pid 2 is excluded.
        let (sharing, excluded) = (sharing.iter().copied().collect(), HashSet::from([2]));
        chain[find_root(chain, &sharing, &excluded, &has_one_child, &is_copy)]
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
    fn a_forked_part_of_a_job_is_not_reloaded_by_it() {
        let args = ["python3", "train.py", "--epochs", "90"];
        let chain = [process(12, 10, &args), process(11, 10, &args)];
        assert_eq!(root_of_forked(&chain, &[], &[], &[12]), 12);
        // A reloader has only its server.
        assert_eq!(root_of(&chain, &[], &[11]), 12);
        // A forked worker shares the socket of its master.
        assert_eq!(root_of_forked(&chain, &[11], &[], &[12]), 11);
    }

    #[test]
    fn other_children_of_a_manager_do_not_belong_to_the_server() {
        let below = |pid: u32, parent: u32, args: &[&str]| {
            let mut process = process(pid, 10, args);
            process.parent = parent;
            process
        };
        let processes = [
            below(10, 1, &["python3", "manager.py"]),
            below(11, 10, &["python3", "server.py"]),
            below(12, 11, &["esbuild"]),
            below(13, 10, &["sh", "-c", "backup"]),
            below(14, 13, &["backup"]),
        ];
        let unrelated = |holders: &[u32], forked: &[u32]| {
            let is_copy = |process: &Process| forked.contains(&process.id.pid);
            let mut found: Vec<_> =
                find_unrelated(&processes, &holders.iter().copied().collect(), &is_copy)
                    .into_iter()
                    .collect();
            found.sort_unstable();
            found
        };
        assert_eq!(unrelated(&[10, 11], &[]), [13, 14]);
        // A server with forked workers, and one without.
        assert_eq!(unrelated(&[10, 11], &[11]), [0; 0]);
        assert_eq!(unrelated(&[10], &[]), [0; 0]);
        assert_eq!(unrelated(&[11], &[]), [0; 0]);
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
            &["bun", "run", "dev"],
            &["bun", "--silent", "dev"],
            &["bun", "x", "vite"],
            &["deno", "task", "dev"],
            &["dotnet", "watch"],
        ] {
            assert!(is_runner(&process(1, 1, args)), "{args:?}");
        }
        for args in [
            &["bash"][..],
            &["bash", "--login"],
            &["node", "server.js"],
            &["sshd"],
            &["bun", "agent.ts"],
            &["bun", "run", "./agent"],
            &["bun", "--hot", "src/agent.tsx"],
            &["bun"],
            &["deno", "run", "-A", "agent.ts"],
            &["dotnet", "app.dll"],
        ] {
            assert!(!is_runner(&process(1, 1, args)), "{args:?}");
        }
    }
}
