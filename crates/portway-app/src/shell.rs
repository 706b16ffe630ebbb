//! Opens the user's shell in a checkout: with its variables, in its network, and with a prompt that names it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::error::CommandError;
use crate::exec::{ExecOptions, exec};
use crate::instance::connection::Supervised;
use crate::instance::locate::Located;
use crate::options::Selection;
use crate::project::LoadedProject;

/// How to start a shell with a prompt that names an instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Invocation {
    /// Arguments of the shell.
    arguments: Vec<OsString>,
    /// Variables in addition to those of the checkout.
    env: IndexMap<String, String>,
    /// Files to write first, relative to a directory of Portway's own, with their text.
    files: Vec<(&'static str, String)>,
}

/// Opens a shell, and returns its exit code when it exits.
///
/// # Errors
/// When the project cannot be used, or the shell cannot be run.
pub fn shell(directory: Option<&Path>, service: Option<String>) -> Result<u8, CommandError> {
    let loaded = LoadedProject::load(directory, &Selection::default())?;
    let project = &loaded.project;
    let name = match &loaded.running {
        Some(Located {
            name: Some(name), ..
        }) => name.clone(),
        _ => project.checkout.instance_name(&project.plan.project),
    };
    let dir = loaded.dir().join("shell");
    let program = program();
    let invocation = invocation(&program, &name, &dir);
    for (file, text) in &invocation.files {
        write(&dir.join(file), text)?;
    }
    let mut command = vec![program.into_os_string()];
    command.extend(invocation.arguments);
    exec(
        directory,
        &ExecOptions {
            service,
            selection: Selection::default(),
            command,
            env: invocation.env,
        },
    )
}

/// Returns the user's shell.
fn program() -> PathBuf {
    let (variable, default) = match cfg!(windows) {
        true => ("ComSpec", "cmd.exe"),
        false => ("SHELL", "/bin/sh"),
    };
    let set = std::env::var_os(variable).filter(|value| !value.is_empty());
    set.map_or_else(|| default.into(), PathBuf::from)
}

fn invocation(program: &Path, name: &str, dir: &Path) -> Invocation {
    let shell = program.file_stem().unwrap_or_default().to_string_lossy();
    let mut invocation = Invocation::default();
    let mut set = |name: &str, value: String| {
        invocation.env.insert(name.to_owned(), value);
    };
    match shell.as_ref() {
        "bash" => {
            let file = "bashrc";
            let text = format!("[ -f ~/.bashrc ] && . ~/.bashrc\nPS1=\"({name}) $PS1\"\n");
            invocation.arguments = vec!["--rcfile".into(), dir.join(file).into(), "-i".into()];
            invocation.files.push((file, text));
        }
        "zsh" => {
            // The files of the user are in `ZDOTDIR`, or else in the home directory.
            let own = std::env::var("ZDOTDIR").unwrap_or_default();
            set("PORTWAY_ZDOTDIR", own);
            set("ZDOTDIR", dir.display().to_string());
            let user = "${PORTWAY_ZDOTDIR:-$HOME}";
            let source = |file: &str| format!("[ -f {user}/{file} ] && . {user}/{file}\n");
            let prompt = format!("ZDOTDIR={user}\nPS1=\"({name}) $PS1\"\n");
            invocation.files.push((".zshenv", source(".zshenv")));
            invocation
                .files
                .push((".zshrc", source(".zshrc") + &prompt));
        }
        "fish" => {
            let text = format!(
                "functions -c fish_prompt portway_prompt; \
                 function fish_prompt; printf '({name}) '; portway_prompt; end"
            );
            invocation.arguments = vec!["-C".into(), text.into()];
        }
        "cmd" => set("PROMPT", format!("({name}) $P$G")),
        _ => set("PS1", format!("({name}) $ ")),
    }
    invocation
}

fn write(path: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |error| CommandError::file("write", path, error);
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    fs::write(path, text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(program: &str) -> Invocation {
        invocation(Path::new(program), "fix.shop", Path::new("/state/shell"))
    }

    #[test]
    fn every_shell_gets_a_prompt_that_names_the_instance() {
        let bash = of("/usr/bin/bash");
        assert_eq!(bash.arguments[1], "/state/shell/bashrc");
        assert!(bash.files[0].1.contains("(fix.shop) $PS1"));
        let zsh = of("/bin/zsh");
        assert_eq!(zsh.env["ZDOTDIR"], "/state/shell");
        assert!(
            zsh.files
                .iter()
                .any(|(name, text)| *name == ".zshrc" && text.contains("(fix.shop)"))
        );
        assert!(
            of("fish").arguments[1]
                .to_string_lossy()
                .contains("(fix.shop)")
        );
        assert_eq!(of("/bin/dash").env["PS1"], "(fix.shop) $ ");
        assert_eq!(of("cmd.exe").env["PROMPT"], "(fix.shop) $P$G");
    }
}
