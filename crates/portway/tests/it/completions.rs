//! Completions: what real shells offer, and that nothing is executed, started or written for it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::sandbox::{Sandbox, wait_until};

const MANIFEST: &str = "\
[services.backend]
command = \"%service serve {port}\"
port = \"%0-%4\"

[services.frontend]
command = \"%service serve {port}\"
port = \"%5-%9\"
";

/// A command whose `PATH` starts with the directory of Portway.
fn with_portway(sandbox: &Sandbox, program: &str) -> Command {
    let own = Path::new(env!("CARGO_BIN_EXE_portway")).parent().unwrap();
    let mut path = OsString::from(own);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    let mut command = sandbox.command(program);
    command.env("PATH", path);
    command
}

/// What bash offers for these words; the last one is being typed.
fn bash(sandbox: &Sandbox, words: &[&str]) -> BTreeSet<String> {
    let script = "eval \"$(portway completions bash)\"\n\
                  COMP_WORDS=(portway \"$@\"); COMP_CWORD=$#\n\
                  _clap_complete_portway portway \"${!#}\" \"\"\n\
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = with_portway(sandbox, "bash");
    command.args(["--norc", "--noprofile", "-c", script, "bash"]);
    command.args(words);
    lines(&sandbox.run_command(command).success().stdout())
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|&one| one.to_owned()).collect()
}

#[test]
fn bash_offers_commands_services_ports_and_directories() {
    let sandbox = Sandbox::new().manifest(MANIFEST);
    assert_eq!(bash(&sandbox, &["res"]), set(&["restart"]));
    assert_eq!(bash(&sandbox, &["up", "b"]), set(&["backend"]));
    assert_eq!(
        bash(&sandbox, &["-C", "..", "up", "back"]),
        set(&[""]),
        "the directory above is no project"
    );
    // Nothing was written for it.
    assert!(!sandbox.state().exists());
    sandbox.run(&["detect"]).success();
    let before = files(&sandbox.path("state"));
    let port = sandbox.port(0).to_string();
    // On a busy machine, the registry may not respond in time.
    wait_until("the leased port is offered", || {
        bash(&sandbox, &["who", ""]).contains(&port)
    });
    let directory = sandbox.project().to_str().unwrap();
    wait_until("the directory of the instance is offered", || {
        bash(&sandbox, &["-C", directory]).contains("~/project")
    });
    assert_eq!(
        bash(&sandbox, &["-C", directory, "logs", "fr"]),
        set(&["frontend"])
    );
    assert_eq!(files(&sandbox.path("state")), before);
    assert!(sandbox.processes().is_empty());
}

/// The names of all files below a directory.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        all.insert(path.display().to_string());
        if path.is_dir() {
            all.extend(files(&path));
        }
    }
    all
}

#[test]
fn fish_offers_names_with_their_descriptions() {
    let sandbox = Sandbox::new().manifest(MANIFEST);
    let offered = |line: &str| {
        let mut command = with_portway(&sandbox, "fish");
        let script = format!("portway completions fish | source; complete -C '{line}'");
        command.args(["--no-config", "-c", &script]);
        sandbox.run_command(command).success().stdout()
    };
    assert_eq!(offered("portway restart back").trim(), "backend");
    assert_eq!(
        offered("portway rest"),
        "restart\tRestart services on the same ports\n"
    );
}

#[test]
fn zsh_completes_a_name_in_a_terminal() {
    let sandbox = Sandbox::new().manifest(MANIFEST);
    let mut command = with_portway(&sandbox, "timeout");
    let script = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -Uz compinit && compinit -u -D'
zpty -w shell 'eval "$(portway completions zsh)"; print REA""DY'
zpty -r -m shell all '*READY*'
zpty -w -n shell $'portway up front\t'
zpty -r -m shell all '*portway up frontend*'
zpty -d shell
"#;
    command.args(["60", "zsh", "-f", "-c", script]);
    // It waits until the terminal shows the completed word.
    sandbox.run_command(command).success();
}

#[test]
fn hostile_names_are_never_offered() {
    let manifest = "[services.'$(touch pwned)']\ncommand = 'a'\n[services.'a b']\ncommand = 'a'\n\
                    [services.\"b'`touch pwned`\"]\ncommand = 'a'\n[services.ok]\ncommand = 'a'\n";
    let sandbox = Sandbox::new().manifest(manifest);
    for name in ["$(touch pwned)", "sub dir", "a'b", "plain"] {
        fs::create_dir(sandbox.project().join(name)).unwrap();
    }
    let offered = bash(&sandbox, &["logs", ""]);
    assert!(offered.contains("ok"), "{offered:?}");
    assert!(
        !offered.iter().any(|one| one.contains(['$', ' ', '`'])),
        "{offered:?}"
    );
    let directories = bash(&sandbox, &["-C", ""]);
    assert!(directories.iter().any(|one| one.starts_with("plain")));
    assert!(
        !directories.iter().any(|one| one.contains(['$', ' ', '\''])),
        "{directories:?}"
    );
    assert!(!sandbox.project().join("pwned").exists());
}

#[test]
fn installation_is_shown_and_undone_byte_for_byte() {
    let sandbox = Sandbox::new();
    let startup = sandbox.path("home/.zshrc");
    let text = "# mine\nexport A=1";
    fs::write(&startup, text).unwrap();
    let install = ["completions", "install", "--shell", "zsh"];
    let run = |more: &[&str]| sandbox.run(&[&install[..], more].concat());
    let shown = run(&["--dry-run"]).success().stderr();
    assert!(
        shown.contains("+   eval \"$(portway completions zsh)\""),
        "{shown}"
    );
    assert_eq!(fs::read_to_string(&startup).unwrap(), text);
    // Without a terminal, it cannot ask.
    sandbox.fails(&install, 1, "refused");
    assert_eq!(fs::read_to_string(&startup).unwrap(), text);
    run(&["--yes"]).success();
    let installed = fs::read_to_string(&startup).unwrap();
    assert!(installed.starts_with(text), "{installed}");
    run(&["--yes"]).success();
    assert_eq!(fs::read_to_string(&startup).unwrap(), installed);
    run(&["--undo", "--yes"]).success();
    assert_eq!(fs::read_to_string(&startup).unwrap(), text);
    // From a file that was edited since, only Portway's lines are removed.
    run(&["--yes"]).success();
    let edited = format!(
        "{}alias ll='ls -l'\n",
        fs::read_to_string(&startup).unwrap()
    );
    fs::write(&startup, edited).unwrap();
    run(&["--undo", "--yes"]).success();
    assert_eq!(
        fs::read_to_string(&startup).unwrap(),
        format!("{text}\nalias ll='ls -l'\n")
    );
}

#[test]
fn an_own_file_is_created_and_deleted_with_its_directories() {
    let sandbox = Sandbox::new();
    let install = ["completions", "install", "--shell", "fish"];
    sandbox.run(&install).success();
    let file = sandbox.path("home/.config/fish/completions/portway.fish");
    assert!(fs::read_to_string(&file).unwrap().contains("| source"));
    sandbox.run(&[&install[..], &["--undo"]].concat()).success();
    assert!(!sandbox.path("home/.config").exists());
}
