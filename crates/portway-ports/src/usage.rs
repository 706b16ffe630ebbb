//! What processes use of the machine.

use std::time::Duration;

use crate::platform;

/// What some processes use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since they started; on Linux with that of children that have ended, so that
    /// it grows as long as no process leaves the tree other than by being waited for.
    pub cpu: Duration,
    /// Resident memory in bytes; what processes share counts once for each.
    pub memory: u64,
    /// How many they are.
    pub processes: u32,
}

/// What each of `roots` uses, with everything below it; `None` for one that is gone.
pub fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    platform::usage(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_uses_memory_and_time() {
        let mut spent = Duration::ZERO;
        while spent.is_zero() {
            let own = usage(&[std::process::id()])[0].unwrap();
            assert!(own.memory >= 256 << 10, "{own:?}");
            assert!(own.processes >= 1, "{own:?}");
            spent = own.cpu;
        }
        assert!(spent < Duration::from_secs(3600), "{spent:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tree_counts_as_a_whole_and_ended_children_with_it() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
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
