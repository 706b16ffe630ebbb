//! Converts processes to services.

use indexmap::IndexMap;

use super::Source;
use super::model::{Process, Project};
use crate::procfile::nth_port;
use crate::shell::{has_placeholder, literal};
use crate::text::quoted;
use crate::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// The first port for processes that name none.
const FIRST_PORT: u16 = 5000;

/// Syntax that `sh` may not support.
const BASHISMS: [&str; 6] = ["[[ ", "source ", "<(", "<<<", "&>", "pipefail"];

const CONDITIONS: [(&str, &str); 6] = [
    ("", "started"),
    ("process_started", "started"),
    ("process_healthy", "ready"),
    ("process_log_ready", "ready"),
    ("process_completed_successfully", "completed"),
    ("process_completed", "completed"),
];

const SIGNALS: [(u64, &str); 7] = [
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (9, "KILL"),
    (10, "USR1"),
    (12, "USR2"),
    (15, "TERM"),
];

pub(super) fn services(
    root: &Dir<'_>,
    source: &Source<'_>,
    project: &Project,
    context: &DetectContext<'_>,
) -> Vec<DetectedService> {
    let file = source.file;
    for key in &project.left_out {
        root.skip(&format!("{file}: {key}"), "has no equivalent in a manifest");
    }
    let dotenv = root.dotenv(".env").is_some();
    let first = (context.preferred)(source.framework).unwrap_or(FIRST_PORT);
    let mut found = Vec::new();
    for (index, (name, process)) in project.processes.iter().enumerate() {
        if process.command.trim().is_empty() {
            root.skip(&format!("{file}: processes.{name}"), "has no command");
            continue;
        }
        let port = nth_port(first, index);
        let translation = Conversion {
            root,
            source,
            project,
            name,
            process,
            context,
        };
        found.push(translation.service(port, dotenv));
    }
    found
}

/// A process that is being converted.
pub(super) struct Conversion<'t> {
    pub(super) root: &'t Dir<'t>,
    pub(super) source: &'t Source<'t>,
    pub(super) project: &'t Project,
    pub(super) name: &'t str,
    pub(super) process: &'t Process,
    pub(super) context: &'t DetectContext<'t>,
}

impl Conversion<'_> {
    fn service(&self, port: u16, dotenv: bool) -> DetectedService {
        let process = self.process;
        let command = self.unescaped(&process.command);
        let inferred = Kind::infer(self.name, &command);
        let preferred = DetectedPort::Preferred(port);
        let mut found = DetectedService::http(self.root, self.source.framework, "", preferred)
            .with_kind(inferred)
            .with_evidence(format!(
                "{} has the process `{}`",
                self.source.file, self.name
            ));
        found.name = self.name.to_owned();
        found.optional = process.optional;
        found.is_port_written = true;
        found.names_addresses = true;
        let mut variables = self.project.environment.clone();
        variables.extend(process.environment.clone());
        let cd = self.dir(&mut found);
        // The shell that it needs gets the command as it is.
        let is_posix = !BASHISMS.iter().any(|one| command.contains(one));
        if is_posix {
            found.command = literal(&command).into_owned();
        }
        found = match self.server_of_package(&found, &command) {
            Some(server) if cd.is_empty() => self.with_server(found, server, &mut variables),
            _ => self.with_port(found, &command, &mut variables),
        };
        let own = found.port.map(|port| match port {
            DetectedPort::Preferred(port)
            | DetectedPort::Chosen { port, .. }
            | DetectedPort::Fixed(port) => port,
        });
        let before = self.environment(&mut found, &variables) + &cd;
        found.command = match is_posix {
            true => literal(&before).into_owned() + found.command.trim(),
            false => {
                let command = format!("{before}{command}");
                literal(&format!("bash -c {}", quote(command.trim()))).into_owned()
            }
        };
        self.env_files(&mut found, dotenv);
        self.probes(&mut found, own);
        self.set_lifecycle(&mut found);
        self.after(&mut found);
        self.add_notes(&mut found);
        found
    }

    /// process-compose reads `$$` as `$`. Every other `$` is left to the shell, which expands the
    /// same variables.
    fn unescaped(&self, text: &str) -> String {
        match self.project.no_expansion {
            true => text.to_owned(),
            false => text.replace("$$", "$"),
        }
    }

    /// Returns its variables. Those that refer to others are returned as commands for the shell.
    fn environment(
        &self,
        found: &mut DetectedService,
        variables: &IndexMap<String, String>,
    ) -> String {
        let mut exports = String::new();
        for (name, value) in variables {
            let is_name =
                !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let refers = !self.project.no_expansion && value.replace("$$", "").contains('$');
            if is_name && (refers || has_placeholder(value)) {
                exports += &format!("export {name}={}; ", in_double_quotes(value, refers));
            } else {
                let value = self.unescaped(value);
                found.env.entry(name.clone()).or_insert(value);
            }
        }
        exports
    }

    /// Returns its directory. For a directory outside the checkout, returns a command that changes
    /// to it.
    fn dir(&self, found: &mut DetectedService) -> String {
        let Some(dir) = &self.process.working_dir else {
            return String::new();
        };
        let parts = dir
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".");
        let parts: Vec<&str> = parts.collect();
        if dir.starts_with('/') || dir.contains(['$', '~']) || parts.contains(&"..") {
            let dir = match dir.contains('$') {
                true => in_double_quotes(dir, true),
                false if dir.starts_with('~') => dir.clone(),
                false => quote(dir).into_owned(),
            };
            return format!("cd {dir} && ");
        }
        found.dir = parts.join("/");
        String::new()
    }

    fn env_files(&self, found: &mut DetectedService, dotenv: bool) {
        let mut files = self.process.env_files.clone();
        if dotenv && files.is_empty() && !self.process.no_dotenv {
            files.push(".env".into());
        }
        if !files.is_empty() {
            // The file names them relative to the root; the manifest reads them relative to the
            // service.
            let parts = found.dir.split('/').filter(|part| !part.is_empty());
            let up = "../".repeat(parts.count());
            let files: Vec<String> = files
                .iter()
                .map(|file| match file.starts_with('/') {
                    true => quoted(file),
                    false => quoted(&format!("{up}{}", file.trim_start_matches("./"))),
                })
                .collect();
            found
                .more
                .push(format!("env_file = [{}]", files.join(", ")));
        }
    }

    fn probes(&self, found: &mut DetectedService, own: Option<u16>) {
        let process = self.process;
        let pattern = process.ready_log_line.as_ref();
        let log = pattern
            .map(|line| format!("ready = {{ log = {} }}", quoted(&regex_lite::escape(line))));
        let ready = process
            .readiness
            .as_ref()
            .and_then(|probe| probe.ready(own));
        let live = process
            .liveness
            .as_ref()
            .and_then(|probe| probe.liveness(own));
        for (name, probe, line) in [
            ("readiness_probe", &process.readiness, &ready),
            ("liveness_probe", &process.liveness, &live),
        ] {
            for key in probe.iter().flat_map(|probe| &probe.left_out) {
                found.evidence.push(format!("not converted: {name}.{key}"));
            }
            if probe.is_some() && line.is_none() {
                found.evidence.push(format!(
                    "not converted: its {name}, because it does not check the service's own port"
                ));
            }
        }
        found.more.extend(log.or(ready));
        found.more.extend(live);
    }

    /// Converts restart and shutdown settings.
    fn set_lifecycle(&self, found: &mut DetectedService) {
        let process = self.process;
        let restart = match process.restart.as_deref() {
            Some("always") => "always",
            Some("on_failure" | "on-failure") => "on-failure",
            Some("exit_on_failure") => {
                found
                    .evidence
                    .push("not converted: all other processes stop when it fails".into());
                "never"
            }
            _ => "never",
        };
        found.more.push(format!("restart = \"{restart}\""));
        let mut stop = Vec::new();
        if let Some(signal) = process.signal {
            match SIGNALS.iter().find(|(number, _)| *number == signal) {
                Some((_, name)) => stop.push(format!("signal = \"{name}\"")),
                None => found
                    .evidence
                    .push(format!("not converted: the signal {signal} that stops it")),
            }
        }
        if let Some(seconds) = process.grace.filter(|seconds| (1..=3600).contains(seconds)) {
            stop.push(format!("grace = \"{seconds}s\""));
        }
        if !stop.is_empty() {
            found.more.push(format!("stop = {{ {} }}", stop.join(", ")));
        }
    }

    fn after(&self, found: &mut DetectedService) {
        for (other, condition) in &self.process.depends_on {
            let known = CONDITIONS.iter().find(|(name, _)| name == condition);
            let runs = self.project.processes.get(other);
            if runs.is_none_or(|other| other.command.trim().is_empty()) {
                found.evidence.push(format!(
                    "it starts after `{other}`, which is not a process of the file"
                ));
                continue;
            }
            let Some((_, condition)) = known else {
                found.evidence.push(format!(
                    "not converted: the condition {condition} of `{other}`"
                ));
                found.after.push((other.clone(), "started"));
                continue;
            };
            found.after.push((other.clone(), condition));
        }
    }

    fn add_notes(&self, found: &mut DetectedService) {
        let process = self.process;
        if process.optional {
            let sentence = "it is disabled there, so it is optional";
            found.evidence.push(sentence.into());
        }
        if process.is_daemon {
            let sentence = "it is a daemon in process-compose; under Portway its command must stay in the foreground";
            found.evidence.push(sentence.into());
        }
        if process.command.contains("{{") {
            let sentence = "its command contains templates, which Portway does not expand";
            found.evidence.push(sentence.into());
        }
        if !process.left_out.is_empty() {
            let keys = process.left_out.join(", ");
            found.evidence.push(format!("not converted: {keys}"));
        }
    }
}

/// Quotes a value so that the shell still expands its variables.
fn in_double_quotes(value: &str, refers: bool) -> String {
    let mut text = String::from("\"");
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        match character {
            '$' if refers && next == Some('$') => {
                characters.next();
                text.push_str("\\$");
            }
            '$' if refers
                && next.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '{') =>
            {
                text.push('$');
            }
            '$' | '"' | '\\' | '`' => text.extend(['\\', character]),
            other => text.push(other),
        }
    }
    text + "\""
}
