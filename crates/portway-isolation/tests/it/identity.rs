//! Who a program inside is, and what it may do.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use portway_isolation::{Namespace, Step, capability};

use crate::support::{GROUP, Running, USER, as_ordinary_user, for_each_user, network, program};

fn status_field(status: &str, name: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {status}"))
        .trim()
        .to_owned()
}

#[test]
fn a_program_inside_has_the_same_user_and_no_more_capabilities() {
    for_each_user(|| {
        let network = network();
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let mut command = Command::new("cat");
        command.arg("/proc/self/status");
        network.namespace().enter(&mut command).unwrap();
        let inside = String::from_utf8(command.output().unwrap().stdout).unwrap();
        for name in ["Uid:", "Gid:", "CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(
                status_field(&inside, name),
                status_field(&own, name),
                "{name}"
            );
        }
        if !rustix::process::geteuid().is_root() {
            assert_eq!(status_field(&inside, "CapEff:"), "0000000000000000");
        }
    });
}

#[test]
fn a_process_that_joins_without_a_program_has_no_capabilities_in_the_namespace() {
    // Such a process is a keeper. The closure runs before the program starts.
    for_each_user(|| {
        use std::os::unix::process::CommandExt;
        let network = network();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("status");
        let target = path.clone();
        let mut command = Command::new("true");
        network.namespace().enter(&mut command).unwrap();
        // SAFETY: `fs` allocates, which works in a child of this test.
        #[allow(unsafe_code)]
        unsafe {
            command.pre_exec(move || {
                fs::write(&target, fs::read("/proc/self/status")?)?;
                Ok(())
            });
        }
        assert!(command.status().unwrap().success());
        let status = fs::read_to_string(path).unwrap();
        if !rustix::process::geteuid().is_root() {
            assert_eq!(status_field(&status, "CapEff:"), "0000000000000000");
            assert_eq!(status_field(&status, "CapPrm:"), "0000000000000000");
        }
    });
}

#[test]
fn files_and_groups_of_the_user_work_inside() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file to another group");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = |name: &str, group: u32| {
        let path = dir.path().join(name);
        fs::write(&path, name).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        chown(&path, Some(0), Some(group)).unwrap();
        path
    };
    let (shared, private) = (file("shared", GROUP), file("private", GROUP + 1));
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    chown(&own, Some(USER), Some(USER)).unwrap();
    let script = format!(
        "cat {} && ! cat {} 2>&1 && touch {}/new && id -u",
        shared.display(),
        private.display(),
        own.display()
    );
    let output = as_ordinary_user(&program())
        .args(["--", "sh", "-c", &script])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(
        text.contains("shared") && text.ends_with(&format!("{USER}\n")),
        "{text}"
    );
    let new = fs::metadata(own.join("new")).unwrap();
    assert_eq!((new.uid(), new.gid()), (USER, USER));
}

#[test]
fn a_namespace_is_opened_through_a_process_inside() {
    for_each_user(|| {
        let network = network();
        let mut program = Running::python(
            &network,
            "import time; print('ready', flush=True); time.sleep(600)",
        );
        assert_eq!(program.line(), "ready");
        let namespace = Namespace::of_process(program.0.id()).unwrap().unwrap();
        assert_eq!(
            namespace.inode().unwrap(),
            network.namespace().inode().unwrap()
        );
        assert!(Namespace::of_process(std::process::id()).unwrap().is_none());
        let mut command = Command::new("readlink");
        command.arg("/proc/self/ns/net");
        namespace.enter(&mut command).unwrap();
        let inside = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(inside, format!("net:[{}]\n", namespace.inode().unwrap()));
    });
}

#[test]
fn low_ports_can_be_bound_inside_and_abstract_sockets_are_separate() {
    for_each_user(|| {
        let network = network();
        let name = format!("\\0portway-test-{}", std::process::id());
        let script = format!(
            "import socket, time\n\
             a = socket.create_server(('127.0.0.1', 80))\n\
             b = socket.socket(socket.AF_UNIX); b.bind('{name}')\n\
             print('bound', flush=True); time.sleep(600)\n"
        );
        let mut inside = Running::python(&network, &script);
        assert_eq!(inside.line(), "bound");
        let mut other = Running::python(&crate::support::network(), &script);
        assert_eq!(other.line(), "bound");
    });
}

#[test]
fn this_machine_is_capable() {
    for_each_user(|| {
        let capability = capability();
        assert!(
            capability.is_available(),
            "{:?}\nhelp: run `cargo xtask setup`",
            capability.obstacles
        );
    });
}

#[test]
fn the_cause_of_an_obstacle_is_found() {
    // A process without the right to create more namespaces, and one without the device.
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can take rights away");
        return;
    }
    let own = std::env::current_exe().unwrap();
    for (name, script) in [
        (
            "root_without_capabilities",
            "exec setpriv --bounding-set=-all \"$@\"",
        ),
        (
            "no_user_namespaces",
            // The limit of a user namespace applies to those inside it only.
            "exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \
             unshare --user --map-current-user --keep-caps \
             sh -c 'echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"' sh \"$@\"",
        ),
        (
            "no_device",
            "mount -t tmpfs tmpfs /dev/net && \
             exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all \"$@\"",
        ),
    ] {
        let output = Command::new("unshare")
            .args(["--mount", "--propagation", "private"])
            .args(["sh", "-c", script, "sh"])
            .arg(&own)
            .args(["--exact", "identity::reports_its_obstacle", "--nocapture"])
            .env(OBSTACLE, name)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{name}: {text}\n{output:?}");
        assert!(text.contains(&format!("found {name}")), "{text}");
    }
}

/// Names the obstacle that [`reports_its_obstacle`] expects, in a process that
/// [`the_cause_of_an_obstacle_is_found`] starts.
const OBSTACLE: &str = "PORTWAY_TEST_OBSTACLE";

#[test]
#[allow(clippy::print_stdout, reason = "read by another test")]
fn reports_its_obstacle() {
    let Ok(name) = std::env::var(OBSTACLE) else {
        return;
    };
    let failed = portway_isolation::Facts::read()
        .failed
        .map(|failed| failed.step);
    let obstacle = capability().obstacles.remove(0);
    let (step, help) = match name.as_str() {
        "root_without_capabilities" => (Step::Create, "SYS_ADMIN"),
        "no_user_namespaces" => (Step::Create, "user.max_user_namespaces=10000"),
        _ => (Step::Tun, "modprobe tun"),
    };
    assert_eq!(failed, Some(step), "{obstacle:?}");
    assert!(obstacle.help.contains(help), "{obstacle:?}");
    println!("found {name}");
}
