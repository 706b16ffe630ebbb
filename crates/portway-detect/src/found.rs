//! Builder methods for what the readers find, and the limits that apply to it.

use std::collections::BTreeSet;

use super::records::Records;
use super::{DetectContext, DetectedPort, DetectedService, Dir, Skipped};
use portway_project::kind::Kind;
use portway_project::plan::MAX_SERVICES;

impl DetectedService {
    /// A service that speaks HTTP, in `dir`, without a name.
    pub(super) fn http(
        dir: &Dir<'_>,
        framework: &'static str,
        command: impl Into<String>,
        port: DetectedPort,
    ) -> Self {
        Self {
            name: String::new(),
            dir: dir.path().to_owned(),
            framework,
            command: command.into(),
            prepare: None,
            prepare_dir: None,
            port: Some(port),
            is_port_written: false,
            unpublished_ports: Vec::new(),
            called_by: None,
            needs_broker: false,
            names_addresses: false,
            kind: Kind::Http,
            env: Default::default(),
            after: Vec::new(),
            optional: false,
            more: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// Adds a sentence of evidence.
    pub(super) fn with_evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// Adds an environment variable.
    pub(super) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Removes the port, and the kind if the service's name alone would imply a port.
    pub(super) fn without_port(mut self) -> Self {
        self.port = None;
        if self.kind.range_name(&self.name).is_some() {
            self.kind = Kind::Tcp;
        }
        self
    }

    /// Sets the prepare command.
    pub(super) fn with_prepare(mut self, command: impl Into<String>) -> Self {
        self.prepare = Some(command.into());
        self
    }

    /// Adds a note if a program that it requires is not installed.
    pub(super) fn requiring(self, program: &str, context: &DetectContext<'_>) -> Self {
        if (context.has_program)(program) {
            return self;
        }
        self.with_evidence(format!("it requires `{program}`, which is not installed"))
    }

    /// Sets the kind.
    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// Removes sentences about commands that Portway does not start, if another service of the directory runs the
/// same file.
pub(super) fn remove_untrue_sentences(services: &mut [DetectedService]) {
    let known: Vec<(String, String, String)> = services
        .iter()
        .map(|one| (one.name.clone(), one.dir.clone(), one.command.clone()))
        .collect();
    for service in services {
        let (name, dir) = (&service.name, &service.dir);
        service.evidence.retain(|sentence| {
            let left_out = sentence
                .split_once("also starts `")
                .and_then(|(_, rest)| rest.strip_suffix("`, which Portway does not start"));
            let file = left_out.and_then(|text| {
                let mut words = text.split_whitespace();
                words.find(|word| word.contains('.') && !word.starts_with('-'))
            });
            // `flask --app api` and `uvicorn api:app` run `api.py`.
            let stem = file
                .and_then(|file| file.rsplit_once('.'))
                .map(|(stem, _)| stem);
            let is_it = |word: &str| Some(word) == file || word.split(':').next() == stem;
            let runs_it = |(other, place, command): &(String, String, String)| {
                other != name && place == dir && command.split_whitespace().any(is_it)
            };
            file.is_none() || !known.iter().any(runs_it)
        });
    }
}

/// Removes workers that another file of the checkout, such as a compose file, describes as well.
pub(super) fn remove_repeated_workers(services: &mut Vec<DetectedService>) {
    let described: Vec<(String, String)> = services
        .iter()
        .filter(|one| !one.needs_broker)
        .map(|one| (one.dir.clone(), one.command.clone()))
        .collect();
    services.retain(|one| {
        let name = if one.name == "beat" {
            " beat"
        } else {
            " worker"
        };
        let mut programs = ["celery", "dramatiq", "arq", "huey", "rq", "sidekiq"].into_iter();
        let program = programs
            .find(|program| one.command.contains(program))
            .unwrap_or("");
        let is_same = |(dir, command): &(String, String)| {
            *dir == one.dir
                && !program.is_empty()
                && command.contains(program)
                && (program != "celery" || command.contains(name))
        };
        !one.needs_broker || !described.iter().any(is_same)
    });
}

/// Makes workers optional if the checkout has no broker that they could take work from.
pub(super) fn make_workers_without_broker_optional(
    services: &mut [DetectedService],
    containers: &[super::compose::Container],
) {
    let is_broker = |one: &DetectedService| {
        matches!(one.kind, Kind::Redis | Kind::Amqp | Kind::Nats) && !one.optional
    };
    let has_broker = services.iter().any(is_broker)
        || containers
            .iter()
            .any(|container| is_broker(&container.found));
    for worker in services
        .iter_mut()
        .filter(|one| one.needs_broker && !has_broker)
    {
        worker.optional = true;
        worker.evidence.push(
            "the checkout has no broker such as Redis that it could take work from, so it is optional".into(),
        );
    }
}

/// Removes services with a NUL, which no process can receive, and those beyond the maximum number
/// of services of a plan. Records both.
pub(super) fn remove_unusable(services: &mut Vec<DetectedService>, records: &Records) {
    let mut gone = Vec::new();
    services.retain(|service| {
        let is_free_of_nul = service.is_free_of_nul();
        if !is_free_of_nul {
            gone.push(service.name.clone());
            records.skip(service.skipped_for_nul());
        }
        is_free_of_nul
    });
    if services.len() > MAX_SERVICES {
        let all = services.len();
        gone.extend(services.drain(MAX_SERVICES..).map(|service| service.name));
        records.skip(too_many(all));
    }
    let gone: BTreeSet<String> = gone.into_iter().collect();
    for service in services {
        service.after.retain(|(other, _)| !gone.contains(other));
    }
}

/// The record that services beyond the maximum are skipped.
pub(super) fn too_many(all: usize) -> Skipped {
    Skipped {
        file: ".".into(),
        why: format!("has {all} services; only the first {MAX_SERVICES} are used"),
    }
}

impl DetectedService {
    /// Returns whether none of its texts contains a NUL.
    pub(super) fn is_free_of_nul(&self) -> bool {
        let texts = [&self.command, &self.dir];
        let variables = self.env.keys().chain(self.env.values());
        let mut texts = texts.into_iter().chain(&self.prepare).chain(variables);
        !texts.any(|text| text.contains('\0'))
            && !self.more.iter().any(|line| line.contains("\\u0000"))
    }

    /// The record that it is skipped because of a NUL.
    pub(super) fn skipped_for_nul(&self) -> Skipped {
        let evidence = self.evidence.first().map_or("", String::as_str);
        Skipped {
            file: self.name.clone(),
            why: format!("contains a NUL character in its command or variables ({evidence})"),
        }
    }
}

impl DetectContext<'_> {
    /// Returns the user's preferred port for a framework, or else the framework's default.
    pub(super) fn port(&self, framework: &str, usual: u16) -> DetectedPort {
        match (self.preferred)(framework).filter(|&port| port != usual) {
            Some(port) => DetectedPort::Chosen { port, usual },
            None => DetectedPort::Preferred(usual),
        }
    }
}
