//! Where each shell finds completions, and what Portway puts there.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portway_api::ErrorCode;

use crate::edits::part::{Part, Whole};
use crate::edits::section::{Place, Section};
use crate::edits::{Edits, Target};
use crate::error::CommandError;

/// The shells with completions.
pub const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "powershell"];

/// The command that owns the changes.
pub(crate) const OWNER: &str = "completions";

const START: &str = "# >>> portway completions >>>";
const END: &str = "# <<< portway completions <<<";
const MARK: &str = "`portway completions install`";

/// Files that exist if bash loads the completions of a directory.
const BASH_COMPLETION: [&str; 5] = [
    "/usr/share/bash-completion/bash_completion",
    "/usr/local/share/bash-completion/bash_completion",
    "/usr/local/etc/profile.d/bash_completion.sh",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
    "/etc/profile.d/bash_completion.sh",
];

/// Plans to install the completions of a shell, or to remove them. Without a shell, that of the user.
///
/// # Errors
/// When the shell is unknown, or a file cannot be read.
pub fn install(shell: Option<&str>, undo: bool) -> Result<Edits, CommandError> {
    let variable = |name: &str| env::var_os(name);
    let shell = match shell {
        Some(shell) => shell,
        None => user_shell(&variable)?,
    };
    let home = home(&variable)?;
    let has_loader = BASH_COMPLETION.iter().any(|file| Path::new(file).exists());
    let place = place(shell, &home, &variable, has_loader, &profile);
    let target = target(shell, place);
    let root = target.path.parent().unwrap_or(&home).to_owned();
    match undo {
        true => Edits::undo(OWNER, &root, vec![target]),
        false => Edits::install(OWNER, &root, vec![target]),
    }
}

/// Returns the shell of the user.
fn user_shell(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<&'static str, CommandError> {
    if cfg!(windows) {
        return Ok("powershell");
    }
    let path = variable("SHELL").map(PathBuf::from);
    let name = path.as_deref().and_then(Path::file_stem);
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    let name = if name == "pwsh" { "powershell" } else { name };
    let known = SHELLS.into_iter().find(|shell| *shell == name);
    known.ok_or_else(|| {
        let message = match name {
            "" => "cannot determine your shell: `SHELL` is not set".to_owned(),
            name => format!("there are no completions for the shell `{name}`"),
        };
        let hint = format!("name a shell with `--shell`: {}", SHELLS.join(", "));
        CommandError::new(ErrorCode::Usage, message).hint(hint)
    })
}

fn home(variable: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, CommandError> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let home = variable(name)
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute());
    home.ok_or_else(|| {
        let message = format!("cannot determine the home directory: `{name}` is not set");
        CommandError::new(ErrorCode::Failed, message)
    })
}

/// Where the completions of a shell are.
#[derive(Debug, PartialEq, Eq)]
enum Location {
    /// A file of its own, which the shell loads when it needs it.
    Own(PathBuf),
    /// A file that the shell reads when it starts.
    Startup(PathBuf),
}

/// Returns where the completions of a shell are. `has_loader` is whether bash loads those in a directory,
/// and `profile` asks PowerShell for its file.
fn place(
    shell: &str,
    home: &Path,
    variable: &dyn Fn(&str) -> Option<OsString>,
    has_loader: bool,
    profile: &dyn Fn() -> Option<PathBuf>,
) -> Location {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let config = absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    match shell {
        "bash" if has_loader => {
            let data = || absolute("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
            let dir = absolute("BASH_COMPLETION_USER_DIR");
            let dir = dir.unwrap_or_else(|| data().join("bash-completion"));
            Location::Own(dir.join("completions/portway"))
        }
        "bash" => Location::Startup(home.join(".bashrc")),
        "zsh" => {
            let dir = absolute("ZDOTDIR").unwrap_or_else(|| home.to_owned());
            Location::Startup(dir.join(".zshrc"))
        }
        "fish" => Location::Own(config.join("fish/completions/portway.fish")),
        _ => Location::Startup(
            profile().unwrap_or_else(|| config.join("powershell").join("profile.ps1")),
        ),
    }
}

/// Asks PowerShell for the file that it reads when it starts.
fn profile() -> Option<PathBuf> {
    ["pwsh", "powershell"].into_iter().find_map(|program| {
        let output = Command::new(program)
            .args(["-NoLogo", "-NoProfile", "-NonInteractive", "-Command"])
            .arg("$PROFILE.CurrentUserAllHosts")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
        path.is_absolute().then_some(path)
    })
}

fn target(shell: &str, location: Location) -> Target {
    let (path, part): (PathBuf, Box<dyn Part>) = match location {
        Location::Own(path) => (path, Box::new(own_file(shell))),
        Location::Startup(path) => {
            // A start-up file is often a link into a repository with such files.
            let path = path.canonicalize().unwrap_or(path);
            (path, Box::new(section(shell)))
        }
    };
    let name = SHELLS.into_iter().find(|name| *name == shell);
    Target {
        name: name.unwrap_or_default(),
        path,
        part: Ok(part),
        is_executable: false,
    }
}

fn own_file(shell: &str) -> Whole {
    let load = match shell {
        "fish" => "portway completions fish | source",
        _ => "eval \"$(portway completions bash)\"",
    };
    Whole {
        text: format!("# Written by {MARK}.\n{load}\n"),
        mark: MARK,
    }
}

fn section(shell: &str) -> Section {
    let body = match shell {
        "zsh" => {
            "if (( $+commands[portway] )); then\n  \
             (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }\n  \
             eval \"$(portway completions zsh)\"\nfi\n"
        }
        "powershell" => {
            "if (Get-Command portway -ErrorAction SilentlyContinue) {\n  \
             portway completions powershell | Out-String | Invoke-Expression\n}\n"
        }
        _ => "command -v portway >/dev/null && eval \"$(portway completions bash)\"\n",
    };
    Section {
        start: START,
        end: END,
        body: body.to_owned(),
        place: Place::End,
        header: "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn each_shell_has_its_place() {
        let at = |shell: &str, variables: &[(&str, &str)], has_loader| {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            place(shell, Path::new("/h"), &variable, has_loader, &|| None)
        };
        let own = |path: &str| Location::Own(path.into());
        let startup = |path: &str| Location::Startup(path.into());
        for (shell, variables, has_loader, expected) in [
            (
                "bash",
                &[][..],
                true,
                own("/h/.local/share/bash-completion/completions/portway"),
            ),
            (
                "bash",
                &[("BASH_COMPLETION_USER_DIR", "/b")],
                true,
                own("/b/completions/portway"),
            ),
            ("bash", &[], false, startup("/h/.bashrc")),
            ("zsh", &[], true, startup("/h/.zshrc")),
            ("zsh", &[("ZDOTDIR", "/z")], true, startup("/z/.zshrc")),
            (
                "fish",
                &[("XDG_CONFIG_HOME", "/c")],
                true,
                own("/c/fish/completions/portway.fish"),
            ),
            (
                "fish",
                &[("XDG_CONFIG_HOME", "relative")],
                true,
                own("/h/.config/fish/completions/portway.fish"),
            ),
            (
                "powershell",
                &[],
                true,
                startup("/h/.config/powershell/profile.ps1"),
            ),
        ] {
            assert_eq!(at(shell, variables, has_loader), expected, "{shell}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn finds_the_shell_of_the_user() {
        let shell = |path: &str| {
            let path = path.to_owned();
            user_shell(&move |_| Some(path.clone().into())).ok()
        };
        assert_eq!(shell("/usr/bin/zsh"), Some("zsh"));
        assert_eq!(shell("/usr/bin/pwsh"), Some("powershell"));
        assert_eq!(shell("/bin/tcsh"), None);
    }
}
