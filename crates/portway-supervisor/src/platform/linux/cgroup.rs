//! Control groups (version 2): sets of processes that no process leaves by forking, and that the
//! kernel kills as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often, and after which pause, the removal of a group is tried again. The kernel counts a
/// process for a moment after its parent has waited for it.
const REMOVE_TRIES: u32 = 100;
const REMOVE_DELAY: Duration = Duration::from_millis(2);

/// A control group of one keeper.
#[derive(Debug)]
pub(crate) struct ControlGroup {
    path: PathBuf,
}

impl ControlGroup {
    /// Creates a group below the one of this process. `None` where that is not possible: without
    /// the rights, without version 2, or before Linux 5.14.
    pub(crate) fn create(name: &str) -> Option<Self> {
        let path = own_group()?.join(name);
        fs::create_dir(&path).ok()?;
        let group = Self { path };
        if group.path.join("cgroup.kill").exists() {
            return Some(group);
        }
        group.remove();
        None
    }

    /// Creates a group like [`ControlGroup::create`], but only below a group that the service manager
    /// has delegated. All other groups belong to their manager, which accounts for the processes in
    /// them and may remove groups that it does not know.
    pub(crate) fn create_delegated(name: &str) -> Option<Self> {
        let is_delegated = own_group()?.ancestors().any(is_delegated);
        is_delegated.then(|| Self::create(name))?
    }

    /// Opens the group with this path. `None` if it does not exist.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        let exists = path.join("cgroup.kill").exists();
        exists.then(|| Self {
            path: path.to_owned(),
        })
    }

    /// Returns the directory of the group.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the directory of the group.
    pub(super) fn open_dir(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Kills every process of the group, also those that are forked at this moment.
    pub(crate) fn kill(&self) {
        // Fails only when the group is removed already.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Returns whether the group, or one below it, has a process that still runs.
    pub(crate) fn is_populated(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events"));
        events.is_ok_and(|events| events.lines().any(|line| line == "populated 1"))
    }

    /// Returns the pids of the processes in the group and below.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let mut pids = Vec::new();
        collect_pids(&self.path, &mut pids);
        pids
    }

    /// Removes the group and those below it. Fails silently while a process is in one.
    pub(crate) fn remove(&self) {
        for _ in 0..REMOVE_TRIES {
            match remove_below(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    if self.is_populated() {
                        return;
                    }
                    thread::sleep(REMOVE_DELAY);
                }
                _ => return,
            }
        }
    }
}

/// Returns whether a group has the mark of delegation, as systemd sets it
/// (<https://systemd.io/CGROUP_DELEGATION>).
fn is_delegated(group: &Path) -> bool {
    let is_set = |name| {
        let mut value = [0; 8];
        rustix::fs::getxattr(group, name, &mut value).is_ok_and(|length| value[..length] == *b"1")
    };
    is_set("user.delegate") || is_set("trusted.delegate")
}

fn subgroups(path: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

fn collect_pids(path: &Path, pids: &mut Vec<u32>) {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    // Processes of other PID namespaces appear as 0.
    let listed = text.lines().filter_map(|pid| pid.parse().ok());
    pids.extend(listed.filter(|&pid: &u32| pid != 0));
    for below in subgroups(path) {
        collect_pids(&below, pids);
    }
}

fn remove_below(path: &Path) -> io::Result<()> {
    for below in subgroups(path) {
        remove_below(&below)?;
    }
    fs::remove_dir(path)
}

/// Returns the directory of this process's group.
fn own_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    locate(&groups, &mounts)
}

/// Finds the directory of a process's group, given its `cgroup` and `mountinfo`.
fn locate(groups: &str, mounts: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let group = Path::new(group);
    let found = mounts.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        if file_system.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, mount_point) = (fields.next()?, fields.next()?);
        let below = group.strip_prefix(unescape(root)).ok()?;
        Some(Path::new(&unescape(mount_point)).join(below))
    });
    // A group outside of the own namespace is displayed with `..`.
    let mut found = found.filter(|path| path.components().all(|part| part.as_os_str() != ".."));
    // Of several mounts over each other, the last one is visible.
    found.next_back()
}

/// Replaces the octal escapes of `mountinfo`, such as `\040` for a space.
fn unescape(text: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n")];
    let text = escapes
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locates_the_group_in_each_layout() {
        let unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw";
        let hybrid = "\
            31 30 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
        let container = "40 39 0:26 /docker/ab /sys/fs/cgroup ro - cgroup2 cgroup rw";
        for (groups, mounts, expected) in [
            (
                "0::/user.slice/a.scope\n",
                unified,
                Some("/sys/fs/cgroup/user.slice/a.scope"),
            ),
            ("4:pids:/x\n0::/\n", hybrid, Some("/sys/fs/cgroup/unified")),
            ("0::/docker/ab/c\n", container, Some("/sys/fs/cgroup/c")),
            ("0::/other\n", container, None),
            ("0::/../other\n", unified, None),
            ("4:pids:/x\n", hybrid, None),
            ("0::/\n", "", None),
        ] {
            let found = locate(groups, mounts);
            assert_eq!(found.as_deref(), expected.map(Path::new), "{groups}");
        }
    }

    #[test]
    fn unescapes_mount_points() {
        assert_eq!(unescape(r"/a\040b\134c"), r"/a b\c");
    }
}
