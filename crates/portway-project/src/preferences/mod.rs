//! Preferences: what a user, or a project, wants to be otherwise.
//!
//! ```text
//! flag ─► environment ─► [preferences] of portway.toml ─► config.toml ─► default
//! ```
//!
//! Each key is declared once, in [`keys`]. A layer is read into [`Setting`]s, each of which knows
//! where it stands; [`Preferences`] are all layers, the strongest first, and answer both what
//! counts and why. Variables and the text of files are passed in.

pub mod edit;
pub mod file;
pub mod keys;
mod read;
mod tree;
mod value;

use portway_api::PreferenceSource;
use portway_ports::PortRange;

pub use keys::{KEYS, Key};
pub use read::{Table, WrongVariable, from_environment, from_flag, from_text, parse_key};
pub use value::{Form, Value};

use crate::kind::Kind;
use crate::port_spec::PortSpec;

/// One value of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// What it is a value of.
    pub key: &'static Key,
    /// The key's name in its parts, with those that the user chose.
    pub path: Vec<String>,
    /// The value.
    pub value: Value,
    /// The layer.
    pub source: PreferenceSource,
    /// Where it stands: `FILE:LINE:COLUMN`, a variable, a flag; empty for a default.
    pub place: String,
}

/// All layers, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    settings: Vec<Setting>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Preferences {
    /// The layers in `settings`, above the defaults.
    pub fn new(mut settings: Vec<Setting>) -> Self {
        settings.extend(KEYS.iter().filter_map(|key| {
            Some(Setting {
                key,
                path: key.name.split('.').map(str::to_owned).collect(),
                value: key.default_value()?,
                source: PreferenceSource::Default,
                place: String::new(),
            })
        }));
        // Stable: within a layer the order stays, which for variables is one of strength.
        settings.sort_by_key(|setting| setting.source);
        Self { settings }
    }

    /// The same with more values, each in its layer.
    pub fn with(self, more: impl IntoIterator<Item = Setting>) -> Self {
        let mut settings: Vec<Setting> = more.into_iter().collect();
        settings.extend(self.settings);
        settings.sort_by_key(|setting| setting.source);
        Self { settings }
    }

    /// Every value of a key, the one that counts first. Of a key whose layers add up all count.
    pub fn layers<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = &'a Setting> {
        self.settings.iter().filter(move |one| one.path == path)
    }

    /// The value that counts.
    pub fn value(&self, path: &[String]) -> Option<Value> {
        let first = self.layers(path).next()?;
        if !first.key.adds_up {
            return Some(first.value.clone());
        }
        let mut all: Vec<PortRange> = Vec::new();
        for setting in self.layers(path) {
            if let Value::Ports(ranges) = &setting.value {
                let new = ranges.iter().filter(|range| !all.contains(range));
                all.extend(new.copied().collect::<Vec<_>>());
            }
        }
        Some(Value::Ports(all))
    }

    /// The keys that are to be listed, in the order of their declaration: those with fixed names,
    /// and of the others those that have a value.
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        for key in &KEYS {
            if !key.is_family() {
                paths.push(key.name.split('.').map(str::to_owned).collect());
                continue;
            }
            for setting in self.settings.iter().filter(|one| one.key == key) {
                if !paths.contains(&setting.path) {
                    paths.push(setting.path.clone());
                }
            }
        }
        paths
    }

    fn get(&self, path: &[&str]) -> Option<Value> {
        let path: Vec<String> = path.iter().map(|&part| part.to_owned()).collect();
        self.value(&path)
    }

    fn word(&self, key: &str) -> &'static str {
        let path: Vec<&str> = key.split('.').collect();
        match self.get(&path) {
            Some(Value::Word(word)) => word,
            _ => "",
        }
    }

    fn port(&self, path: &[&str]) -> Option<u16> {
        match self.get(path)? {
            Value::Port(port) => Some(port),
            _ => None,
        }
    }

    /// The ports of a service that names none; `None` where its kind has no usual ones.
    pub fn range(&self, kind: Kind, service: &str) -> Option<PortRange> {
        match self.get(&["ranges", kind.range_name(service)?])? {
            Value::Range(range) => Some(range),
            _ => None,
        }
    }

    /// The ranges of services that name none, each with the name of its kind.
    pub fn ranges(&self) -> Vec<(&'static str, PortRange)> {
        let names = KEYS
            .iter()
            .filter_map(|key| key.name.strip_prefix("ranges."));
        let with_range = names.filter_map(|name| match self.get(&["ranges", name])? {
            Value::Range(range) => Some((name, range)),
            _ => None,
        });
        with_range.collect()
    }

    /// The ports that are never to be given out unless asked for by number.
    pub fn never(&self) -> Vec<PortRange> {
        match self.get(&["never"]) {
            Some(Value::Ports(ranges)) => ranges,
            _ => Vec::new(),
        }
    }

    /// The port to try first for a framework's service.
    pub fn framework_port(&self, framework: &str) -> Option<u16> {
        self.port(&["prefer", "frameworks", framework])
    }

    /// The port to try first for a project's service.
    pub fn service_port(&self, project: &str, service: &str) -> Option<u16> {
        self.port(&["prefer", "projects", project, service])
    }

    /// Whether to ask before a service starts on another port than the one that was wanted.
    pub fn asks_when_moved(&self) -> bool {
        self.word("moved") == "ask"
    }

    /// Whether `up` starts the gateway.
    pub fn starts_gateway(&self) -> bool {
        self.word("gateway.start") == "with-up"
    }

    /// Where the gateway serves; `None` leaves it to the gateway.
    pub fn gateway_port(&self) -> Option<u16> {
        self.port(&["gateway", "port"])
    }

    /// Where the gateway serves HTTPS; `None` leaves it to the gateway.
    pub fn gateway_tls_port(&self) -> Option<u16> {
        self.port(&["gateway", "tls_port"])
    }

    /// Whether to print in colour; `None` leaves it to the terminal.
    pub fn colour(&self) -> Option<bool> {
        match self.word("colour") {
            "always" => Some(true),
            "never" => Some(false),
            _ => None,
        }
    }

    /// How many bytes of what a service prints are kept on disk.
    pub fn log_size(&self) -> u64 {
        match self.get(&["logs", "size"]) {
            Some(Value::Size(bytes)) => bytes,
            _ => 0,
        }
    }

    /// The ports of one service as they are wanted in the end: `written` is what the manifest says,
    /// or what the kind of service has without saying.
    ///
    /// The user's preferred port counts where the project prefers none: within the project's range,
    /// or anywhere for a service without one.
    pub(crate) fn port_spec(
        &self,
        project: &str,
        service: &str,
        kind: Kind,
        written: Option<PortSpec>,
    ) -> Option<PortSpec> {
        let spec = written.or_else(|| self.range(kind, service).map(PortSpec::from_range))?;
        let preferred = self
            .service_port(project, service)
            .filter(|_| !spec.explicit);
        match preferred {
            Some(port) if spec.range.contains(port) => Some(PortSpec {
                prefer: port,
                explicit: true,
                ..spec
            }),
            Some(port) if written.is_none() => PortSpec::from_port(port),
            _ => Some(spec),
        }
    }
}

#[cfg(test)]
mod tests;
