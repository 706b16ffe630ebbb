//! Runs Portway with state directories of its own, and with a time limit.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often the end of a command is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Directories and the binary that all commands for one repository use.
#[derive(Debug)]
pub(super) struct Sandbox {
    binary: PathBuf,
    /// The directory of this repository, removed at its start.
    pub(super) dir: PathBuf,
    cache: PathBuf,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// Missing if it was killed, or stopped after the time limit.
    pub(super) code: Option<i32>,
    pub(super) timed_out: bool,
}

impl Sandbox {
    /// The empty directory `name` below `target/corpus`. Its path must be short, because that of a
    /// socket is limited to about 100 bytes.
    pub(super) fn create(binary: &Path, target: &Path, name: &str) -> Result<Self, String> {
        let dir = target.join(name);
        let cache = target.join("cache");
        let failed = |error| format!("cannot prepare `{}`: {error}", dir.display());
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(failed)?;
        }
        for part in ["state", "config", "data", "runtime", "tmp"] {
            fs::create_dir_all(dir.join(part)).map_err(failed)?;
        }
        fs::create_dir_all(&cache).map_err(failed)?;
        // For pnpm in scripts that pnpm runs, which does not pass the variable on.
        let settings = dir.join("config/pnpm");
        fs::create_dir_all(&settings).map_err(failed)?;
        fs::write(
            settings.join("rc"),
            "manage-package-manager-versions=false\n",
        )
        .map_err(failed)?;
        Ok(Self {
            binary: binary.to_owned(),
            dir,
            cache,
        })
    }

    /// Run Portway in a checkout. After `limit`, only this command is stopped, and not what it
    /// started: `portway down` does that.
    pub(super) fn portway(
        &self,
        directory: &Path,
        arguments: &[&str],
        limit: Duration,
    ) -> Result<Answer, String> {
        let mut command = Command::new(&self.binary);
        command.args(arguments);
        self.run(command, directory, limit)
    }

    /// Run a command with the environment of the sandbox.
    pub(super) fn run(
        &self,
        mut command: Command,
        directory: &Path,
        limit: Duration,
    ) -> Result<Answer, String> {
        let (out, err) = (self.dir.join("stdout"), self.dir.join("stderr"));
        let create = |path: &Path| {
            File::create(path)
                .map_err(|error| format!("cannot create `{}`: {error}", path.display()))
        };
        command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(create(&out)?)
            .stderr(create(&err)?)
            .process_group(0);
        self.set_environment(&mut command);
        let mut child = command
            .spawn()
            .map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let started = Instant::now();
        let mut timed_out = false;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if started.elapsed() > limit {
                timed_out = true;
                child.kill().map_err(|error| error.to_string())?;
                break child.wait().map_err(|error| error.to_string())?;
            }
            thread::sleep(POLL_INTERVAL);
        };
        let read = |path: &Path| {
            let bytes = fs::read(path).map_err(|error| error.to_string())?;
            Ok::<_, String>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Answer {
            stdout: read(&out)?,
            stderr: read(&err)?,
            code: status.code(),
            timed_out,
        })
    }

    /// Directories of Portway for this repository alone, and caches of package managers for all.
    fn set_environment(&self, command: &mut Command) {
        for (name, part) in [
            ("XDG_STATE_HOME", "state"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_RUNTIME_DIR", "runtime"),
            ("TMPDIR", "tmp"),
        ] {
            command.env(name, self.dir.join(part));
        }
        for (name, part) in [
            ("XDG_CACHE_HOME", "xdg"),
            ("npm_config_cache", "npm"),
            ("npm_config_store_dir", "pnpm"),
            ("YARN_CACHE_FOLDER", "yarn"),
            ("COREPACK_HOME", "corepack"),
            ("PIP_CACHE_DIR", "pip"),
            ("UV_CACHE_DIR", "uv"),
            ("CARGO_TARGET_DIR", ""),
        ] {
            if part.is_empty() {
                command.env_remove(name);
            } else {
                command.env(name, self.cache.join(part));
            }
        }
        command
            .env("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0")
            // Mirrors of the registry may have no signatures, which Corepack and pnpm otherwise require.
            .env("COREPACK_INTEGRITY_KEYS", "0")
            .env("npm_config_manage_package_manager_versions", "false")
            .env("npm_config_update_notifier", "false")
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .env("NUXT_TELEMETRY_DISABLED", "1")
            .env_remove("CARGO")
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("PORT")
            .env_remove("HOST")
            .env_remove("DATABASE_URL");
    }
}
