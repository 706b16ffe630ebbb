//! `cargo xtask package`: put the same binary into the package of each package manager.
//!
//! Input: `packaging/platforms.json`, the only list of platforms, and the templates beside it. Output:
//! `target/packages/`, with the same bytes for the same input. Publishes nothing and needs no network.

mod archive;
mod binary;
mod npm;
mod platforms;
mod wheel;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use self::platforms::Platform;
use crate::command::{cargo, root, run as run_command};

/// The version of all packages, which is the version of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the packages say about Portway.
const DESCRIPTION: &str =
    "Give every service of every checkout its own port, and start and supervise the services";

/// The licenses that each package contains.
const LICENSES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

const USAGE: &str = "\
Build the packages of Portway in `target/packages`

usage: cargo xtask package [OPTION…]

options:
  --target TARGET          a Rust target of `packaging/platforms.json`; can be repeated
                           [default: x86_64-unknown-linux-gnu]
  --binary [TARGET=]FILE   use this binary instead of building it; can be repeated
  --out DIR                write the packages into another directory
  --test                   test packages with the debug binary in all package managers instead
";

/// What the arguments request.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// The targets, each with its binary if it need not be built.
    targets: Vec<(String, Option<PathBuf>)>,
    out: Option<PathBuf>,
}

/// A binary and the platform that it is for.
struct Built<'a> {
    platform: &'a Platform,
    binary: PathBuf,
}

/// Build or check each binary, then write all packages.
pub(crate) fn run(arguments: &[&str]) -> Result<(), String> {
    if arguments == ["--test"] {
        return test();
    }
    let options = parse(arguments)?;
    let list = platforms::read()?;
    let mut built = Vec::new();
    for (target, binary) in options.targets {
        let platform = platforms::find(&list, &target)?;
        let binary = match binary {
            Some(given) => std::path::absolute(&given)
                .map_err(|error| format!("cannot use `{}`: {error}", given.display()))?,
            None => {
                let binary = binary::build(platform)?;
                binary::check(platform, &binary)?;
                binary
            }
        };
        if !binary.is_file() {
            return Err(format!("`{}` is not a file", binary.display()));
        }
        built.push(Built { platform, binary });
    }
    let out = options.out.unwrap_or_else(|| target_dir().join("packages"));
    let out = std::path::absolute(&out)
        .map_err(|error| format!("cannot use `{}`: {error}", out.display()))?;
    for package in write_packages(&built, &out)? {
        println!("{}", package.display());
    }
    Ok(())
}

/// Test the packages, with the debug binary in them, in all package managers and under both kinds of Node.
pub(crate) fn test() -> Result<(), String> {
    let list = platforms::read()?;
    let platform = platforms::find(&list, platforms::DEFAULT)?;
    // With the features of the whole workspace, as in the other tests, so that nothing is compiled twice.
    run_command(&mut cargo("build --quiet --workspace --bin portway"))?;
    let temporary = target_dir().join("tmp/packages");
    let (binary, packages) = (temporary.join("portway"), temporary.join("files"));
    fs::create_dir_all(&temporary).map_err(|error| cannot("create", &temporary, &error))?;
    // Without its debug information, the binary is half as large.
    run_command(
        Command::new("strip")
            .arg("-o")
            .args([&binary, &target_dir().join("debug/portway")]),
    )?;
    write_packages(&[Built { platform, binary }], &packages)?;
    run_command(
        Command::new("npm")
            .args(["test", "--prefix"])
            .arg(root().join("tests/packages"))
            .env("PORTWAY_PACKAGES", packages)
            .env("PORTWAY_VERSION", VERSION)
            .env("PORTWAY_TEST_TMP", temporary.join("sandboxes"))
            .env("npm_config_update_notifier", "false"),
    )
}

/// Where cargo puts what it builds.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Writes all packages of the platforms into a directory, and returns their files.
fn write_packages(built: &[Built<'_>], out: &Path) -> Result<Vec<PathBuf>, String> {
    let stage = out.join("stage");
    for dir in [out, &stage] {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    let packages = write_all(built, &stage, out);
    fs::remove_dir_all(&stage).map_err(|error| cannot("remove", &stage, &error))?;
    packages
}

fn write_all(built: &[Built<'_>], stage: &Path, out: &Path) -> Result<Vec<PathBuf>, String> {
    let mut packages = npm::write(built, stage, out)?;
    for one in built {
        packages.push(wheel::write(one, stage, out)?);
        packages.extend(archive::write_release(one, stage, out)?);
    }
    packages.push(archive::write_installer(out)?);
    Ok(packages)
}

/// Copies the licenses into the directory of a package.
fn copy_licenses(dir: &Path) -> Result<(), String> {
    LICENSES
        .iter()
        .try_for_each(|name| copy(&root().join(name), &dir.join(name), 0o644))
}

/// Copies a file, and sets its mode, on which the umask of this process must have no effect.
fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), String> {
    let bytes = fs::read(from).map_err(|error| cannot("read", from, &error))?;
    write(to, &bytes, mode)
}

/// Writes a file with its directories and its mode.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|error| cannot("create", dir, &error))?;
    }
    fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .map_err(|error| cannot("write", path, &error))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} `{}`: {error}", path.display())
}

fn parse(arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(&option) = rest.next() {
        let mut value = || {
            let value = rest.next().copied();
            value.ok_or_else(|| format!("`{option}` needs a value\n\n{USAGE}"))
        };
        match option {
            "--target" => options.targets.push((value()?.to_owned(), None)),
            "--out" => options.out = Some(value()?.into()),
            "--binary" => {
                let value = value()?;
                let (target, file) = value.split_once('=').unwrap_or((platforms::DEFAULT, value));
                options.targets.push((target.to_owned(), Some(file.into())));
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if options.targets.is_empty() {
        options.targets.push((platforms::DEFAULT.to_owned(), None));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_options() {
        let target = |name: &str, file: Option<&str>| (name.to_owned(), file.map(PathBuf::from));
        let options = parse(&[]).unwrap();
        assert_eq!(options.targets, [target(platforms::DEFAULT, None)]);
        let words = [
            "--binary",
            "a/portway",
            "--binary",
            "t2=b=c",
            "--target",
            "t3",
        ];
        let options = parse(&[&words[..], &["--out", "d"]].concat()).unwrap();
        assert_eq!(
            options.targets,
            [
                target(platforms::DEFAULT, Some("a/portway")),
                target("t2", Some("b=c")),
                target("t3", None),
            ]
        );
        assert_eq!(options.out.as_deref(), Some(Path::new("d")));
        assert!(parse(&["--out"]).is_err());
        assert!(parse(&["--publish"]).is_err());
    }

    #[test]
    fn the_same_binary_gives_the_same_packages() {
        let list = platforms::read().unwrap();
        let dir = target_dir().join(format!("tmp/same-packages-{}", std::process::id()));
        let binary = dir.join("given");
        write(&binary, b"#!/bin/sh\n", 0o600).unwrap();
        let [first, second] = ["a", "b"].map(|name| {
            let all = list.iter().map(|platform| Built {
                platform,
                binary: binary.clone(),
            });
            // Neither the mode of the given file nor its time matters.
            write(&binary, b"#!/bin/sh\n", 0o640).unwrap();
            let files = write_packages(&all.collect::<Vec<_>>(), &dir.join(name)).unwrap();
            let content = files.iter().map(|file| {
                let name = file.file_name().unwrap().to_owned();
                (name, fs::read(file).unwrap())
            });
            content.collect::<Vec<_>>()
        });
        fs::remove_dir_all(&dir).unwrap();
        assert!(first == second);
        // The launcher and `install.sh`, and for each platform: npm, wheel, archive, checksum.
        assert_eq!(first.len(), 2 + 4 * list.len());
    }
}
