//! A Docker engine for the repositories that need databases, in namespaces of its own.
//!
//! The task runs itself again in the namespaces: the engine, the projects, and the browser share one
//! network there, and the kernel kills all of them when the task ends. slirp4netns connects that
//! network to the outside, for package registries. The images are those of the tests, made of Debian
//! packages by `cargo xtask setup`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::command::root;
use crate::docker;
use crate::system::{is_installed, is_root};

/// Set for the task in the namespaces.
const INSIDE: &str = "CORPUS_ENGINE";
/// What the namespaces and the engine need.
const PROGRAMS: [&str; 6] = [
    "dockerd",
    "docker",
    "slirp4netns",
    "setpriv",
    "unshare",
    "ip",
];
/// How long the engine may take to start, and the network to be connected.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The first process of the namespaces. `/run` is private, because the engine uses fixed paths there.
const START: &str = r#"
mount -t tmpfs tmpfs /run && ip link set lo up || exit 1
echo '{}' > daemon.json
dockerd --config-file "$PWD/daemon.json" --data-root "$PWD/data" --exec-root /run/docker \
    --host "unix://$PWD/docker.sock" --pidfile /run/docker.pid --log-level warn > dockerd.log 2>&1 &
"$@"
"#;

/// Databases that one of the images can stand for: the first tag of the image, and its other names.
const NAMES: [(&str, &[&str]); 3] = [
    ("postgres:16", &["postgres", "library/postgres"]),
    ("redis:7", &["redis", "library/redis", "valkey/valkey"]),
    (
        "mariadb:11",
        &["mysql", "mariadb", "library/mysql", "library/mariadb"],
    ),
];

/// Runs this task again with an engine, if the machine can. Returns whether it has been run.
pub(super) fn enter(arguments: &[&str]) -> Result<bool, String> {
    let directory = directory();
    if std::env::var_os(INSIDE).is_some() {
        prepare(&directory)?;
        return Ok(false);
    }
    let can_run = is_root() && PROGRAMS.iter().all(|program| is_installed(program));
    if !can_run || !docker::directory().join("images").is_dir() {
        println!("== without a container engine");
        return Ok(false);
    }
    fs::create_dir_all(&directory)
        .map_err(|error| format!("cannot create `{}`: {error}", directory.display()))?;
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut task = with_this_task("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "sh", "-c", START, "sh"])
        .arg(own)
        .arg("corpus")
        .args(arguments)
        .env(INSIDE, "1")
        .env(
            "DOCKER_HOST",
            format!("unix://{}/docker.sock", directory.display()),
        )
        .env("DOCKER_CONFIG", docker::directory().join("config"))
        .current_dir(&directory)
        .spawn()
        .map_err(|error| format!("cannot run `unshare`: {error}"))?;
    let status = connect(&task).and_then(|network| wait_connected(&mut task, network));
    if status.is_err() {
        // Also ends everything in the namespaces.
        let _ = task.kill();
        let _ = task.wait();
    }
    match status?.success() {
        true => Ok(true),
        false => Err("the measurement with an engine failed".to_owned()),
    }
}

/// The engine's directory. Not that of the tests, which may run at the same time.
fn directory() -> PathBuf {
    root().join("target/corpus/engine")
}

/// Wait for the end of the task. Connect its network again if the connection is lost: without it, every
/// later repository would count as one that this machine cannot run.
fn wait_connected(task: &mut Child, mut network: Child) -> Result<ExitStatus, String> {
    let mut is_lost = false;
    let status = loop {
        if let Some(status) = task.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if is_lost {
            eprintln!("== connecting the network again");
            network = connect(task)?;
        }
        // The connection also ends with the namespaces, so the task is checked first.
        is_lost = !is_lost && matches!(network.try_wait(), Ok(Some(_)));
        thread::sleep(POLL_INTERVAL);
    };
    // It ends with the namespace; this only makes sure.
    let _ = network.kill();
    let _ = network.wait();
    Ok(status)
}

/// Connect the network of the namespaces to the outside.
fn connect(task: &Child) -> Result<Child, String> {
    let id = task.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let first = wait("the namespaces", || {
        let text = fs::read_to_string(&children).ok()?;
        text.split_whitespace().next().map(str::to_owned)
    })?;
    with_this_task("slirp4netns")
        .args([
            "--configure",
            "--mtu=65520",
            "--disable-host-loopback",
            &first,
            "tap0",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("cannot run `slirp4netns`: {error}"))
}

/// A command that the kernel kills if this task is killed.
fn with_this_task(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Wait for the engine and the network, remove old containers, and import the images.
fn prepare(directory: &Path) -> Result<(), String> {
    let log = directory.join("dockerd.log");
    wait(&format!("the engine, see {}", log.display()), || {
        docker(&["version"]).ok()
    })?;
    wait("the network", || {
        let routes = fs::read_to_string("/proc/net/route").ok()?;
        routes.contains("tap0").then_some(())
    })?;
    clean()?;
    let images = docker::directory().join("images");
    let entries =
        fs::read_dir(&images).map_err(|error| format!("{}: {error}", images.display()))?;
    for archive in entries.flatten().map(|entry| entry.path()) {
        if archive.extension().is_some_and(|ending| ending == "tar") {
            import(&archive)?;
        }
    }
    Ok(())
}

/// Remove all containers, networks, and volumes.
pub(super) fn clean() -> Result<(), String> {
    if std::env::var_os(INSIDE).is_none() {
        return Ok(());
    }
    for container in docker(&["ps", "--all", "--quiet"])?.lines() {
        docker(&["rm", "--force", "--volumes", container])?;
    }
    docker(&["network", "prune", "--force"])?;
    for volume in docker(&["volume", "ls", "--quiet"])?.lines() {
        docker(&["volume", "rm", "--force", volume])?;
    }
    Ok(())
}

/// Import an image if it is new. The file `NAME.changes` has a stamp, the tags, and the changes.
fn import(archive: &Path) -> Result<(), String> {
    let changes = archive.with_extension("changes");
    let text = fs::read_to_string(&changes)
        .map_err(|error| format!("cannot read `{}`: {error}", changes.display()))?;
    let mut lines = text.lines();
    let (stamp, tags) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let mut tags = tags.split(' ');
    let name = tags.next().unwrap_or_default();
    let known = docker(&["image", "inspect", "--format", "{{.Comment}}", name]);
    if !known.is_ok_and(|comment| comment.contains(stamp)) {
        let path = archive.display().to_string();
        let mut arguments = vec!["import", "--message", stamp];
        arguments.extend(lines.flat_map(|line| ["--change", line]));
        arguments.extend([path.as_str(), name]);
        docker(&arguments)?;
    }
    tags.try_for_each(|tag| docker(&["tag", name, tag]).map(|_| ()))
}

/// Give the images of databases the names by which the Compose files and Dockerfiles of a checkout call them.
pub(super) fn name_images(checkout: &Path) -> Result<(), String> {
    if std::env::var_os(INSIDE).is_none() {
        return Ok(());
    }
    let lines = |pattern: &str, files: &[&str]| {
        let mut git = Command::new("git");
        git.args(["grep", "-hE", pattern, "--"]).args(files);
        let output = git.current_dir(checkout).output();
        let output = output.map_err(|error| format!("cannot run git: {error}"))?;
        Ok::<_, String>(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let mut text = lines(r"^\s*image:", &["*.yml", "*.yaml"])?;
    text += &lines("^FROM ", &["*Dockerfile*"])?.replace("FROM ", "image: ");
    for (image, name) in images(&text) {
        docker(&["tag", image, &name])?;
    }
    Ok(())
}

/// The names of images in lines of Compose files, each with the image that stands for it.
fn images(lines: &str) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for line in lines.lines() {
        let value = line.split_once("image:").map_or("", |(_, value)| value);
        let word = value.split_whitespace().next().unwrap_or_default();
        // The default of a variable is what the engine gets.
        let plain = word.trim_matches(['"', '\'']).replace("${", "\0");
        let plain = match plain.split_once('\0') {
            Some((before, rest)) => {
                let (variable, after) = rest.split_once('}').unwrap_or((rest, ""));
                let default = variable.split_once('-').map_or("", |(_, default)| default);
                format!("{before}{default}{after}")
            }
            None => plain,
        };
        let plain = plain.trim_start_matches("docker.io/");
        let base = plain.split([':', '@']).next().unwrap_or_default();
        let image = NAMES.iter().find(|(_, names)| names.contains(&base));
        if let (Some((image, _)), false) = (image, plain.contains('@') || plain.ends_with(':')) {
            found.push((image, plain.to_owned()));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `docker`: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("docker {arguments:?}: {}", message.trim()))
}

/// Wait until there is an answer.
fn wait<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(answer) = answer() {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            return Err(format!("{what} did not start"));
        }
        thread::sleep(POLL_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_images_of_databases() {
        for (line, expected) in [
            (
                "    image: postgres:12.3-alpine",
                Some(("postgres:16", "postgres:12.3-alpine")),
            ),
            (
                "    image: \"mysql:8.4\" # the shop",
                Some(("mariadb:11", "mysql:8.4")),
            ),
            (
                "    image: docker.io/library/redis",
                Some(("redis:7", "library/redis")),
            ),
            (
                "    image: postgres:${VERSION:-15}",
                Some(("postgres:16", "postgres:15")),
            ),
            ("    image: postgres:${VERSION}", None),
            ("    image: redis@sha256:01", None),
            ("    image: mongo:7", None),
            ("    image: shop/postgres:1", None),
        ] {
            let expected = expected.map(|(image, name)| (image, name.to_owned()));
            assert_eq!(
                images(line),
                expected.into_iter().collect::<Vec<_>>(),
                "{line}"
            );
        }
        assert_eq!(images("image: redis:7\nimage: redis:7").len(), 1);
    }
}
