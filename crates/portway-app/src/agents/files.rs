//! Each file and Portway's part of it.

use std::path::Path;

use portway_project::user_file;
use serde_json::{Value, json};

use super::Place;
use crate::edits::Target;
use crate::edits::json::{Element, Elements};
use crate::edits::part::{Part, Whole};
use crate::edits::section::{self, Section};
use crate::edits::toml::{ArrayTable, ScriptLine, Scripts};

/// The name of the hooks of Claude Code, and of the one that is installed by choice.
const HOOKS: &str = "claude-hooks";
pub(super) const CREATE_HOOK: &str = "claude-worktree-create";

const SKILL: &str = include_str!("skill.md");
const SECTION: &str = include_str!("section.md");

/// What a hook of git runs, for users whose hooks are elsewhere.
pub(super) const HOOK_LINE: &str =
    "portway agents hook post-checkout \"$@\" >/dev/null 2>&1 </dev/null || :";

/// Returns the selected files of a checkout.
pub(super) fn targets(place: &Place, is_selected: &dyn Fn(&str) -> bool) -> Vec<Target> {
    let top = &place.top;
    let mut all = vec![
        file("skill", top, ".claude/skills/portway/SKILL.md", skill()),
        file("agents-md", top, "AGENTS.md", markdown()),
        Target {
            part: claude_md(top),
            ..file("claude-md", top, "CLAUDE.md", markdown())
        },
        file(HOOKS, top, ".claude/settings.json", hooks(is_selected)),
        Target {
            part: launch(place),
            ..file("claude-launch", top, ".claude/launch.json", cursor())
        },
        file(
            "codex",
            top,
            ".codex/environments/environment.toml",
            codex(&place.project),
        ),
        file("cursor", top, ".cursor/worktrees.json", cursor()),
        git_hook(place),
    ];
    // Both kinds of hooks are in one file.
    let is_wanted = |name| is_selected(name) || name == HOOKS && is_selected(CREATE_HOOK);
    all.retain(|target| is_wanted(target.name));
    all
}

fn file(name: &'static str, top: &Path, path: &str, part: impl Part + 'static) -> Target {
    Target {
        name,
        path: path
            .split('/')
            .fold(top.to_owned(), |path, part| path.join(part)),
        part: Ok(Box::new(part)),
        is_executable: false,
    }
}

fn skill() -> Whole {
    Whole {
        text: SKILL.to_owned(),
        mark: "`portway agents install`",
    }
}

fn markdown() -> Section {
    Section {
        start: "<!-- portway:start (written by `portway agents install`) -->",
        end: "<!-- portway:end -->",
        body: SECTION.to_owned(),
        place: section::Place::End,
        header: "",
    }
}

/// Claude Code reads `CLAUDE.md` instead of `AGENTS.md`. It is not created, because the skill says the same.
fn claude_md(top: &Path) -> Result<Box<dyn Part>, String> {
    let path = top.join("CLAUDE.md");
    if path.symlink_metadata().is_ok_and(|data| data.is_symlink()) {
        return Err("it is a symbolic link".to_owned());
    }
    match user_file::read_text(&path) {
        Err(error) if error.is_not_found() => Err("it does not exist".to_owned()),
        Ok(text) if text.contains("@AGENTS.md") && !text.contains(markdown().start) => {
            Err("it imports `AGENTS.md`".to_owned())
        }
        // A file that cannot be read is reported when it is changed.
        _ => Ok(Box::new(markdown())),
    }
}

/// A command of a hook, which does nothing on a machine without Portway.
fn hook(event: &str) -> String {
    format!("command -v portway >/dev/null 2>&1 || exit 0; portway agents hook {event}")
}

fn claude_hook(command: &str, timeout: u32) -> Value {
    json!({ "hooks": [{ "type": "command", "command": command, "timeout": timeout }] })
}

fn hooks(is_selected: &dyn Fn(&str) -> bool) -> Elements {
    let mut start = claude_hook(&hook("session-start"), 30);
    start["matcher"] = "startup|resume|clear".into();
    let mut elements = Vec::new();
    if is_selected(HOOKS) {
        elements.push(Element {
            path: &["hooks", "SessionStart"],
            value: start,
            mark: "portway agents hook session-start",
        });
        elements.push(Element {
            path: &["hooks", "WorktreeRemove"],
            value: claude_hook(&hook("worktree-remove"), 60),
            mark: "portway agents hook worktree-remove",
        });
    }
    if is_selected(CREATE_HOOK) {
        elements.push(Element {
            path: &["hooks", "WorktreeCreate"],
            // Without Portway, no worktree can be created, so the error is useful.
            value: claude_hook("portway agents hook worktree-create", 600),
            mark: "portway agents hook worktree-create",
        });
    }
    Elements {
        header: Vec::new(),
        elements,
    }
}

/// The preview of Claude Code: it chooses a free port, which Portway then uses.
fn launch(place: &Place) -> Result<Box<dyn Part>, String> {
    let Some((service, port)) = &place.main else {
        return Err("the project has no main service with a port".to_owned());
    };
    // Names of services need no quotes.
    let command = format!("portway up --port {service}=${{PORT:-{port}}}");
    Ok(Box::new(Elements {
        header: vec![("version", json!("0.0.1"))],
        elements: vec![Element {
            path: &["configurations"],
            value: json!({
                "name": "portway",
                "runtimeExecutable": "sh",
                "runtimeArgs": ["-c", command],
                "port": port,
                "autoPort": true,
            }),
            mark: "portway up --port",
        }],
    }))
}

fn codex(project: &str) -> Scripts {
    let name = Value::from(project).to_string();
    let action = |name, icon, command| ArrayTable {
        array: "actions",
        id: "command",
        values: vec![("name", name), ("icon", icon), ("command", command)],
    };
    Scripts {
        header: format!("version = 1\nname = {name}\n"),
        lines: vec![
            ScriptLine {
                path: ("setup", "script"),
                line: "portway detect",
            },
            ScriptLine {
                path: ("cleanup", "script"),
                line: "portway down",
            },
        ],
        tables: vec![
            action("Start services", "run", "portway up"),
            action("Show services", "tool", "portway ps"),
        ],
    }
}

fn cursor() -> Elements {
    let element = |path| Element {
        path,
        value: json!("portway detect"),
        mark: "portway detect",
    };
    Elements {
        header: Vec::new(),
        elements: vec![
            element(&["setup-worktree-unix"]),
            element(&["setup-worktree-windows"]),
        ],
    }
}

fn git_hook(place: &Place) -> Target {
    let (path, part): (_, Result<Box<dyn Part>, String>) = match &place.hooks {
        Some(Ok(dir)) => (
            dir.join("post-checkout"),
            script(&dir.join("post-checkout")),
        ),
        Some(Err(reason)) => (place.top.join(".git/hooks"), Err(reason.clone())),
        None => (
            place.top.join(".git/hooks"),
            Err("it is not a git repository".to_owned()),
        ),
    };
    Target {
        name: "git-hook",
        path,
        part,
        is_executable: true,
    }
}

/// The lines in the hook. They run before those that are there already, and cannot fail the checkout.
fn script(path: &Path) -> Result<Box<dyn Part>, String> {
    let is_shell = |first: &str| {
        let program = first.split_whitespace().next_back().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        first.starts_with("#!") && ["sh", "bash", "dash", "zsh"].contains(&name)
    };
    #[cfg(unix)]
    if let Ok(data) = path.metadata() {
        use std::os::unix::fs::PermissionsExt;
        // Portway's lines would start what the user has turned off.
        if data.permissions().mode() & 0o111 == 0 {
            return Err("it is not executable, so git ignores it".to_owned());
        }
    }
    if let Ok(text) = user_file::read_text(path)
        && !text.trim().is_empty()
        && !is_shell(text.lines().next().unwrap_or_default())
    {
        return Err(format!(
            "it is not a shell script; run this from it: {HOOK_LINE}"
        ));
    }
    Ok(Box::new(Section {
        start: "# portway:start (written by `portway agents install`)",
        end: "# portway:end",
        body: format!(
            "# `git worktree add` passes a previous HEAD of zeros. This cannot fail the checkout.\n\
             case \"${{1:-x}}\" in *[!0]*) ;; *) ( {HOOK_LINE} ) ;; esac"
        ),
        place: section::Place::AfterFirstLine,
        header: "#!/bin/sh\n",
    }))
}
