//! What a compose file says about the services that matter here.

use indexmap::IndexMap;
use serde_json::Value;

use super::interpolate;
use super::ports::{Published, exposed, published};
use crate::process_compose::depends_on;
use crate::shell::quote;
use crate::yaml::{self, YamlError, scalar, strings};

/// The services of a compose file, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compose {
    /// In the order of the file.
    pub services: IndexMap<String, Service>,
    /// Whether other files are included, which are not read.
    pub includes: bool,
}

/// One service of a compose file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Its image, where it names one.
    pub image: Option<String>,
    /// The directory it is built from, where it is.
    pub build: Option<String>,
    /// Its published ports; where there are none, those it exposes.
    pub ports: Vec<Published>,
    /// Entries of `ports` that are none for TCP.
    pub(super) other_ports: Vec<String>,
    pub(super) profiles: Vec<String>,
    pub(super) depends_on: IndexMap<String, String>,
    /// What tells within the container whether it is healthy.
    pub(super) healthcheck: Option<String>,
    pub(super) on_host_network: bool,
}

impl Compose {
    /// Reads a file's values with these variables.
    pub(super) fn new(
        mut value: Value,
        variables: &IndexMap<String, String>,
    ) -> Result<Self, YamlError> {
        interpolate::fill_all(&mut value, variables);
        let services = value.get("services").and_then(Value::as_object);
        let services = services.ok_or_else(|| YamlError {
            line: None,
            message: "`services` is no mapping".into(),
        })?;
        Ok(Self {
            services: services
                .iter()
                .map(|(name, value)| (name.clone(), Service::new(value)))
                .collect(),
            includes: value.get("include").is_some(),
        })
    }
}

/// Reads the text of a compose file, with no variables but their defaults.
///
/// # Errors
/// When it is not YAML that can be used, or `services` is no mapping.
pub fn parse(text: &str) -> Result<Compose, YamlError> {
    Compose::new(yaml::parse(text)?, &IndexMap::new())
}

impl Service {
    fn new(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(scalar).filter(|t| !t.is_empty());
        let build = value.get("build").filter(|build| !build.is_null());
        let build = build.map(|build| {
            let context = scalar(build).or_else(|| build.get("context").and_then(scalar));
            context.unwrap_or_else(|| ".".into())
        });
        let (mut ports, other_ports) = value.get("ports").map(published).unwrap_or_default();
        if ports.is_empty() {
            ports = value.get("expose").map(exposed).unwrap_or_default();
        }
        Self {
            image: text("image"),
            build,
            ports,
            other_ports,
            profiles: value.get("profiles").map(strings).unwrap_or_default(),
            depends_on: value.get("depends_on").map(depends_on).unwrap_or_default(),
            healthcheck: value.get("healthcheck").and_then(healthcheck),
            on_host_network: text("network_mode").as_deref() == Some("host"),
        }
    }
}

/// The command of a health check, as it is run in the container.
fn healthcheck(check: &Value) -> Option<String> {
    if check.get("disable").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let words = strings(check.get("test")?);
    let in_shell = |command: &str| format!("sh -c {}", quote(command));
    match words.split_first()? {
        (first, []) if first != "NONE" => Some(in_shell(first)),
        (first, rest) if first == "CMD-SHELL" => Some(in_shell(&rest.join(" "))),
        (first, rest) if first == "CMD" => {
            let words: Vec<_> = rest.iter().map(|word| quote(word)).collect();
            Some(words.join(" "))
        }
        _ => None,
    }
}
