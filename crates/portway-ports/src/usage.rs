//! What processes use of the machine.

use std::time::Duration;

use crate::platform;

/// What some processes use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since they started, with that of children that have ended. It grows as long
    /// as no process leaves the tree other than by being waited for.
    pub cpu: Duration,
    /// Resident memory in bytes; what processes share counts once for each.
    pub memory: u64,
    /// How many they are.
    pub processes: u32,
}

/// What each of `roots` uses, with everything below it; `None` for one that is gone, and for all
/// where this system is not asked yet (macOS, Windows).
pub fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    platform::usage(roots)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn a_tree_counts_as_a_whole_and_ended_children_with_it() {
        // A shell whose first child works and ends, and whose second stays until its input ends.
        let script = "exec 3<&0; i=0; (while [ $i -lt 100000 ]; do i=$((i+1)); done); \
                      cat <&3 & echo there; wait";
        let mut shell = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let found = usage(&[shell.id(), u32::MAX]);
        let of_shell = found[0].unwrap();
        assert_eq!(found[1], None);
        assert_eq!(of_shell.processes, 2);
        assert!(of_shell.cpu >= Duration::from_millis(20), "{of_shell:?}");
        assert!(of_shell.memory >= 256 << 10, "{of_shell:?}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}
