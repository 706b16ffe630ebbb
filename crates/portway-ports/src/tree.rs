//! Which processes belong together: from the one that has a socket up to the one that a person
//! started.
//!
//! Ending a process that listens is seldom enough. A forked worker is replaced by its master, a
//! server behind a reloader or `npm run` comes back or leaves its parents behind. Ending too much
//! is worse: the shell, the terminal, the editor above. So the way up is taken only where it is
//! certain that the parent is there for this child alone.

use std::collections::HashSet;
use std::path::Path;

use crate::process::{Process, ProcessId, ancestors, descendants};

/// The tree of processes that serves a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The topmost process of it, with which all of it ends.
    pub root: Process,
    /// Everything below the root, children before grandchildren.
    pub below: Vec<ProcessId>,
    /// The parents of the root, the nearest first: who started it.
    pub started_by: Vec<Process>,
}

/// The tree around `holder`. `sharing` are the other processes that have the same socket open;
/// `never` are processes that are no part of it whatever they look like, such as the caller's own
/// parents.
pub fn tree_of(holder: &Process, sharing: &[u32], never: &[u32]) -> Tree {
    let mut chain = vec![holder.clone()];
    chain.extend(ancestors(holder.id.pid));
    let root = root_among(&chain, sharing, never);
    let started_by = chain.split_off(root + 1);
    let root = chain.swap_remove(root);
    Tree {
        below: descendants(root.id.pid),
        root,
        started_by,
    }
}

/// The topmost process of the tree around the first of `chain`, whose parents are the rest of it,
/// the nearest first: its index. For the other arguments see [`tree_of`].
pub fn root_among(chain: &[Process], sharing: &[u32], never: &[u32]) -> usize {
    let only_child = |parent: &Process| {
        let below = descendants(parent.id.pid);
        let children = below.iter().filter(|process| {
            Process::read(process.pid).is_some_and(|child| child.parent == parent.id.pid)
        });
        children.count() == 1
    };
    let sharing = sharing.iter().copied().collect();
    let never = never.iter().copied().collect();
    root(chain, &sharing, &never, &only_child)
}

/// How far up a chain (the holder first) its tree goes: the index of its root.
fn root(
    chain: &[Process],
    sharing: &HashSet<u32>,
    never: &HashSet<u32>,
    only_child: &dyn Fn(&Process) -> bool,
) -> usize {
    let mut root = 0;
    for (index, pair) in chain.windows(2).enumerate() {
        let (child, parent) = (&pair[0], &pair[1]);
        let belongs = parent.user == child.user
            && !never.contains(&parent.id.pid)
            && (sharing.contains(&parent.id.pid)
                || is_reloader_of(parent, child)
                || (parent.group == child.group && is_runner(parent) && only_child(parent)));
        if !belongs {
            break;
        }
        root = index + 1;
    }
    root
}

/// A server that starts itself once more in order to watch its own sources: the same program with
/// the same arguments.
fn is_reloader_of(parent: &Process, child: &Process) -> bool {
    parent.name == child.name && parent.words.len() > 1 && parent.words == child.words
}

/// Programs that do nothing but run another one and wait for it.
const RUNNERS: [&str; 30] = [
    "air", "bun", "bunx", "bundle", "cargo", "deno", "dotenv", "dotnet", "env", "go", "hatch",
    "just", "make", "mise", "nodemon", "npm", "npx", "nice", "nohup", "pdm", "pipenv", "pnpm",
    "pnpx", "poetry", "rye", "task", "time", "tsx", "uv", "yarn",
];

/// Shells, which are runners only with `-c`: without it somebody types into them, or they are a
/// script of their own.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "fish", "ash", "ksh"];

fn is_runner(process: &Process) -> bool {
    let words: Vec<&str> = match process.words.as_slice() {
        // npm writes its title over its arguments: `npm run dev` in one word.
        [title] => title.split(' ').collect(),
        words => words.iter().map(String::as_str).collect(),
    };
    let program = base(words.first().unwrap_or(&process.name.as_str()));
    let second = words.get(1).copied().unwrap_or_default();
    if SHELLS.contains(&program) {
        return second.starts_with('-') && !second.starts_with("--") && second.contains('c');
    }
    // `node /usr/lib/node_modules/npm/bin/npm-cli.js run dev`, `python /usr/bin/poetry run …`.
    let script = base(second);
    let script = script.strip_suffix("-cli").unwrap_or(script);
    let interpreted = program == "node" || program.starts_with("python") || program == "ruby";
    RUNNERS.contains(&program) || (interpreted && RUNNERS.contains(&script))
}

/// The name of a program or script without its directory and ending.
fn base(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let is_script = Path::new(name).extension().is_some_and(|ending| {
        ["js", "cjs", "mjs", "exe", "cmd"]
            .iter()
            .any(|&e| ending == e)
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

    fn process(pid: u32, group: u32, words: &[&str]) -> Process {
        Process {
            id: ProcessId { pid, started: 1 },
            parent: 0,
            group,
            user: Some(1000),
            name: base(words[0]).to_owned(),
            command: words.join(" "),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            dir: None,
        }
    }

    /// The pid of the root of a chain; every parent has one child but those in `busy`.
    fn root_of(chain: &[Process], sharing: &[u32], busy: &[u32]) -> u32 {
        let only = |parent: &Process| !busy.contains(&parent.id.pid);
        // In these tests pid 2 is never part of a tree.
        let (sharing, never) = (sharing.iter().copied().collect(), HashSet::from([2]));
        chain[root(chain, &sharing, &never, &only)].id.pid
    }

    #[test]
    fn a_worker_belongs_to_the_master_that_shares_its_socket() {
        let chain = [
            process(12, 10, &["nginx: worker process"]),
            process(11, 10, &["nginx: master process"]),
            process(10, 10, &["bash"]),
        ];
        assert_eq!(root_of(&chain, &[11, 13], &[]), 11);
        assert_eq!(root_of(&chain, &[], &[]), 12);
    }

    #[test]
    fn runners_belong_to_the_server_and_shells_with_a_person_do_not() {
        let chain = [
            process(14, 11, &["node", "/p/node_modules/.bin/vite"]),
            process(13, 11, &["sh", "-c", "vite --port 5173"]),
            process(12, 11, &["npm run dev"]),
            process(11, 11, &["/bin/bash", "-lc", "npm run dev"]),
            process(10, 10, &["-bash"]),
            process(9, 9, &["tmux: server"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 11);
        // A runner that runs more than this one is left alone.
        assert_eq!(root_of(&chain, &[], &[12]), 13);
        // Nor is anything of another job touched.
        let other = [chain[0].clone(), process(13, 7, &["sh", "-c", "vite"])];
        assert_eq!(root_of(&other, &[], &[]), 14);
    }

    #[test]
    fn a_script_of_a_person_is_no_runner() {
        let chain = [
            process(12, 10, &["python3", "-m", "http.server"]),
            process(10, 10, &["bash", "start.sh"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 12);
    }

    #[test]
    fn a_reloader_is_its_servers_root() {
        let words = ["/v/bin/python", "/v/bin/flask", "run"];
        let chain = [
            process(12, 10, &words),
            process(11, 10, &words),
            process(10, 10, &["zsh"]),
        ];
        assert_eq!(root_of(&chain, &[], &[]), 11);
    }

    #[test]
    fn what_is_never_part_of_it_is_not() {
        let words = ["sh", "-c", "portway free 9000 & exec server"];
        let chain = [process(12, 10, &["server"]), process(2, 10, &words)];
        assert_eq!(root_of(&chain, &[2], &[]), 12);
    }

    #[test]
    fn another_users_parent_is_never_part_of_it() {
        let mut parent = process(11, 10, &["npm"]);
        parent.user = Some(0);
        let chain = [process(12, 10, &["node", "x.js"]), parent];
        assert_eq!(root_of(&chain, &[11], &[]), 12);
    }

    #[test]
    fn runners_are_known_by_every_spelling() {
        for words in [
            &["npm run dev"][..],
            &["node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "run"],
            &["/usr/bin/python3", "/usr/bin/poetry", "run", "x"],
            &["sh", "-ec", "x"],
            &["C:\\Program Files\\nodejs\\npm.cmd", "run"],
            &["/root/.cargo/bin/cargo", "run"],
        ] {
            assert!(is_runner(&process(1, 1, words)), "{words:?}");
        }
        for words in [
            &["bash"][..],
            &["bash", "--login"],
            &["node", "server.js"],
            &["sshd"],
        ] {
            assert!(!is_runner(&process(1, 1, words)), "{words:?}");
        }
    }
}
