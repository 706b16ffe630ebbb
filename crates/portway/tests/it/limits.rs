//! Limits of the system, and files that no program should read or write.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::sandbox::{Sandbox, http_get};

fn make_pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

/// Replaces a file of the project by a link to a device without an end.
fn link_to_endless(sandbox: &Sandbox, name: &str) {
    let path = sandbox.project().join(name);
    let _ = fs::remove_file(&path);
    symlink("/dev/zero", path).unwrap();
}

#[test]
fn an_env_file_that_is_no_regular_file_is_refused() {
    let sandbox =
        Sandbox::new().manifest("[services.a]\ncommand = \"sleep 600\"\nenv_file = \".env\"");
    let env = sandbox.project().join(".env");
    let refused = || {
        for command in [&["env"][..], &["up", "--detach"]] {
            sandbox
                .fails(command, 1, "failed")
                .mentions(env.display())
                .mentions("not a regular file");
        }
    };
    link_to_endless(&sandbox, ".env");
    refused();
    fs::remove_file(&env).unwrap();
    make_pipe(&env);
    refused();
    fs::remove_file(&env).unwrap();
    fs::File::create(&env).unwrap().set_len(1 << 30).unwrap();
    sandbox
        .fails(&["env"], 1, "failed")
        .mentions(env.display())
        .mentions("1 MiB");
}

#[test]
fn endless_files_of_git_are_refused() {
    let sandbox = Sandbox::new().manifest("[services.a]\ncommand = \"sleep 600\"\nport = \"%0\"");
    // Without git's files, Portway does not know whether this is the main checkout.
    let refused = |name: &str| {
        for command in ["detect", "up", "doctor"] {
            sandbox
                .fails(&[command], 1, "failed")
                .mentions(sandbox.project().join(name).display())
                .mentions("not a regular file");
        }
    };
    link_to_endless(&sandbox, ".git/HEAD");
    refused(".git/HEAD");
    fs::remove_file(sandbox.project().join(".git/HEAD")).unwrap();
    make_pipe(&sandbox.project().join(".git/HEAD"));
    refused(".git/HEAD");
    fs::remove_dir_all(sandbox.project().join(".git")).unwrap();
    link_to_endless(&sandbox, ".git");
    refused(".git");
    fs::remove_file(sandbox.project().join(".git")).unwrap();
    sandbox.run(&["detect"]).success();
}

#[test]
fn endless_files_are_reported_by_detection() {
    let sandbox = Sandbox::new().file("Procfile", "web: %service serve $PORT\n");
    make_pipe(&sandbox.project().join("compose.yaml"));
    sandbox
        .run(&["plan"])
        .success()
        .stderr_has("compose.yaml")
        .stderr_has("is not a regular file");
    for name in ["Procfile", "package.json"] {
        let sandbox = Sandbox::new();
        link_to_endless(&sandbox, name);
        sandbox
            .fails(&["plan"], 2, "no_manifest")
            .mentions(name)
            .mentions("is not a regular file");
    }
    link_to_endless(&sandbox, "portway.toml");
    sandbox
        .fails(&["plan"], 2, "manifest_invalid")
        .mentions("not a regular file");
}

#[test]
fn files_behind_links_are_not_written() {
    let sandbox = Sandbox::new().manifest("[services.a]\ncommand = \"sleep 600\"\nport = \"%0\"");
    let victim = sandbox.path("victim");
    fs::write(&victim, "mine\n").unwrap();
    let info = sandbox.project().join(".git/info");
    fs::create_dir(&info).unwrap();
    symlink(&victim, info.join("exclude")).unwrap();
    sandbox.run(&["detect"]).success();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "mine\n");
    // The directory is a link.
    fs::remove_dir_all(&info).unwrap();
    let elsewhere = sandbox.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, &info).unwrap();
    sandbox.run(&["detect"]).success();
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn lock_files_behind_links_are_not_written() {
    for name in ["registry.lock", "registry.db"] {
        let sandbox =
            Sandbox::new().manifest("[services.a]\ncommand = \"sleep 600\"\nport = \"%0\"");
        let victim = sandbox.path("victim");
        fs::create_dir_all(sandbox.state()).unwrap();
        symlink(&victim, sandbox.state().join(name)).unwrap();
        sandbox.fails(&["detect"], 1, "state").mentions(name);
        assert!(!victim.exists(), "{name}");
    }
}

#[test]
fn many_services_start_under_a_low_limit_of_open_files() {
    const SERVICES: u16 = 12;
    let manifest: String = (0..SERVICES)
        .map(|n| {
            format!(
                "[services.s{n}]\nport = \"%{n}\"\n\
                 command = \"ulimit -Sn > limit-{n}; exec %service serve {{port}}\"\n"
            )
        })
        .collect();
    let sandbox = Sandbox::new().manifest(&manifest);
    let mut up = sandbox.command("sh");
    let script = format!(
        "ulimit -Sn 64 && exec {} up --detach",
        env!("CARGO_BIN_EXE_portway")
    );
    up.args(["-c", &script]);
    sandbox.run_command(up).success();
    for n in 0..SERVICES {
        assert!(http_get(sandbox.port(n), "/").is_some());
        // The services keep the limit of the caller.
        assert_eq!(sandbox.read(&format!("limit-{n}")), "64\n");
    }
}

#[test]
fn a_program_is_not_missing_because_no_descriptor_is_left() {
    let sandbox =
        Sandbox::new().manifest("[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0\"");
    sandbox.run(&["detect"]).success();
    let mut failed = 0;
    for limit in 8..40 {
        let mut command = sandbox.command("sh");
        let portway = env!("CARGO_BIN_EXE_portway");
        let script = format!("ulimit -n {limit} && exec {portway} exec -- true");
        command.args(["-c", &script]);
        let output = sandbox.run_command(command);
        let stderr = output.stderr();
        if stderr.contains("cannot run `true`: Too many open files") {
            output.code(1);
            failed += 1;
        }
    }
    assert!(failed > 0, "no limit stopped the start of the command");
    sandbox.run(&["exec", "--", "./no-such-program"]).code(3);
}

#[test]
fn no_command_panics_when_no_descriptor_is_left() {
    let sandbox =
        Sandbox::new().manifest("[services.a]\ncommand = \"%service serve {port}\"\nport = \"%0\"");
    sandbox.run(&["up", "--detach"]).success();
    let mut failed = 0;
    for limit in 8..28 {
        for arguments in ["ps", "restart a", "wait --timeout 20s"] {
            let mut command = sandbox.command("sh");
            let portway = env!("CARGO_BIN_EXE_portway");
            let script = format!("ulimit -n {limit} && exec {portway} {arguments}");
            command.args(["-c", &script]);
            let output = sandbox.run_command(command);
            let stderr = output.stderr();
            assert!(!stderr.contains("panicked"), "{limit}: {stderr}");
            failed += usize::from(stderr.contains("oo many open files"));
        }
    }
    assert!(failed > 0, "no limit was too low");
    sandbox.wait_until_ready();
}
