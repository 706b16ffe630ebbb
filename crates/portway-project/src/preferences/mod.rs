//! Preferences: defaults that a user or a project changes.
//!
//! ```text
//! flag ─► environment ─► [preferences] of portway.toml ─► config.toml ─► default
//! ```
//!
//! The first layer that sets a preference applies. Each layer is read into [`Setting`]s;
//! [`Preferences`] combines them. The caller passes in the environment.

pub mod edit;
pub mod file;
pub mod keys;
mod lookup;
mod read;
mod tree;
mod value;

use portway_api::PreferenceSource;
use portway_ports::{PortRange, PortRanges};

pub use keys::{KEYS, Key};
pub use lookup::format_path;
pub use read::{
    InvalidVariable, Setting, Table, from_environment, from_flag, from_text, parse_key,
};
pub use value::{PreferenceError, Value, ValueType, former_name};

use crate::kind::Kind;
use crate::policy::Isolation;
use crate::port_spec::PortSpec;

/// The settings of all layers, the strongest layer first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preferences {
    settings: Vec<Setting>,
}

impl Default for Preferences {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// Whether to print in color.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// If the output is a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Preferences {
    /// Combines these settings with the defaults.
    pub fn new(mut settings: Vec<Setting>) -> Self {
        settings.extend(KEYS.iter().filter_map(|key| {
            Some(Setting {
                key,
                path: key.path(),
                value: key.default_value()?,
                source: PreferenceSource::Default,
                location: String::new(),
            })
        }));
        // The sort is stable: the order of variables within the environment stays.
        settings.sort_by_key(|setting| setting.source);
        Self { settings }
    }

    /// Adds settings, each in its layer.
    pub fn with(self, more: impl IntoIterator<Item = Setting>) -> Self {
        let mut settings: Vec<Setting> = more.into_iter().collect();
        settings.extend(self.settings);
        settings.sort_by_key(|setting| setting.source);
        Self { settings }
    }

    /// The settings of a key, the one that applies first. All settings of a combined key apply.
    pub fn layers<'a>(&'a self, path: &'a [String]) -> impl Iterator<Item = &'a Setting> {
        self.settings.iter().filter(move |one| one.path == path)
    }

    /// The value that applies.
    pub fn value(&self, path: &[String]) -> Option<Value> {
        let first = self.layers(path).next()?;
        if !first.key.is_combined {
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

    /// The paths to list, in the order of [`KEYS`]: all keys with a fixed name, and each member of
    /// a family that has a value.
    pub fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        for key in &KEYS {
            if !key.is_family() {
                paths.push(key.path());
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

    fn choice(&self, key: &str) -> &'static str {
        let path: Vec<&str> = key.split('.').collect();
        match self.get(&path) {
            Some(Value::Choice(word)) => word,
            _ => "",
        }
    }

    fn port(&self, path: &[&str]) -> Option<u16> {
        match self.get(path)? {
            Value::Port(port) => Some(port),
            _ => None,
        }
    }

    /// The ports of a service without a port in the manifest; `None` if its kind has no default
    /// range.
    pub fn range(&self, kind: Kind, service: &str) -> Option<PortRanges> {
        match self.get(&["ranges", kind.range_name(service)?])? {
            Value::Range(range) => Some(range),
            _ => None,
        }
    }

    /// All ranges of services without a port in the manifest, each with its name.
    pub fn ranges(&self) -> Vec<(&'static str, PortRanges)> {
        let names = KEYS
            .iter()
            .filter_map(|key| key.name.strip_prefix("ranges."));
        let with_range = names.filter_map(|name| match self.get(&["ranges", name])? {
            Value::Range(range) => Some((name, range)),
            _ => None,
        });
        with_range.collect()
    }

    /// The ports to use only if they are requested by number.
    pub fn never(&self) -> Vec<PortRange> {
        match self.get(&["never"]) {
            Some(Value::Ports(ranges)) => ranges,
            _ => Vec::new(),
        }
    }

    /// The port to try first for a detected service with this framework.
    pub fn framework_port(&self, framework: &str) -> Option<u16> {
        self.port(&["prefer", "frameworks", framework])
    }

    /// The port to try first for a service of a project.
    pub fn service_port(&self, project: &str, service: &str) -> Option<u16> {
        self.port(&["prefer", "projects", project, service])
    }

    /// Whether `up` asks before it starts a service on another port than the preferred one.
    pub fn asks_when_moved(&self) -> bool {
        self.choice("moved") == "ask"
    }

    /// What separates the services of an instance from those of other checkouts; `None` if that depends on its
    /// ports. `written` is the key `isolation` of the manifest, which a flag and the environment override.
    pub fn isolation(&self, written: Option<Isolation>) -> Option<Isolation> {
        let path = ["isolation".to_owned()];
        let source = self.layers(&path).next().map(|setting| setting.source);
        let is_overridden = matches!(
            source,
            Some(PreferenceSource::Flag | PreferenceSource::Environment)
        );
        match (written, self.choice("isolation")) {
            (Some(written), _) if !is_overridden => Some(written),
            (_, "network") => Some(Isolation::Network),
            (_, "none") => Some(Isolation::None),
            _ => None,
        }
    }

    /// Whether `up` starts the gateway.
    pub fn starts_gateway(&self) -> bool {
        self.choice("gateway.start") == "with-up"
    }

    /// The gateway's HTTP port; `None` for its default.
    pub fn gateway_port(&self) -> Option<u16> {
        self.port(&["gateway", "port"])
    }

    /// The gateway's HTTPS port; `None` for its default.
    pub fn gateway_tls_port(&self) -> Option<u16> {
        self.port(&["gateway", "tls_port"])
    }

    /// Whether to print in color.
    pub fn color(&self) -> ColorChoice {
        match self.choice("color") {
            "always" => ColorChoice::Always,
            "never" => ColorChoice::Never,
            _ => ColorChoice::Auto,
        }
    }

    /// How many bytes of a service's output are kept on disk.
    pub fn log_size(&self) -> u64 {
        match self.get(&["logs", "size"]) {
            Some(Value::Size(bytes)) => bytes,
            _ => 0,
        }
    }

    /// The ports of a service with at most one port. `written` is the port in the manifest, which
    /// takes precedence over the range of the kind.
    ///
    /// The user's preferred port applies if the manifest names no port: within the manifest's
    /// range, or without limits if the manifest has no range.
    pub(crate) fn port_spec(
        &self,
        project: &str,
        service: &str,
        kind: Kind,
        written: Option<&PortSpec>,
    ) -> Option<PortSpec> {
        let spec = written
            .cloned()
            .or_else(|| self.range(kind, service).map(PortSpec::from_range))?;
        let preferred = self
            .service_port(project, service)
            .filter(|_| !spec.explicit);
        match preferred {
            Some(port) if spec.range.contains(port) => Some(spec.preferring(PortSpec {
                prefer: port,
                explicit: true,
                ..spec.clone()
            })),
            Some(port) if written.is_none() => {
                PortSpec::from_port(port).map(|chosen| spec.preferring(chosen))
            }
            _ => Some(spec),
        }
    }
}

#[cfg(test)]
mod tests;
