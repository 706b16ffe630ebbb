//! Windows programs on Linux: Wine 10 of Debian 13 in a directory of the user's cache. (Debian 12
//! has Wine 8, which starts no program of today's compilers.)
//!
//! A [`Machine`] is a namespace of processes and mounts with one Wine in it. Its first process ends
//! when the chore does, however that comes, and the kernel ends everything else in it.

use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::setup;
use crate::steps::{root, run};

/// The variables through which a test's runner finds the machine that runs.
const MACHINE: &str = "PORTWAY_WINE_MACHINE";
const SYSTEM: &str = "PORTWAY_WINE_SYSTEM";

/// The code of a program that was killed because its time was up.
pub(crate) const OUT_OF_TIME: i32 = 137;

/// The machine's first process. `$0` is the directory of its system, the arguments are directories
/// that it shares with this one. It says a word when Wine can be used, and lives until its standard
/// input is closed.
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

/// A Wine that runs.
pub(crate) struct Machine {
    /// `unshare`, which waits for the first process.
    outer: Child,
    /// Where others find the machine.
    pub(crate) place: Place,
}

/// How to get into a machine.
pub(crate) struct Place {
    init: u32,
    system: PathBuf,
}

impl Machine {
    /// Starts the machine, installing it where it is missing. The directories are shared with it.
    pub(crate) fn start(cache: &Path, shared: &[&Path]) -> Result<Self, String> {
        if !setup::is_root() {
            return Err("Wine runs in a directory of its own, which takes root: use sudo".into());
        }
        let system = cache.join("wine-10");
        if !system.is_dir() {
            install(cache, &system)?;
        }
        Self::boot(&system, shared)
    }

    fn boot(system: &Path, shared: &[&Path]) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| format!("Wine does not start: {why}");
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
            .arg(system)
            .args(shared)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&error))?;
        let stdout = outer.stdout.take().ok_or("no output")?;
        let mut word = String::new();
        let _ = BufReader::new(stdout).read_line(&mut word);
        let children = format!("/proc/{0}/task/{0}/children", outer.id());
        let init = fs::read_to_string(children).unwrap_or_default();
        let init = init.trim().parse().unwrap_or(0);
        let machine = Self {
            outer,
            place: Place {
                init,
                system: system.to_owned(),
            },
        };
        if word.trim() == "ready" && init != 0 {
            Ok(machine)
        } else {
            Err(failed(&"its first process ended"))
        }
    }
}

impl Drop for Machine {
    /// Everything in it ends.
    fn drop(&mut self) {
        drop(self.outer.stdin.take());
        let _ = self.outer.wait();
    }
}

impl Place {
    /// For [`Place::told`] in a process that the command starts.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env(MACHINE, self.init.to_string());
        command.env(SYSTEM, &self.system);
    }

    /// The machine that runs now, as a process above has told.
    pub(crate) fn told() -> Option<Self> {
        Some(Self {
            init: env::var(MACHINE).ok()?.parse().ok()?,
            system: env::var_os(SYSTEM)?.into(),
        })
    }

    /// A Windows program, to be run in the machine and in this process's directory, and killed when
    /// its time is up ([`OUT_OF_TIME`]). Its streams must not be pipes: Wine passes standard error on
    /// to whatever outlives the program.
    pub(crate) fn command(&self, program: &Path, limit: Duration) -> Command {
        let script = "cd \"$0\"; exec timeout --signal KILL \"$@\"";
        let mut command = self.enter(script);
        command
            .arg(env::current_dir().unwrap_or_else(|_| root()))
            .arg(limit.as_secs().to_string())
            .arg("/usr/lib/wine/wine64")
            .arg(program);
        command
    }

    /// A shell in the machine.
    fn enter(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args([
                "--mount",
                "--pid",
                "--target",
                &self.init.to_string(),
                "chroot",
            ])
            .arg(&self.system)
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

/// Makes the machine's system: Debian 13 with Wine, and with what Wine makes at its first start.
fn install(cache: &Path, system: &Path) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    fs::create_dir_all(cache).map_err(words)?;
    // Two at once would make it twice.
    let lock = File::create(cache.join("wine-10.lock")).map_err(words)?;
    lock.lock().map_err(words)?;
    if system.is_dir() {
        return Ok(());
    }
    setup::debian(&["/usr/sbin/debootstrap"], "debootstrap")?;
    println!(
        "== installing Wine 10 of Debian 13 into {}, once",
        system.display()
    );
    let new = cache.join("wine-10.new");
    if new.is_dir() {
        fs::remove_dir_all(&new).map_err(words)?;
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
    .map_err(words)?;
    let machine = Machine::boot(&new, &[])?;
    run(&mut machine
        .place
        .enter("exec /usr/lib/wine/wine64 wineboot --init"))?;
    // It writes the registry when it ends.
    run(&mut machine
        .place
        .enter("exec /usr/lib/wine/wineserver64 --kill"))?;
    drop(machine);
    fs::rename(&new, system).map_err(words)
}
