//! Processor time and memory of process trees.

use std::time::Duration;

use super::platform;

/// What the processes of a tree use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Processor time since the processes started. On Linux it includes children that have exited
    /// and were waited for.
    pub cpu: Duration,
    /// Resident memory in bytes; memory that processes share counts once for each of them.
    pub memory: u64,
    /// The number of processes.
    pub processes: u32,
}

/// Returns what each of `roots` uses together with its descendants; `None` for a process that is
/// gone.
pub fn usage(roots: &[u32]) -> Vec<Option<Usage>> {
    platform::usage(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_memory_and_processor_time() {
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
    fn includes_descendants_and_children_that_have_exited() {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        // The shell's first child uses processor time and exits; the second runs until its input
        // is closed.
        let script = "exec 3<&0; i=0; (while [ $i -lt 100000 ]; do i=$((i+1)); done); \
                      cat <&3 & echo ready; wait";
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
