//! The parts of a compose file that detection uses.

use indexmap::IndexMap;
use serde_json::Value;

use super::ports::{Published, exposed, published};
use super::{environment, interpolate};
use crate::process_compose::depends_on;
use crate::yaml::{self, YamlError, scalar, strings};
use portway_project::shell::quote;

/// The services of a compose file, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compose {
    /// In the order of the file.
    pub services: IndexMap<String, Service>,
}

/// One service of a compose file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Service {
    /// Its image, if it names one.
    pub image: Option<String>,
    /// The directory it is built from, if any.
    pub build: Option<String>,
    /// The path of its Dockerfile relative to that directory, if it names one.
    pub(super) dockerfile: Option<String>,
    /// The command that replaces that of its image.
    pub(super) command: Option<String>,
    /// The entry point that replaces that of its image.
    pub(super) entrypoint: Option<String>,
    pub(super) environment: IndexMap<String, String>,
    /// The paths of `env_file`, relative to the compose file.
    pub(super) env_files: Vec<String>,
    /// Those of `env_files` that may be missing.
    pub(super) optional_env_files: Vec<String>,
    /// Its published ports or, if there are none, its exposed ports.
    pub ports: Vec<Published>,
    /// Whether the file publishes these ports, rather than only exposing them.
    pub(super) is_published: bool,
    /// Whether the file names its container.
    pub(super) has_container_name: bool,
    /// Entries of `ports` that are not TCP ports.
    pub(super) other_ports: Vec<String>,
    pub(super) profiles: Vec<String>,
    pub(super) depends_on: IndexMap<String, String>,
    /// The command of its health check, run in the container.
    pub(super) healthcheck: Option<String>,
    pub(super) on_host_network: bool,
    /// The directories and files of the machine, such as the code, that are mounted into its container, each
    /// with its path there.
    pub(super) mounts: Vec<(String, String)>,
}

impl Compose {
    /// Reads a parsed file and interpolates these variables.
    pub(super) fn new(
        mut value: Value,
        variables: &IndexMap<String, String>,
    ) -> Result<Self, YamlError> {
        interpolate::fill_all(&mut value, variables);
        let services = value.get("services").and_then(Value::as_object);
        let services = services.ok_or_else(|| YamlError {
            line: None,
            message: "`services` is not a mapping".into(),
        })?;
        let services = services.iter();
        let mut compose = Self {
            services: services
                .map(|(name, value)| (name.clone(), Service::new(value)))
                .collect(),
        };
        compose.share_builds();
        Ok(compose)
    }
}

impl Compose {
    /// Gives services that run an image by its name what builds it: another service of the file.
    fn share_builds(&mut self) {
        let builders = self.services.values().filter(|one| one.build.is_some());
        let builders = builders.filter_map(|one| {
            let image = one.image.clone()?;
            Some((image, (one.build.clone(), one.dockerfile.clone())))
        });
        let builders: IndexMap<String, _> = builders.collect();
        let users = self.services.values_mut();
        for service in users.filter(|one| one.build.is_none()) {
            let builder = service.image.as_ref().and_then(|image| builders.get(image));
            if let Some((build, dockerfile)) = builder {
                service.build.clone_from(build);
                service.dockerfile.clone_from(dockerfile);
            }
        }
    }
}

/// Parses the text of a compose file. Variables take their defaults.
///
/// # Errors
/// If it is not usable YAML, or if `services` is not a mapping.
pub fn parse(text: &str) -> Result<Compose, YamlError> {
    Compose::new(yaml::parse(text)?, &IndexMap::new())
}

impl Service {
    /// Returns what it runs instead of the command of its image. With a command, the entry point prepares
    /// something for it.
    pub(super) fn runs(&self) -> Option<&str> {
        self.command.as_deref().or(self.entrypoint.as_deref())
    }

    fn new(value: &Value) -> Self {
        let text = |key: &str| value.get(key).and_then(scalar).filter(|t| !t.is_empty());
        let build = value.get("build").filter(|build| !build.is_null());
        let dockerfile = build.and_then(|build| build.get("dockerfile"));
        let dockerfile = dockerfile.and_then(scalar);
        let build = build.map(|build| {
            let context = scalar(build).or_else(|| build.get("context").and_then(scalar));
            context.unwrap_or_else(|| ".".into())
        });
        let (mut ports, other_ports) = value.get("ports").map(published).unwrap_or_default();
        let is_published = !ports.is_empty();
        if !is_published {
            ports = value.get("expose").map(exposed).unwrap_or_default();
        }
        Self {
            image: text("image"),
            build,
            dockerfile,
            command: value.get("command").and_then(command),
            entrypoint: value.get("entrypoint").and_then(command),
            environment: value
                .get("environment")
                .map(environment::parse)
                .unwrap_or_default(),
            env_files: value
                .get("env_file")
                .map(environment::parse_files)
                .unwrap_or_default(),
            optional_env_files: value
                .get("env_file")
                .map(environment::optional_files)
                .unwrap_or_default(),
            ports,
            other_ports,
            is_published,
            has_container_name: text("container_name").is_some(),
            profiles: value.get("profiles").map(strings).unwrap_or_default(),
            depends_on: value.get("depends_on").map(depends_on).unwrap_or_default(),
            healthcheck: value.get("healthcheck").and_then(healthcheck),
            on_host_network: text("network_mode").as_deref() == Some("host"),
            mounts: value.get("volumes").map(mounts).unwrap_or_default(),
        }
    }
}

/// Returns the volumes that are directories or files of the machine rather than volumes with a name, each with
/// its path in the container.
fn mounts(volumes: &Value) -> Vec<(String, String)> {
    let all = volumes.as_array().into_iter().flatten();
    all.filter_map(|volume| match volume {
        Value::Object(_) => {
            let is_bind = volume.get("type").and_then(Value::as_str) == Some("bind");
            let text = |key: &str| volume.get(key).and_then(scalar).unwrap_or_default();
            is_bind.then(|| (text("source"), text("target")))
        }
        one => {
            let text = scalar(one).filter(|text| text.starts_with(['.', '/', '~', '$']))?;
            let mut parts = text.split(':').map(str::to_owned);
            Some((parts.next()?, parts.next().unwrap_or_default()))
        }
    })
    .collect()
}

/// A command, as a shell runs it: a text, or a list of words.
fn command(value: &Value) -> Option<String> {
    let text = match value {
        Value::Array(_) => {
            let words = strings(value);
            let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
            words.join(" ")
        }
        one => scalar(one)?,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// The command of a health check, as the container runs it.
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
