//! A command of a package's scripts that serves, or that runs beside one that does.

use super::entry::Entry;
use super::script::SimpleCommand;
use super::tools::Tool;
use crate::Dir;
use crate::addresses::has_address;

/// Parts of script names that carry no information.
const GENERIC_PARTS: [&str; 5] = ["dev", "start", "run", "serve", "watch"];

/// A command that serves, or that runs beside such a command.
#[derive(Debug)]
pub(super) struct Server {
    /// The script that ends with it, if one does.
    pub(super) script: Option<String>,
    /// The script through which it was found.
    pub(super) found_by: String,
    pub(super) simple: SimpleCommand,
    /// Whether its script consists of this command only.
    pub(super) is_alone: bool,
    /// Whether arguments after the script reach this command.
    pub(super) takes_arguments: bool,
    pub(super) serves: ServerKind,
    /// Why the application does not always need it.
    pub(super) optional: Option<&'static str>,
}

/// How a command serves.
#[derive(Debug)]
pub(super) enum ServerKind {
    Tool(&'static Tool),
    File(Entry),
    /// It serves nothing: a compiler that watches, or a worker.
    Beside,
}

impl Server {
    /// Returns whether it serves.
    pub(super) fn serves(&self) -> bool {
        !matches!(self.serves, ServerKind::Beside)
    }

    /// The flags that set the port in its command. Programs that run a file use `-p` for something
    /// else.
    fn port_flags(&self) -> &'static [&'static str] {
        match self.serves {
            ServerKind::Tool(_) => &["--port", "-p"],
            ServerKind::File(_) | ServerKind::Beside => &["--port"],
        }
    }

    /// The variable from which it reads its port.
    fn port_variable(&self) -> &str {
        match &self.serves {
            ServerKind::File(entry) => entry.port_variable(),
            ServerKind::Tool(_) | ServerKind::Beside => "PORT",
        }
    }

    /// Returns its command without a port flag and without the variable of its port.
    pub(super) fn without_port(&self) -> SimpleCommand {
        let mut command = self.simple.without_flag(self.port_flags());
        command.env.retain(|(name, _)| name != self.port_variable());
        command
    }

    /// Returns the port that its command sets.
    pub(super) fn port(&self) -> Option<u16> {
        let variable = self.simple.env.iter();
        let variable = variable
            .rev()
            .find(|(name, _)| name == self.port_variable());
        let variable = variable.map(|(_, value)| value.as_str());
        let said = self.simple.flag(self.port_flags()).or(variable)?;
        said.parse().ok().filter(|port| *port > 0)
    }

    /// Returns whether its command sets a port by flag, also through a variable.
    pub(super) fn says_a_port(&self) -> bool {
        self.simple.flag(self.port_flags()).is_some()
    }

    /// Returns whether its arguments or its variables contain an address of this machine.
    pub(super) fn names_addresses(&self) -> bool {
        let values = self.simple.env.iter().map(|(_, value)| value);
        let mut texts = values.chain(self.simple.arguments());
        texts.any(|text| has_address(text))
    }

    /// Returns whether a flag takes its value from the variable PORT.
    pub(super) fn reads_port(&self) -> bool {
        let said = self.simple.flag(self.port_flags()).unwrap_or("");
        said.starts_with("$PORT") || said.starts_with("${PORT")
    }

    /// Returns the informative part of its script's name; may be empty.
    pub(super) fn name(&self) -> &str {
        let name = self.script.as_deref().unwrap_or("");
        let mut parts = name.split([':', '-', '.']);
        parts
            .find(|part| !GENERIC_PARTS.contains(part))
            .unwrap_or("")
    }

    /// A sentence that says where it was found.
    pub(super) fn evidence(&self, dir: &Dir<'_>) -> String {
        let file = dir.path_of("package.json");
        let words = self.simple.words.join(" ");
        match &self.script {
            Some(script) if self.is_alone => {
                format!("the script `{script}` in {file} is `{words}`")
            }
            Some(script) => format!("the script `{script}` in {file} ends with `{words}`"),
            None => format!("the script `{}` in {file} starts `{words}`", self.found_by),
        }
    }
}
