//! Wine 10 from Debian 13, in a directory of the user's cache. (Debian 12 has Wine 8, which cannot
//! start programs of current compilers.)
//!
//! A [`Container`] is a process namespace and a mount namespace with one Wine server. When this
//! task exits for any reason, the container's first process exits, and the kernel kills the rest.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::command::{root, run};
use crate::setup;

/// Environment variables that pass the container to the test runner.
const CONTAINER_PID: &str = "PORTWAY_WINE_MACHINE";
const CONTAINER_ROOT: &str = "PORTWAY_WINE_SYSTEM";

/// The exit code of a program that was killed after its time limit.
pub(crate) const TIMEOUT_CODE: i32 = 137;

/// The container's first process. `$0` is its root directory. The arguments are directories to
/// share with it. It prints `ready` when Wine can be used, and exits when its standard input is
/// closed.
const INIT: &str = r#"
mount --make-rprivate /
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
for dir in "$@"; do mkdir -p "$0$dir"; mount --bind "$dir" "$0$dir"; done
exec chroot "$0" /usr/bin/env -i PATH=/usr/bin:/bin HOME=/root XDG_RUNTIME_DIR=/tmp WINEPREFIX=/root/prefix \
    WINEDEBUG=-all /bin/sh -c '
        rm -rf /tmp/wine*
        mkdir -p $WINEPREFIX
        /usr/lib/wine/wineserver64 --foreground --persistent >/dev/null &
        until [ -S /tmp/wine*/server-*/socket ]; do kill -0 $! || exit; sleep 0.02; done
        echo ready
        exec cat >/dev/null'
"#;

/// A running container with Wine. Dropping it stops every process in it.
pub(crate) struct Container {
    /// `unshare`, the parent of the first process.
    outer: Child,
    pub(crate) id: ContainerId,
}

/// How other processes enter a container.
pub(crate) struct ContainerId {
    init: u32,
    root: PathBuf,
}

impl Container {
    /// Start a container that shares these directories. Installs Wine if it is missing.
    pub(crate) fn start(cache: &Path, shared: &[&Path]) -> Result<Self, String> {
        if !crate::system::is_root() {
            return Err("running Wine in a container needs root\nhelp: use `sudo`".into());
        }
        let root = cache.join("wine-10");
        if !root.is_dir() {
            install(cache, &root)?;
        }
        Self::boot(&root, shared)
    }

    fn boot(root: &Path, shared: &[&Path]) -> Result<Self, String> {
        let failed = |reason: &dyn std::fmt::Display| format!("cannot start Wine: {reason}");
        let mut outer = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "sh",
                "-ec",
                INIT,
            ])
            .arg(root)
            .args(shared)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let stdout = outer.stdout.take().ok_or("no output")?;
        let mut line = String::new();
        // After an error the line is empty, which is handled below.
        let _ = BufReader::new(stdout).read_line(&mut line);
        let children = format!("/proc/{0}/task/{0}/children", outer.id());
        let init = fs::read_to_string(children).unwrap_or_default();
        let init = init.trim().parse().unwrap_or(0);
        let container = Self {
            outer,
            id: ContainerId {
                init,
                root: root.to_owned(),
            },
        };
        if line.trim() == "ready" && init != 0 {
            Ok(container)
        } else {
            Err(failed(&"its first process exited"))
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.outer.stdin.take());
        // An error cannot be handled here.
        let _ = self.outer.wait();
    }
}

impl ContainerId {
    /// Set the variables that [`ContainerId::from_environment`] reads in the command's children.
    pub(crate) fn set_environment(&self, command: &mut Command) {
        command.env(CONTAINER_PID, self.init.to_string());
        command.env(CONTAINER_ROOT, &self.root);
    }

    /// The container that a parent process has set.
    pub(crate) fn from_environment() -> Option<Self> {
        Some(Self {
            init: env::var(CONTAINER_PID).ok()?.parse().ok()?,
            root: env::var_os(CONTAINER_ROOT)?.into(),
        })
    }

    /// A command that runs a Windows program in the container and in the current directory, and
    /// kills it after `limit` (exit code [`TIMEOUT_CODE`]). Its streams must not be pipes, because
    /// Wine passes standard error on to processes that outlive the program.
    pub(crate) fn command(&self, program: &Path, limit: Duration) -> Command {
        let script = "cd \"$0\"; exec timeout --signal KILL \"$@\"";
        let mut command = self.shell(script);
        command
            .arg(env::current_dir().unwrap_or_else(|_| root()))
            .arg(limit.as_secs().to_string())
            .arg("/usr/lib/wine/wine64")
            .arg(program);
        command
    }

    /// A command that runs a shell script in the container.
    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--mount",
                "--pid",
                "--target",
                &self.init.to_string(),
                "chroot",
            ])
            .arg(&self.root)
            .args([
                "/usr/bin/env",
                "-i",
                "PATH=/usr/bin:/bin",
                "HOME=/root",
                "XDG_RUNTIME_DIR=/tmp",
            ])
            .args([
                "WINEPREFIX=/root/prefix",
                "WINEDEBUG=-all",
                "RUST_BACKTRACE=1",
            ])
            .args(["/bin/sh", "-c", script])
            .stdin(Stdio::null());
        command
    }
}

/// Install Debian 13 with Wine into `root`, and let Wine create its prefix.
fn install(cache: &Path, root: &Path) -> Result<(), String> {
    let message = |error: std::io::Error| error.to_string();
    fs::create_dir_all(cache).map_err(message)?;
    // Another task may install it at the same time.
    let lock = File::create(cache.join("wine-10.lock")).map_err(message)?;
    lock.lock().map_err(message)?;
    if root.is_dir() {
        return Ok(());
    }
    setup::debian(&["/usr/sbin/debootstrap"], "debootstrap")?;
    println!(
        "== installing Wine 10 from Debian 13 into {}, once",
        root.display()
    );
    let new = cache.join("wine-10.new");
    if new.is_dir() {
        fs::remove_dir_all(&new).map_err(message)?;
    }
    run(Command::new("/usr/sbin/debootstrap")
        .args(["--variant=minbase", "trixie"])
        .arg(&new)
        .stdout(Stdio::null()))?;
    for step in [
        "apt-get install -y -q --no-install-recommends wine64",
        "apt-get clean",
    ] {
        run(Command::new("chroot")
            .arg(&new)
            .args(step.split(' '))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdout(Stdio::null()))?;
    }
    fs::write(
        new.join("etc/hosts"),
        "127.0.0.1 localhost\n::1 localhost\n",
    )
    .map_err(message)?;
    let container = Container::boot(&new, &[])?;
    run(&mut container
        .id
        .shell("exec /usr/lib/wine/wine64 wineboot --init"))?;
    // The server writes the registry when it exits.
    run(&mut container.id.shell("exec /usr/lib/wine/wineserver64 --kill"))?;
    drop(container);
    fs::rename(&new, root).map_err(message)
}
