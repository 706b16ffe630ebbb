//! A command of a package's scripts that serves, or that runs beside one that does.

use super::entry::Entry;
use super::env_file::MissingEnvFile;
use super::script::{Script, SimpleCommand, Step, StepRun};
use super::tools::Tool;
use crate::addresses::has_address;
use crate::{DetectedService, Dir};
use portway_project::shell::quote;

/// Parts of script names that carry no information.
const GENERIC_PARTS: [&str; 6] = ["build", "dev", "start", "run", "serve", "watch"];

/// A command that serves, or that runs beside such a command.
#[derive(Debug)]
pub(super) struct Server {
    /// The script that ends with it, if one does.
    pub(super) script: Option<String>,
    /// The script through which it was found.
    pub(super) found_by: String,
    /// What starts it without a script, as written.
    pub(super) text: String,
    pub(super) simple: SimpleCommand,
    /// The same, without what other scripts add to it.
    pub(super) origin: SimpleCommand,
    /// What its script runs before it.
    pub(super) before: Vec<Step>,
    /// What follows it in its script: redirections, and programs that read what it prints.
    pub(super) after: String,
    /// Whether `before`, `simple` and `after` are all that its script does.
    pub(super) is_plain: bool,
    /// Whether arguments after the script reach this command.
    pub(super) takes_arguments: bool,
    /// The arguments that its script is started with.
    pub(super) passed: Vec<String>,
    /// Whether a shell within the script runs it.
    pub(super) is_in_shell: bool,
    /// Whether another command runs at the same time.
    pub(super) is_part: bool,
    /// What runs before all commands that run at the same time.
    pub(super) first: Vec<Step>,
    /// The variables and the wrapper of the program that starts all of them.
    pub(super) around: SimpleCommand,
    pub(super) serves: ServerKind,
    /// The file that `simple` does without, although its script requires it.
    pub(super) missing_env_file: Option<MissingEnvFile>,
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
    /// It serves nothing, and nothing else in its package does.
    Alone(String),
    /// A program of another language, with what its command says.
    Process(Box<DetectedService>),
}

impl Server {
    /// The server of a parsed command.
    pub(super) fn new(text: &str, parsed: Script, serves: ServerKind) -> Self {
        Self {
            script: None,
            found_by: String::new(),
            text: text.to_owned(),
            origin: parsed.last.clone(),
            simple: parsed.last,
            before: parsed.before,
            after: parsed.after,
            is_plain: parsed.is_plain,
            takes_arguments: parsed.ends_simply,
            passed: Vec::new(),
            is_in_shell: false,
            is_part: false,
            first: Vec::new(),
            around: SimpleCommand::default(),
            serves,
            missing_env_file: None,
            optional: None,
        }
    }

    /// Adds what a script does around the command that starts this one.
    pub(super) fn enclose(&mut self, outer: &Script, starter: &SimpleCommand, steps: &[Step]) {
        let (own, before) = match self.is_part {
            true => (&mut self.around, &mut self.first),
            false => (&mut self.simple, &mut self.before),
        };
        own.env.splice(0..0, starter.env.iter().cloned());
        own.wrapper.splice(0..0, starter.wrapper.iter().cloned());
        own.replaced = own.replaced.or(starter.replaced);
        before.splice(0..0, steps.iter().cloned());
        if !self.is_part {
            self.after = format!("{} {}", self.after, outer.after).trim().to_owned();
            self.is_plain &= outer.is_plain;
        }
    }

    /// The program around it that chooses a port itself.
    pub(super) fn replaced(&self) -> Option<&'static str> {
        self.simple.replaced.or(self.around.replaced)
    }

    /// Returns whether its script consists of this command only.
    pub(super) fn is_alone(&self) -> bool {
        let is_hook = |step: &Step| matches!(step.run, StepRun::Hook(_));
        self.is_plain
            && !self.is_in_shell
            && self.after.is_empty()
            && self.before.iter().all(is_hook)
    }

    /// Returns whether it serves.
    pub(super) fn serves(&self) -> bool {
        !matches!(self.serves, ServerKind::Beside | ServerKind::Alone(_))
    }

    /// The flags that set the port in its command. Programs that run a file use `-p` for something else too.
    fn port_flags(&self) -> &'static [&'static str] {
        let short = || {
            self.simple
                .flag(&["-p"])
                .and_then(|value| value.parse::<u16>().ok())
        };
        match self.serves {
            ServerKind::Tool(tool) if tool.name == "serve" => &["--listen", "-l", "--port", "-p"],
            ServerKind::Tool(_) => &["--port", "-p"],
            ServerKind::File(_) if short().is_some_and(|port| port >= 1024) => &["-p"],
            _ => &["--port"],
        }
    }

    /// The arguments that set the port of a server that reads a flag.
    pub(super) fn port_arguments(&self) -> &'static str {
        match self.port_flags() {
            ["-p"] => "-p {port}",
            _ => "--port {port}",
        }
    }

    /// Returns the variable from which a flag takes the port: `WEB_PORT` of `--port $WEB_PORT`.
    pub(super) fn flag_variable(&self) -> Option<&str> {
        let name = self.simple.flag(self.port_flags())?.strip_prefix('$')?;
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (is_name && name.ends_with("PORT")).then_some(name)
    }

    /// The variable from which it reads its port.
    fn port_variable(&self) -> &str {
        match &self.serves {
            ServerKind::File(entry) => entry.port_variable(),
            _ => "PORT",
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
        // The default of `${PORT:-3000}`.
        let said = match said
            .strip_prefix("${")
            .and_then(|rest| rest.split_once('-'))
        {
            Some((_, default)) => default.trim_end_matches('}'),
            None => said,
        };
        said.parse().ok().filter(|port| *port > 0)
    }

    /// Returns whether its command sets a port by flag, also through a variable.
    pub(super) fn says_a_port(&self) -> bool {
        self.simple.flag(self.port_flags()).is_some()
    }

    /// Returns whether its arguments or its variables contain an address of this machine.
    pub(super) fn names_addresses(&self) -> bool {
        let values = self.simple.env.iter().map(|(_, value)| value);
        let steps = self.before.iter().filter_map(|step| match &step.run {
            StepRun::Command(text) => Some(text),
            StepRun::Script(_) | StepRun::Hook(_) => None,
        });
        let mut texts = values.chain(self.simple.arguments()).chain(steps);
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
        let missing = self.missing_env_file.as_ref();
        let words = missing.map_or(&self.simple.words, |missing| &missing.words);
        let words = words
            .iter()
            .map(|word| match word.contains(char::is_whitespace) {
                true => quote(word).into_owned(),
                false => word.clone(),
            });
        let words = words.collect::<Vec<_>>().join(" ");
        match &self.script {
            Some(script) if self.is_alone() => {
                format!("the script `{script}` in {file} is `{words}`")
            }
            Some(script) => format!("the script `{script}` in {file} ends with `{words}`"),
            None => format!("the script `{}` in {file} starts `{words}`", self.found_by),
        }
    }
}
