//! How readers put together what they found.

use super::{Dir, Found, FoundPort, Surroundings};
use crate::kind::Kind;

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
