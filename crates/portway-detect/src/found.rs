//! How readers put together what they found.

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::{Dir, Found, FoundPort, Skipped, Surroundings};
use portway_project::kind::Kind;
use portway_project::plan::MAX_SERVICES;

impl Found {
    /// A service that speaks HTTP, in `dir`, without a name of its own.
    pub(super) fn http(
        dir: &Dir<'_>,
        framework: &'static str,
        command: impl Into<String>,
        port: FoundPort,
    ) -> Self {
        Self {
            name: String::new(),
            dir: dir.path().to_owned(),
            framework,
            command: command.into(),
            prepare: None,
            prepare_dir: None,
            port: Some(port),
            kind: Kind::Http,
            env: Default::default(),
            after: Vec::new(),
            optional: false,
            more: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// With one more sentence of evidence.
    pub(super) fn because(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// With a variable on top of the usual ones.
    pub(super) fn told(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without a port, and of a kind that gives none by itself where its name would.
    pub(super) fn without_port(mut self) -> Self {
        self.port = None;
        if self.kind.range_name(&self.name).is_some() {
            self.kind = Kind::Tcp;
        }
        self
    }

    /// With a command that makes its directory ready.
    pub(super) fn prepared(mut self, command: impl Into<String>) -> Self {
        self.prepare = Some(command.into());
        self
    }

    /// With a word about a program that it needs, where the machine lacks it.
    pub(super) fn needing(self, program: &str, surroundings: &Surroundings<'_>) -> Self {
        if (surroundings.has_program)(program) {
            return self;
        }
        self.because(format!(
            "it needs `{program}`, which is not on this machine"
        ))
    }

    /// Of another kind.
    pub(super) fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

/// Takes out the services that no process could be told of, and notes them: a NUL ends every text of
/// the system. Of more services than a plan may have, the first count.
pub(super) fn keep_usable(services: &mut Vec<Found>, skipped: &RefCell<Vec<Skipped>>) {
    let mut gone = Vec::new();
    services.retain(|service| {
        let is_tellable = service.is_tellable();
        if !is_tellable {
            gone.push(service.name.clone());
            skipped.borrow_mut().push(service.untellable());
        }
        is_tellable
    });
    if services.len() > MAX_SERVICES {
        let all = services.len();
        gone.extend(services.drain(MAX_SERVICES..).map(|service| service.name));
        skipped.borrow_mut().push(too_many(all));
    }
    let gone: BTreeSet<String> = gone.into_iter().collect();
    for service in services {
        service.after.retain(|(other, _)| !gone.contains(other));
    }
}

/// The note that not all services count.
pub(super) fn too_many(all: usize) -> Skipped {
    Skipped {
        file: ".".into(),
        why: format!("has {all} services, of which the first {MAX_SERVICES} at most are taken"),
    }
}

impl Found {
    /// Whether nothing of it has a NUL in it.
    pub(super) fn is_tellable(&self) -> bool {
        let texts = [&self.command, &self.dir];
        let variables = self.env.keys().chain(self.env.values());
        let mut texts = texts.into_iter().chain(&self.prepare).chain(variables);
        !texts.any(|text| text.contains('\0'))
            && !self.more.iter().any(|line| line.contains("\\u0000"))
    }

    /// The note that it was passed over for the sake of a NUL.
    pub(super) fn untellable(&self) -> Skipped {
        let evidence = self.evidence.first().map_or("", String::as_str);
        Skipped {
            file: self.name.clone(),
            why: format!("has a NUL in its command or its variables ({evidence})"),
        }
    }
}

impl Surroundings<'_> {
    /// The port that the user prefers for a framework, else the framework's own.
    pub(super) fn port(&self, framework: &str, usual: u16) -> FoundPort {
        FoundPort::Prefer((self.preferred)(framework).unwrap_or(usual))
    }

    /// The first of these programs that is there.
    pub(super) fn first_program<'p>(&self, programs: &[&'p str]) -> Option<&'p str> {
        let is_there = |program: &&str| (self.has_program)(program);
        programs.iter().copied().find(is_there)
    }
}
