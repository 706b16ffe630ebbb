//! `portway agents install`: the files that it writes, that undoing restores them, and that the hooks work.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::sandbox::{CommandOutput, Sandbox};

const MANIFEST: &str = "\
[services.web]
command = \"%service serve {port}\"
port = \"%0-%9\"
main = true
";

const SETTINGS: &str = "{\n    \"permissions\": { \"allow\": [\"Bash(ls)\"] },\n    \"hooks\": {\n        \
                        \"SessionStart\": [\n            { \"hooks\": [] }\n        ]\n    }\n}";

/// A real repository with a project.
fn repository() -> Sandbox {
    let sandbox = Sandbox::new().manifest(MANIFEST);
    fs::remove_dir_all(sandbox.project().join(".git")).unwrap();
    sandbox.git(sandbox.project(), &["init", "--quiet"]);
    sandbox.git(sandbox.project(), &["add", "."]);
    sandbox.git(sandbox.project(), &["commit", "--quiet", "-m", "first"]);
    sandbox
}

fn install(sandbox: &Sandbox, more: &[&str]) -> CommandOutput {
    sandbox.run(&[&["agents", "install", "--yes"], more].concat())
}

fn undo(sandbox: &Sandbox) {
    install(sandbox, &["--undo"]).success();
}

/// Every file below a directory, except git's own.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with(".git") => {
                all.extend(contents(&path.join("hooks")));
            }
            true => all.extend(contents(&path)),
            false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    all
}

#[test]
fn every_file_is_written_as_expected_and_removed_again() {
    let sandbox = repository();
    let before = contents(sandbox.project());
    let shown = sandbox.run(&["agents", "install", "--dry-run"]);
    assert!(shown.success().stderr().contains("+ ## Services and ports"));
    assert_eq!(contents(sandbox.project()), before);
    install(&sandbox, &[]).success();
    let after = contents(sandbox.project());
    let mut golden = String::new();
    for (path, text) in &after {
        let name = path.strip_prefix(sandbox.project()).unwrap();
        // The text of the skill is a file of its own.
        if !before.contains_key(path) && !name.ends_with("SKILL.md") {
            let text = String::from_utf8_lossy(text);
            golden.push_str(&format!("=== {}\n{text}", name.display()));
        }
    }
    let port = sandbox.port(0).to_string();
    insta::assert_snapshot!("agents_files", golden.replace(&port, "PORT"));
    assert!(
        after
            .keys()
            .any(|path| path.ends_with("skills/portway/SKILL.md"))
    );
    install(&sandbox, &[]).success();
    assert_eq!(contents(sandbox.project()), after, "twice");
    undo(&sandbox);
    assert_eq!(contents(sandbox.project()), before);
    for dir in [".claude", ".codex", ".cursor"] {
        assert!(!sandbox.project().join(dir).exists(), "{dir}");
    }
}

#[test]
fn existing_files_keep_everything_else() {
    let sandbox = repository();
    let files = [
        ("AGENTS.md", "# Ours\n\nNo line end"),
        ("CLAUDE.md", "# Claude\r\n"),
        (".claude/settings.json", SETTINGS),
        (
            ".cursor/worktrees.json",
            "{\"setup-worktree-unix\":[\"npm ci\"]}",
        ),
        (
            ".codex/environments/environment.toml",
            "version = 1 # one\n\n[setup]\nscript = \"npm ci\"\n",
        ),
        (
            ".git/hooks/post-checkout",
            "#!/bin/sh\necho mine >> hook.txt\nexit 0\n",
        ),
    ];
    for (name, text) in files {
        sandbox.write(name, text);
    }
    make_executable(&sandbox.project().join(".git/hooks/post-checkout"));
    let before = contents(sandbox.project());
    install(&sandbox, &[]).success();
    let settings: Value = serde_json::from_str(&sandbox.read(".claude/settings.json")).unwrap();
    assert_eq!(settings["permissions"], json!({ "allow": ["Bash(ls)"] }));
    assert_eq!(
        settings["hooks"]["SessionStart"].as_array().unwrap().len(),
        2
    );
    assert!(
        sandbox
            .read(".claude/settings.json")
            .starts_with("{\n    \"permissions\": { \"allow\"")
    );
    assert!(sandbox.read("CLAUDE.md").ends_with("-->\r\n"));
    assert!(
        sandbox
            .read(".cursor/worktrees.json")
            .contains("\"npm ci\"")
    );
    undo(&sandbox);
    assert_eq!(contents(sandbox.project()), before);
    // From files that were edited since, only Portway's part is removed.
    install(&sandbox, &[]).success();
    let agents = format!("{}\nMore.\n", sandbox.read("AGENTS.md"));
    sandbox.write("AGENTS.md", &agents);
    let settings = sandbox
        .read(".claude/settings.json")
        .replace("Bash(ls)", "Bash(cat)");
    sandbox.write(".claude/settings.json", &settings);
    undo(&sandbox);
    assert_eq!(
        sandbox.read("AGENTS.md"),
        "# Ours\n\nNo line end\n\nMore.\n"
    );
    let settings: Value = serde_json::from_str(&sandbox.read(".claude/settings.json")).unwrap();
    assert_eq!(settings["permissions"], json!({ "allow": ["Bash(cat)"] }));
    assert_eq!(
        settings["hooks"],
        json!({ "SessionStart": [{ "hooks": [] }] })
    );
}

#[test]
fn a_file_with_an_error_stays_as_it_is() {
    let sandbox = repository();
    sandbox.write(".claude/settings.json", "{\n  \"a\": 1\n  \"b\": ]\n}");
    sandbox.write(".codex/environments/environment.toml", "version = = 1\n");
    let before = contents(sandbox.project());
    let output = install(&sandbox, &["--only", "claude-hooks,codex"]).code(1);
    let text = output.stderr();
    assert!(text.contains(".claude/settings.json:3:"), "{text}");
    assert!(text.contains("environment.toml:1:11"), "{text}");
    assert_eq!(contents(sandbox.project()), before);
    std::os::unix::fs::symlink("elsewhere", sandbox.project().join("AGENTS.md")).unwrap();
    let text = install(&sandbox, &["--only", "agents-md"]).code(1).stderr();
    assert!(text.contains("is a symbolic link"), "{text}");
}

#[test]
fn a_new_worktree_gets_its_ports_and_no_checkout_fails() {
    let sandbox = repository();
    let hook = ".git/hooks/post-checkout";
    sandbox.write(
        hook,
        "#!/bin/sh\necho \"$1\" >> \"$HOME/hook.txt\"\nexit 0\n",
    );
    make_executable(&sandbox.project().join(hook));
    install(&sandbox, &["--only", "git-hook"]).success();
    let git = |arguments: &[&str]| {
        let mut command = sandbox.command("git");
        command.env("PATH", path_with_portway()).args(arguments);
        sandbox.run_command(command).success();
    };
    git(&["worktree", "add", "--quiet", "../fix", "-b", "fix"]);
    let ports = fs::read_to_string(sandbox.path("fix/.ports.json")).unwrap();
    assert!(ports.contains("web_port"), "{ports}");
    // A branch that is checked out is no new worktree.
    git(&["checkout", "--quiet", "-b", "other"]);
    assert!(!sandbox.project().join(".ports.json").exists());
    // The hook that was there runs each time.
    let calls = fs::read_to_string(sandbox.path("home/hook.txt")).unwrap();
    assert_eq!(calls.lines().count(), 2);
    // Without Portway, and with an invalid manifest, git succeeds.
    sandbox.git(
        sandbox.project(),
        &["worktree", "add", "--quiet", "../none", "-b", "none"],
    );
    sandbox.write("portway.toml", "[services");
    sandbox.git(sandbox.project(), &["commit", "--quiet", "-am", "broken"]);
    git(&["worktree", "add", "--quiet", "../broken", "-b", "broken"]);
    assert!(!sandbox.path("broken/.ports.json").exists());
    let log = fs::read_to_string(sandbox.state().join("agents.log")).unwrap();
    assert!(log.contains("post-checkout"), "{log}");
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn path_with_portway() -> std::ffi::OsString {
    let own = Path::new(env!("CARGO_BIN_EXE_portway")).parent().unwrap();
    let mut path = own.as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    path
}

/// Runs a hook with this input, and returns its exit code and its standard output.
fn hook(sandbox: &Sandbox, event: &str, input: &Value) -> (i32, String) {
    let mut command: Command = sandbox.portway(&["agents", "hook", event]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn hooks_of_claude_code_describe_create_and_stop() {
    let sandbox = repository();
    let input = json!({ "cwd": sandbox.project(), "hook_event_name": "SessionStart" });
    let (code, text) = hook(&sandbox, "session-start", &input);
    assert_eq!(code, 0);
    let url = format!("http://localhost:{}", sandbox.port(0));
    assert!(
        text.contains(&url) && text.contains("(not running)"),
        "{text}"
    );
    // A hook never blocks a session.
    assert_eq!(hook(&sandbox, "session-start", &json!("nothing")).0, 0);
    assert_eq!(hook(&sandbox, "worktree-remove", &json!({})).0, 0);
    let created = json!({ "cwd": sandbox.project(), "name": "fix-login" });
    let (code, path) = hook(&sandbox, "worktree-create", &created);
    assert_eq!(code, 0);
    let path = PathBuf::from(path.trim());
    assert_eq!(path, sandbox.project().join(".claude/worktrees/fix-login"));
    assert!(path.join(".ports.json").exists());
    let outside = json!({ "cwd": sandbox.project(), "name": "../x" });
    assert_eq!(hook(&sandbox, "worktree-create", &outside).0, 2);
    let mut up = sandbox.portway(&["up", "--detach"]);
    up.current_dir(&path);
    sandbox.run_command(up).success();
    let removed = json!({ "worktree_path": path });
    assert_eq!(hook(&sandbox, "worktree-remove", &removed).0, 0);
    sandbox.wait_until_empty();
}
