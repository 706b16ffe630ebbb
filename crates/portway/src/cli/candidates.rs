//! What shells offer for the values of arguments, and the request of a shell for it.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Command;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{Bash, CompleteEnv, EnvCompleter, Fish, Powershell, Shells, Zsh};
use portway_app::completion::{self, Candidate, Names};
use portway_project::preferences::{KEYS, Key};

use crate::ui;

/// The variable with which a completion script asks for candidates. Its value is the name of the shell.
const VARIABLE: &str = "PORTWAY_COMPLETE";

/// The script for PowerShell. That of the library evaluates the words of the command line, such as `$(…)`.
const POWERSHELL: &str = include_str!("completions.ps1");

/// The shells with a script.
const SHELLS: &[&dyn EnvCompleter] = &[
    &Adapter(Bash, Quoting::Missing),
    &Adapter(Fish, Quoting::ByShell),
    &Adapter(Powershell, Quoting::Missing),
    &Adapter(Zsh, Quoting::ByShell),
];

/// Responds if a completion script started this process. Returns whether it did. `declaration` is the command
/// line.
pub(crate) fn respond(declaration: fn() -> Command) -> bool {
    if std::env::var_os(VARIABLE).is_none() {
        return false;
    }
    let directory = std::env::current_dir().ok();
    let arguments = std::env::args_os();
    let completion = CompleteEnv::with_factory(declaration)
        .var(VARIABLE)
        .completer("portway")
        .shells(Shells(SHELLS));
    // An error, such as an unknown shell, would appear in the middle of the command line.
    completion
        .try_complete(arguments, directory.as_deref())
        .unwrap_or(true)
}

/// Returns the script for a shell.
pub(crate) fn script(shell: &str) -> String {
    let mut text = Vec::new();
    let found = SHELLS.iter().find(|one| one.is(shell));
    // Writing into memory does not fail.
    let written = found
        .map(|one| one.write_registration(VARIABLE, "portway", "portway", "portway", &mut text));
    debug_assert!(matches!(written, Some(Ok(()))));
    let mut text = String::from_utf8_lossy(&text).trim().to_owned();
    text.push('\n');
    if shell == "zsh" {
        // A file that zsh loads when it first needs it must also answer that first time.
        text.push_str(
            "[[ $funcstack[1] == _portway ]] && _clap_dynamic_completer_portway \"$@\"\n\
             true\n",
        );
    }
    text
}

/// Whether a shell quotes the candidates that it inserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quoting {
    ByShell,
    Missing,
}

/// Passes on to a shell only what is safe to insert there.
struct Adapter<T>(T, Quoting);

impl<T: EnvCompleter> EnvCompleter for Adapter<T> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        name: &str,
        program: &str,
        completer: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        if self.0.name() == Powershell.name() {
            return out.write_all(POWERSHELL.as_bytes());
        }
        self.0
            .write_registration(variable, name, program, completer, out)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        arguments: Vec<OsString>,
        directory: Option<&Path>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        self.0
            .write_complete(command, arguments, directory, &mut text)?;
        // bash names its separator, a control character that no candidate contains.
        let separator = std::env::var("_CLAP_IFS").ok();
        let separator = separator.filter(|one| !one.is_empty());
        let separator = separator.as_deref().unwrap_or("\n");
        let text = String::from_utf8_lossy(&text);
        let ends = text.ends_with(separator);
        let lines: Vec<&str> = text
            .trim_end_matches(separator)
            .split(separator)
            .filter(|line| is_safe(line, self.1))
            .collect();
        out.write_all(lines.join(separator).as_bytes())?;
        match ends && !lines.is_empty() {
            true => out.write_all(separator.as_bytes()),
            false => Ok(()),
        }
    }
}

/// Returns whether a line of candidates, a value and perhaps its description after a tab, can be inserted.
fn is_safe(line: &str, quoting: Quoting) -> bool {
    let value = line.split('\t').next().unwrap_or_default();
    let is_printable = ui::is_printable(&line.replace('\t', " "));
    let is_plain = |c: char| c.is_alphanumeric() || "-_./,+=:@%\\".contains(c);
    is_printable && (quoting == Quoting::ByShell || value.chars().all(is_plain))
}

/// The directory that the command line names with `-C`, which the shell passes as it was typed.
fn directory() -> Option<PathBuf> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|one| one != "--").collect();
    let mut found = None;
    for (index, word) in words.iter().enumerate() {
        let word = word.to_str()?;
        let value = match word.strip_prefix("--directory=") {
            Some(value) => Some(OsString::from(value)),
            None if word == "-C" || word == "--directory" => words.get(index + 1).cloned(),
            None => None,
        };
        found = value.or(found);
    }
    found.map(PathBuf::from)
}

fn candidate(candidate: Candidate) -> CompletionCandidate {
    let about = (!candidate.about.is_empty()).then(|| candidate.about.into());
    CompletionCandidate::new(candidate.value).help(about)
}

fn names(which: Names) -> ArgValueCandidates {
    ArgValueCandidates::new(move || {
        let all = completion::names(directory().as_deref(), which);
        all.into_iter().map(candidate).collect()
    })
}

/// Services of the project.
pub(crate) fn services() -> ArgValueCandidates {
    names(Names::Services)
}

/// Services and groups of the project.
pub(crate) fn services_and_groups() -> ArgValueCandidates {
    names(Names::WithGroups)
}

/// Optional services of the project.
pub(crate) fn optional_services() -> ArgValueCandidates {
    names(Names::Optional)
}

/// Services and their named ports.
pub(crate) fn service_ports() -> ArgValueCandidates {
    names(Names::Ports)
}

/// The start of `SERVICE=PORT`.
pub(crate) fn assignments() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let all = completion::names(directory().as_deref(), Names::Ports);
        let value = |one: &Candidate| CompletionCandidate::new(format!("{}=", one.value));
        all.iter().map(value).collect()
    })
}

/// Ports with a lease.
pub(crate) fn ports() -> ArgValueCandidates {
    ArgValueCandidates::new(|| completion::ports().into_iter().map(candidate).collect())
}

/// Directories, those of all instances first.
pub(crate) fn directories() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let current_text = current.to_string_lossy();
        let mut all: Vec<_> = completion::instances()
            .into_iter()
            .filter(|one| one.value.starts_with(&*current_text))
            .map(candidate)
            .collect();
        all.extend(PathCompleter::dir().complete(current));
        all
    })
}

/// Names of preferences.
pub(crate) fn preferences() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let fixed = KEYS.iter().filter(|key| !key.is_family());
        let value =
            |key: &Key| CompletionCandidate::new(key.name).help(Some(key.description.into()));
        fixed.map(value).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_candidates_reach_a_shell() {
        for (line, by_shell, missing) in [
            ("backend", true, true),
            ("backend\tport 9000", true, true),
            ("--port=", true, true),
            ("/home/ada/a b/", true, false),
            ("$(touch x)", true, false),
            ("a`b", true, false),
            ("a'b", true, false),
            ("a;b", true, false),
            ("a*", true, false),
            ("a\u{1b}[2J", false, false),
            ("a\tb\u{7}", false, false),
            ("a\u{202e}b", false, false),
        ] {
            assert_eq!(is_safe(line, Quoting::ByShell), by_shell, "{line:?}");
            assert_eq!(is_safe(line, Quoting::Missing), missing, "{line:?}");
        }
    }

    #[test]
    fn each_shell_has_a_script() {
        for shell in ["bash", "fish", "powershell", "zsh"] {
            let script = script(shell);
            assert!(script.contains(VARIABLE), "{script}");
            assert!(script.ends_with('\n'), "{script}");
            assert!(!script.contains("Invoke-Expression"), "{script}");
        }
    }
}
