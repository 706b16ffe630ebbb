//! The other systems: types and lints for Windows and macOS, from Linux.
//!
//! Where the toolchain has the standard library of a system (`rustup target add`), that is used.
//! Otherwise Debian's own compiler comes with the library's sources, from which it is built once
//! (a minute a system) and kept in the user's cache for as long as the compiler is the same.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::setup;
use crate::steps::{root, run};

/// The systems.
const SYSTEMS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];

/// Debian's compiler (1.96, as needed), the library's sources, Clippy, and the linker and C
/// compiler for Windows.
const PACKAGES: &str =
    "rustc-web cargo-web rust-web-src rust-web-clippy gcc-mingw-w64-x86-64-posix";

/// A program of each of [`PACKAGES`].
const PROGRAMS: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/clippy-driver",
    "/usr/bin/x86_64-w64-mingw32-gcc",
];

/// Types and lints of everything that is shipped, and of the tests of the lower crates.
pub(crate) fn check() -> Result<(), String> {
    for system in SYSTEMS {
        println!("== {system}");
        let toolchain = Toolchain::of(system)?;
        for what in [
            "--workspace --exclude xtask --exclude portway-testing --exclude portway-bench --exclude portway-chaos --lib --bins",
            "-p portway-api -p portway-detect -p portway-project -p portway-registry -p portway-ports --all-targets",
        ] {
            run(toolchain
                .cargo("clippy")
                .args(what.split(' '))
                .args(["--", "--deny", "warnings"]))?;
        }
    }
    Ok(())
}

/// What builds for another system.
pub(crate) struct Toolchain {
    system: &'static str,
    /// The directory that has the standard library, when it is Debian's compiler that builds.
    sysroot: Option<PathBuf>,
}

impl Toolchain {
    /// Finds or makes it.
    pub(crate) fn of(system: &'static str) -> Result<Self, String> {
        if has_library(system) {
            return Ok(Self {
                system,
                sysroot: None,
            });
        }
        setup::debian(&PROGRAMS, PACKAGES)?;
        let sysroot = Some(sysroot(system)?);
        Ok(Self { system, sysroot })
    }

    /// `cargo VERB` for the system.
    pub(crate) fn cargo(&self, verb: &str) -> Command {
        let mut command = match &self.sysroot {
            Some(sysroot) => {
                let mut cargo = debians_cargo();
                let flags = format!("--sysroot {}", sysroot.display());
                cargo.env(self.variable("RUSTFLAGS"), flags);
                cargo
            }
            None => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
        };
        let system = self.system.replace('-', "_");
        if self.system.contains("windows") {
            command.env(self.variable("LINKER"), "x86_64-w64-mingw32-gcc");
        } else {
            // SQLite is C; nothing is linked, so an empty object will do.
            let stand_in = root().join("xtask/cross");
            command.env(format!("CC_{system}"), stand_in.join("cc"));
            command.env(format!("AR_{system}"), stand_in.join("ar"));
        }
        command
            .env("CARGO_TARGET_DIR", target().join("cross"))
            .args([verb, "--quiet", "--locked", "--target", self.system]);
        command
    }

    /// The name of a setting of cargo's that is for the system alone.
    pub(crate) fn variable(&self, name: &str) -> String {
        let system = self.system.replace('-', "_").to_uppercase();
        format!("CARGO_TARGET_{system}_{name}")
    }
}

/// Debian's `cargo` with Debian's `rustc`, whatever else is in `PATH` or asked for.
fn debians_cargo() -> Command {
    let mut path = std::ffi::OsString::from("/usr/bin:");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut command = Command::new("/usr/bin/cargo");
    command.env("PATH", path);
    for foreign in ["RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"] {
        command.env_remove(foreign);
    }
    command
}

/// Cargo's directory.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether the compiler in use has the standard library of a system.
fn has_library(system: &str) -> bool {
    output(Command::new("rustc").args(["--print", "sysroot"]))
        .is_ok_and(|root| Path::new(&root).join("lib/rustlib").join(system).is_dir())
}

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

/// The user's directory for what is made once.
pub(crate) fn cache() -> Result<PathBuf, String> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))
        .ok_or("HOME is not set")?;
    Ok(cache.join("portway-cross"))
}

/// The directory with the standard library of `system`, built from Debian's sources.
fn sysroot(system: &str) -> Result<PathBuf, String> {
    let version = |package: &str| {
        output(Command::new("dpkg-query").args(["-W", "-f", "${Version}", package]))
    };
    let compiler = version("rustc-web")?;
    if version("rust-web-src")? != compiler {
        return Err("rustc-web and rust-web-src are of different versions; upgrade both".into());
    }
    let sysroot = cache()?.join(compiler);
    let libraries = sysroot.join("lib/rustlib");
    if !libraries.join(system).is_dir() {
        println!("== building the standard library for {system}, once");
        build_library(system, &libraries).map_err(|why| format!("{system}: {why}"))?;
    }
    Ok(sysroot)
}

/// Builds the standard library beside an empty crate, and puts it into place in one step.
fn build_library(system: &str, libraries: &Path) -> Result<(), String> {
    let words = |error: std::io::Error| error.to_string();
    fs::create_dir_all(libraries).map_err(words)?;
    // Of several that build it at once each has its own.
    let seed = libraries.join(format!("seed-{}", std::process::id()));
    let built = || -> Result<(), String> {
        fs::create_dir_all(seed.join("src")).map_err(words)?;
        fs::write(seed.join("src/lib.rs"), "").map_err(words)?;
        let manifest = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
                        [workspace]\n";
        fs::write(seed.join("Cargo.toml"), manifest).map_err(words)?;
        let manifest = seed.join("Cargo.toml");
        let mut cargo = debians_cargo();
        // The one place that uses what is not stable yet: `build-std`.
        run(cargo
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", seed.join("target"))
            .args(["check", "--quiet", "--release", "--target", system])
            .args([
                "-Z",
                "build-std=std,panic_unwind,panic_abort,proc_macro,test",
            ])
            .arg("--manifest-path")
            .arg(manifest))?;
        let made = seed.join("made/lib");
        fs::create_dir_all(&made).map_err(words)?;
        let deps = seed.join("target").join(system).join("release/deps");
        for file in fs::read_dir(deps).map_err(words)?.flatten() {
            let path = file.path();
            if path.extension().is_some_and(|ending| ending == "rlib") {
                fs::copy(&path, made.join(file.file_name())).map_err(words)?;
            }
        }
        // What build scripts and macros are built with.
        let own = "x86_64-unknown-linux-gnu";
        let _ = std::os::unix::fs::symlink(
            Path::new("/usr/lib/rustlib").join(own),
            libraries.join(own),
        );
        match fs::rename(seed.join("made"), libraries.join(system)) {
            // Another was quicker.
            Err(_) if libraries.join(system).is_dir() => Ok(()),
            other => other.map_err(words),
        }
    };
    let result = built();
    let _ = fs::remove_dir_all(&seed);
    result
}
