//! `cargo xtask windows --check`: types and lints for Windows and macOS, on Linux.
//!
//! Uses the standard library of the active toolchain if the target is installed
//! (`rustup target add`). Otherwise, installs Debian's compiler and builds the standard library
//! from Debian's sources once, which takes about a minute for each target. The result stays in the
//! user's cache until the compiler's version changes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo_program, root, run};
use crate::setup;

const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Debian's compiler (Rust 1.96), its library's sources, Clippy, and a linker and C compiler for
/// Windows.
const PACKAGES: &str =
    "rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64-posix";

/// A program of each of [`PACKAGES`] that has one.
const PROGRAMS: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/clippy-driver",
    "/usr/bin/x86_64-w64-mingw32-gcc",
];

/// Run Clippy on the shipped crates, and on the tests of the lower crates.
pub(crate) fn check() -> Result<(), String> {
    for target in TARGETS {
        println!("== {target}");
        let toolchain = Toolchain::find(target)?;
        for selection in [
            "--workspace --exclude xtask --exclude portway-testing --exclude portway-bench --exclude portway-chaos --lib --bins",
            "-p portway-api -p portway-detect -p portway-project -p portway-registry -p portway-ports -p portway-isolation --all-targets",
        ] {
            run(toolchain
                .cargo("clippy")
                .args(selection.split(' '))
                .args(["--", "--deny", "warnings"]))?;
        }
    }
    Ok(())
}

/// A compiler with the standard library of a target.
pub(crate) struct Toolchain {
    target: &'static str,
    /// The directory with the library that was built for Debian's compiler. `None` for the active
    /// toolchain.
    sysroot: Option<PathBuf>,
}

impl Toolchain {
    /// Find a toolchain for a target, or install one.
    pub(crate) fn find(target: &'static str) -> Result<Self, String> {
        if has_library(target) {
            return Ok(Self {
                target,
                sysroot: None,
            });
        }
        setup::debian(&PROGRAMS, PACKAGES)?;
        let sysroot = Some(sysroot(target)?);
        Ok(Self { target, sysroot })
    }

    /// `cargo SUBCOMMAND` for the target.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = match &self.sysroot {
            Some(sysroot) => {
                let mut cargo = debian_cargo();
                let flags = format!("--sysroot {}", sysroot.display());
                cargo.env(self.variable("RUSTFLAGS"), flags);
                cargo
            }
            None => Command::new(cargo_program()),
        };
        let target = self.target.replace('-', "_");
        if self.target.contains("windows") {
            command.env(self.variable("LINKER"), "x86_64-w64-mingw32-gcc");
        } else {
            // SQLite is written in C. Nothing is linked, so empty objects are enough.
            let stand_in = root().join("xtask/cross");
            command.env(format!("CC_{target}"), stand_in.join("cc"));
            command.env(format!("AR_{target}"), stand_in.join("ar"));
        }
        command
            .env("CARGO_TARGET_DIR", target_directory().join("cross"))
            .args([subcommand, "--quiet", "--locked", "--target", self.target]);
        command
    }

    /// The name of cargo's environment variable for a setting of the target.
    pub(crate) fn variable(&self, setting: &str) -> String {
        let target = self.target.replace('-', "_").to_uppercase();
        format!("CARGO_TARGET_{target}_{setting}")
    }
}

/// Debian's `cargo` with Debian's `rustc`, regardless of `PATH` and toolchain overrides.
fn debian_cargo() -> Command {
    let mut path = std::ffi::OsString::from("/usr/bin:");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("/usr/bin/cargo");
    command.env("PATH", path);
    for name in ["RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"] {
        command.env_remove(name);
    }
    command
}

/// Cargo's target directory.
pub(crate) fn target_directory() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether the active compiler has the standard library of a target.
fn has_library(target: &str) -> bool {
    output(Command::new("rustc").args(["--print", "sysroot"]))
        .is_ok_and(|root| Path::new(&root).join("lib/rustlib").join(target).is_dir())
}

/// Run a command and return what it prints.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("cannot run {command:?}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("failed ({}): {command:?}", output.status))
    }
}

/// The user's cache directory for toolchains and Wine.
pub(crate) fn cache() -> Result<PathBuf, String> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .ok_or("HOME is not set")?;
    Ok(cache.join("portway-cross"))
}

/// The directory with the standard library of `target`. Builds the library if it is missing.
fn sysroot(target: &str) -> Result<PathBuf, String> {
    let version = |package: &str| {
        output(Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]))
    };
    let compiler = version("rustc-web")?;
    if version("rust-web-src")? != compiler {
        return Err(
            "the packages `rustc-web` and `rust-web-src` have different versions\n\
                    help: upgrade both"
                .into(),
        );
    }
    let sysroot = cache()?.join(compiler);
    let libraries = sysroot.join("lib/rustlib");
    if !libraries.join(target).is_dir() {
        println!("== building the standard library for {target}, once");
        build_library(target, &libraries).map_err(|message| format!("{target}: {message}"))?;
    }
    Ok(sysroot)
}

/// Build the standard library together with an empty crate, and rename the result into
/// `libraries`.
fn build_library(target: &str, libraries: &Path) -> Result<(), String> {
    let message = |error: std::io::Error| error.to_string();
    fs::create_dir_all(libraries).map_err(message)?;
    // Another process may build it at the same time.
    let seed = libraries.join(format!("seed-{}", std::process::id()));
    let build = || -> Result<(), String> {
        fs::create_dir_all(seed.join("src")).map_err(message)?;
        fs::write(seed.join("src/lib.rs"), "").map_err(message)?;
        let manifest = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                        [workspace]\n";
        fs::write(seed.join("Cargo.toml"), manifest).map_err(message)?;
        let manifest = seed.join("Cargo.toml");
        let mut cargo = debian_cargo();
        // Allows the unstable option `build-std` with a stable compiler, for this build only.
        run(cargo
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", seed.join("target"))
            .args(["check", "--quiet", "--release", "--target", target])
            .args([
                "-Z",
                "build-std=std,panic_unwind,panic_abort,proc_macro,test",
            ])
            .arg("--manifest-path")
            .arg(manifest))?;
        let built = seed.join("built/lib");
        fs::create_dir_all(&built).map_err(message)?;
        let deps = seed.join("target").join(target).join("release/deps");
        for file in fs::read_dir(deps).map_err(message)?.flatten() {
            let path = file.path();
            if path.extension().is_some_and(|ending| ending == "rlib") {
                fs::copy(&path, built.join(file.file_name())).map_err(message)?;
            }
        }
        // Build scripts and macros run on this machine. An existing link is the same.
        let host = "x86_64-unknown-linux-gnu";
        let _ = std::os::unix::fs::symlink(
            Path::new("/usr/lib/rustlib").join(host),
            libraries.join(host),
        );
        match fs::rename(seed.join("built"), libraries.join(target)) {
            // The other process has completed it first.
            Err(_) if libraries.join(target).is_dir() => Ok(()),
            other => other.map_err(message),
        }
    };
    let result = build();
    // A leftover in the cache has no effect.
    let _ = fs::remove_dir_all(&seed);
    result
}
