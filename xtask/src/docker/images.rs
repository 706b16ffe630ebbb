//! The images, as archives for `docker import`.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::remove;
use crate::command::{output, run};
use crate::debian::{Sources, create, unpack};

/// An image that behaves like an official one, made of Debian's version of the program.
struct Image {
    /// The name of its files, with which the names of the packages of programs start, too.
    name: &'static str,
    /// All names of the image.
    tags: &'static [&'static str],
    packages: &'static [&'static str],
    entrypoint: &'static str,
    /// Another script in `/usr/bin`, with its name.
    script: Option<(&'static str, &'static str)>,
    /// Directories that the user of the program owns.
    directories: &'static [&'static str],
    /// Instructions of a Dockerfile.
    changes: &'static [&'static str],
}

const IMAGES: &[Image] = &[
    Image {
        name: "redis",
        tags: &["redis:7", "redis:7-alpine"],
        packages: &["redis-server", "bash"],
        entrypoint: include_str!("../../../testing/docker/redis.sh"),
        script: None,
        directories: &["data"],
        changes: &[
            "WORKDIR /data",
            "VOLUME /data",
            "EXPOSE 6379",
            "USER user",
            "CMD [\"redis-server\"]",
        ],
    },
    Image {
        name: "postgresql",
        tags: &["postgres:16", "postgres:16-alpine"],
        packages: &["postgresql", "tzdata", "bash"],
        entrypoint: include_str!("../../../testing/docker/postgres.sh"),
        script: None,
        directories: &["var/lib/postgresql/data", "run/postgresql"],
        changes: &[
            "ENV PGDATA=/var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data",
            "EXPOSE 5432",
            "USER user",
            "CMD [\"postgres\"]",
        ],
    },
    Image {
        name: "mariadb",
        tags: &["mysql:8", "mariadb:11"],
        packages: &["mariadb-server-core", "mariadb-client", "tzdata", "bash"],
        entrypoint: include_str!("../../../testing/docker/mysql.sh"),
        script: Some((
            "healthcheck.sh",
            include_str!("../../../testing/docker/healthcheck.sh"),
        )),
        directories: &["var/lib/mysql", "run/mysqld"],
        changes: &[
            "VOLUME /var/lib/mysql",
            "EXPOSE 3306",
            "USER user",
            "CMD [\"mariadbd\"]",
        ],
    },
];

/// Packages that a program depends on, but does not need in a container.
const OMITTED: [&str; 5] = [
    "libllvm",
    "libz3",
    "libperl",
    "libsemanage",
    "libpam-modules",
];

/// Make the archives that are missing or old.
pub(super) fn prepare(directory: &Path) -> Result<(), String> {
    IMAGES
        .iter()
        .try_for_each(|image| prepare_image(image, directory))
}

fn prepare_image(image: &Image, directory: &Path) -> Result<(), String> {
    let images = directory.join("images");
    // Written last, so an interrupted preparation is repeated.
    let record = images.join(image.name).with_extension("changes");
    let archive = images.join(image.name).with_extension("tar");
    let mut input = format!("{:?} {:?} {:?}", image.tags, image.packages, image.changes);
    if let Some(script) = image.script {
        input += &format!("{script:?}");
    }
    let stamp = format!("# {:016x}", hash(&(input + image.entrypoint)));
    let old = fs::read_to_string(&record).unwrap_or_default();
    if old.lines().next() == Some(&stamp) && archive.is_file() {
        return Ok(());
    }
    println!("== making the image {} of Debian packages", image.name);
    create(&images)?;
    let work = directory.join(image.name);
    let sources = Sources::default();
    let needed = sources.with_dependencies(image.packages)?;
    let needed: Vec<String> = needed
        .into_iter()
        .filter(|name| is_needed(name, image))
        .chain(["busybox-static".to_owned()])
        .collect();
    let files = sources.download(&needed, &work)?;
    let root = work.join("root");
    unpack(&files, &root)?;
    let path = complete(image, &root)?;
    run(Command::new("tar")
        .args(["--create", "--numeric-owner", "--file"])
        .arg(&archive)
        .args(["--exclude=./usr/share/doc", "--exclude=./usr/share/man"])
        .args(["--exclude=./usr/share/locale", "--exclude=bitcode"])
        .arg("--directory")
        .arg(&root)
        .arg("."))?;
    let mut lines = vec![stamp, image.tags.join(" ")];
    lines.push(format!("ENV PATH={path}"));
    lines.push("ENTRYPOINT [\"/entrypoint.sh\"]".to_owned());
    lines.extend(image.changes.iter().map(|&change| change.to_owned()));
    fs::write(&record, lines.join("\n") + "\n").map_err(|error| error.to_string())?;
    remove(&work)
}

/// Whether a container needs a package: libraries and the programs.
fn is_needed(name: &str, image: &Image) -> bool {
    let is_program = name.starts_with(image.name) && !name.ends_with("-common")
        || ["bash", "tzdata"].contains(&name) && image.packages.contains(&name);
    let is_library = name.starts_with("lib") && !name.ends_with("-perl") || name == "zlib1g";
    let is_omitted = OMITTED.iter().any(|omitted| name.starts_with(omitted));
    is_program || is_library && !is_omitted
}

/// Add a shell, a user, and the entry point to the programs. Returns the directories of programs.
fn complete(image: &Image, root: &Path) -> Result<String, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", root.display());
    let busybox = root.join("bin/busybox");
    for applet in output(Command::new(&busybox).arg("--list"))?.lines() {
        let path = root.join("bin").join(applet);
        if !path.exists() && !root.join("usr/bin").join(applet).exists() {
            std::os::unix::fs::symlink("busybox", path).map_err(fail)?;
        }
    }
    for directory in ["etc", "tmp", "proc", "run"] {
        create(&root.join(directory))?;
    }
    let users = "root:x:0:0::/:/bin/sh\nuser:x:999:999::/:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).map_err(fail)?;
    fs::write(root.join("etc/group"), "root:x:0:\nuser:x:999:\n").map_err(fail)?;
    let script = image
        .script
        .map(|(name, text)| (root.join("usr/bin").join(name), text));
    let entrypoint = (root.join("entrypoint.sh"), image.entrypoint);
    for (path, text) in [entrypoint].into_iter().chain(script) {
        fs::write(&path, text).map_err(fail)?;
        run(Command::new("chmod").arg("755").arg(path))?;
    }
    run(Command::new("chmod").arg("1777").arg(root.join("tmp")))?;
    // Debian's paths below /var/run.
    let var_run = root.join("var/run");
    if !var_run.exists() {
        create(&root.join("var"))?;
        std::os::unix::fs::symlink("/run", var_run).map_err(fail)?;
    }
    for directory in image.directories {
        create(&root.join(directory))?;
        run(Command::new("chown")
            .arg("999:999")
            .arg(root.join(directory)))?;
    }
    let mut path = "/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    for version in fs::read_dir(root.join("usr/lib/postgresql"))
        .into_iter()
        .flatten()
    {
        let version = version.map_err(fail)?.file_name();
        path = format!(
            "/usr/lib/postgresql/{}/bin:{path}",
            version.to_string_lossy()
        );
    }
    Ok(path)
}

/// A hash that is the same in every run.
fn hash(text: &str) -> u64 {
    // FNV-1a.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
