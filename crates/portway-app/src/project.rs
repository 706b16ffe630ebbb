//! The project that a command is about: manifest, checkout, registry, plan.

mod describe;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_detect::Detection;
use portway_project::diagnostic::Diagnostic;
use portway_project::manifest::{Manifest, Source};
use portway_project::mapping::Mapping;
use portway_project::policy::LanAccess;
use portway_project::suggest::suggestion;
use portway_project::{Checkout, Plan, PortsFile, Preferences};
use portway_registry::{DirectoryId, Instance, NewInstance, Registry, SqliteRegistry};

pub(crate) use describe::{Described, describe, describe_for, surroundings};

use crate::database;
use crate::dirs;
use crate::error::CommandError;
use crate::instance::connection::Supervised;
use crate::instance::locate::{Located, locate};
use crate::isolation::{self, ObservedPort};
use crate::mapping::mappings;
use crate::options::Selection;
use crate::registry::RegistryReader;

/// Returns the error of a plan. The text of a manifest that was `detected` is in no file.
fn plan_error(invalid: Box<Diagnostic>, detected: bool) -> CommandError {
    if !detected {
        return invalid.into();
    }
    let mut error = CommandError::new(ErrorCode::ManifestInvalid, invalid.message);
    error.info.hints.extend(invalid.help);
    error.hint("run `portway init` to write the detected services to `portway.toml`, and edit it")
}

/// A project as its files describe it.
pub(crate) struct Project {
    pub(crate) checkout: Checkout,
    pub(crate) plan: Plan,
    /// The detected services, if there is no `portway.toml`.
    pub(crate) found: Option<Detection>,
    /// The preferences of the user and of the project.
    pub(crate) preferences: Preferences,
    /// Whether the command publishes services on the local network. If unspecified, the manifest
    /// decides.
    pub(crate) lan: LanAccess,
    /// Whether this process has created a network of the instance's own.
    pub(crate) is_isolated: bool,
    /// The ports that services have opened in that network, in addition to those of the plan.
    pub(crate) observed: Vec<ObservedPort>,
    /// The file of the manifest and its text, which was generated if the services were detected.
    pub(crate) source: Source,
    /// The optional services that are enabled.
    pub(crate) options: Vec<String>,
    /// `.ports.json`, once it has been read.
    ports_file: OnceCell<Option<PortsFile>>,
}

/// A project and its record in the registry. Loading writes nothing and registers nothing.
pub(crate) struct LoadedProject {
    pub(crate) project: Project,
    pub(crate) registry: RegistryReader,
    /// The instance that is running in the checkout.
    pub(crate) running: Option<Located>,
}

/// A project that is registered as an instance, so that ports can be leased for it.
pub(crate) struct RegisteredProject {
    pub(crate) project: Project,
    pub(crate) registry: SqliteRegistry,
    pub(crate) instance: Instance,
    /// The optional services that the registry has recorded as enabled.
    pub(crate) remembered: Vec<String>,
}

impl LoadedProject {
    /// Reads the project of `directory`. `selection` changes which optional services are enabled;
    /// for the others, the registry's record applies.
    pub(crate) fn load(
        directory: Option<&Path>,
        selection: &Selection,
    ) -> Result<Self, CommandError> {
        let Described {
            manifest,
            found,
            preferences,
        } = describe(&dirs::directory(directory)?)?;
        let checkout = Checkout::read(manifest.root())?;
        let mut registry = RegistryReader::open()?;
        let running = locate(registry.state_dir(), &checkout);
        let id = running.as_ref().map_or(&checkout.id, |running| &running.id);
        // A registry that cannot be used is reported when the project is registered.
        let instance = registry.instance(id).unwrap_or_default();
        let plan = |options: &[String]| {
            Plan::with_preferences(&manifest, options, &preferences)
                .map_err(|invalid| plan_error(invalid, found.is_some()))
        };
        if !selection.with.is_empty() {
            // Rejects unknown names, which `enabled_options` leaves out.
            plan(&selection.with)?;
        }
        // A running instance has those with which it was started or that were applied last.
        let remembered = match running.as_ref().and_then(|one| one.options.as_ref()) {
            Some(running) => running.as_slice(),
            None => instance.as_ref().map_or(&[][..], |one| &one.options),
        };
        check_without(&manifest, remembered, &selection.without)?;
        let options = enabled_options(&manifest, remembered, selection);
        let mut plan = plan(&options)?;
        isolation::choose(&mut plan, &checkout, found.as_ref(), &preferences);
        let mut project = Project {
            checkout,
            plan,
            found,
            preferences,
            source: manifest.source,
            lan: LanAccess::Unspecified,
            is_isolated: false,
            observed: Vec::new(),
            options,
            ports_file: OnceCell::new(),
        };
        if database::is_needed(&project.plan, &project.checkout) {
            // A file that cannot be read is reported when it is used: it may be copied before.
            let files = project.env_files().unwrap_or_default();
            let mappings = project.mappings();
            database::add_step(&mut project.plan, &mappings, &files)?;
        }
        Ok(Self {
            project,
            registry,
            running,
        })
    }

    /// Returns whether the instance that is running in the checkout started in its directory.
    ///
    /// # Errors
    /// When it started in a directory that this one has replaced.
    pub(crate) fn has_running(&self) -> Result<bool, CommandError> {
        let Some(running) = &self.running else {
            return Ok(false);
        };
        running.check()?;
        Ok(self.is_supervised())
    }

    /// Returns the id of the instance that is running in the checkout, or the checkout's own.
    pub(crate) fn instance_id(&self) -> &str {
        match &self.running {
            Some(running) => &running.id,
            None => &self.project.checkout.id,
        }
    }

    /// Registers the project. Which optional services are enabled is recorded only when the command has
    /// succeeded ([`RegisteredProject::remember_options`]).
    pub(crate) fn register(self) -> Result<RegisteredProject, CommandError> {
        let Self {
            project,
            registry,
            running: _,
        } = self;
        let mut registry = registry.into_writable()?;
        let new = project.new_instance();
        let mut instance = registry.register(&new, portway_supervisor::now())?;
        let remembered = std::mem::replace(&mut instance.options, project.options.clone());
        Ok(RegisteredProject {
            project,
            registry,
            instance,
            remembered,
        })
    }
}

impl RegisteredProject {
    /// Records which optional services are enabled, for later commands.
    pub(crate) fn remember_options(&mut self) -> Result<(), CommandError> {
        // Unchanged options are not written: another command may have changed them meanwhile.
        if self.remembered != self.project.options {
            let options = &self.project.options;
            self.registry.set_options(&self.instance.id, options)?;
            self.remembered.clone_from(options);
        }
        Ok(())
    }
}

impl Project {
    /// Returns what is registered for the checkout.
    pub(crate) fn new_instance(&self) -> NewInstance {
        let (checkout, plan) = (&self.checkout, &self.plan);
        NewInstance {
            id: checkout.id.clone(),
            dir: checkout.root.clone(),
            project: plan.project.clone(),
            name: checkout.instance_name(&plan.project),
            fallback_name: checkout.unique_instance_name(&plan.project),
            branch: checkout.branch().map(str::to_owned),
            is_main: checkout.is_main(),
            identity: DirectoryId::read(&checkout.root),
        }
    }

    /// Returns `.ports.json`, which is read once; `None` if it does not exist.
    pub(crate) fn ports_file(&self) -> Result<Option<&PortsFile>, CommandError> {
        if let Some(file) = self.ports_file.get() {
            return Ok(file.as_ref());
        }
        let file = PortsFile::read(&self.checkout.root)?;
        Ok(self.ports_file.get_or_init(|| file).as_ref())
    }

    /// Discards the content of `.ports.json`, so that it is read again. The user may have edited it
    /// meanwhile.
    pub(crate) fn reload_ports_file(&mut self) {
        self.ports_file.take();
    }

    /// Returns the services that `names` select and those that start before them.
    ///
    /// # Errors
    /// When a name is neither a service nor a group.
    pub(crate) fn closure(&self, names: &[String]) -> Result<Vec<String>, CommandError> {
        self.plan
            .closure(names)
            .map_err(|error| unknown(&self.plan, &error.name, error.help))
    }

    /// Returns an error if the plan has no service with this name.
    pub(crate) fn known(&self, name: &str) -> Result<(), CommandError> {
        known(&self.plan, name)
    }

    /// Maps the variables that the application's own files set.
    pub(crate) fn mappings(&self) -> IndexMap<String, Mapping> {
        mappings(&self.checkout.root, &self.plan, self.found.is_some(), &[])
    }
}

impl Supervised for LoadedProject {
    fn dir(&self) -> PathBuf {
        self.registry.instance_dir(self.instance_id())
    }
}

impl Supervised for RegisteredProject {
    fn dir(&self) -> PathBuf {
        self.registry.instance_dir(&self.instance.id)
    }
}

/// Returns an error if `plan` has no service with this name.
pub(crate) fn known(plan: &Plan, name: &str) -> Result<(), CommandError> {
    if plan.services.contains_key(name) {
        return Ok(());
    }
    let known = plan.services.keys().map(String::as_str);
    Err(unknown(plan, name, suggestion(name, known)))
}

fn unknown(plan: &Plan, name: &str, help: String) -> CommandError {
    if plan.disabled.iter().any(|disabled| disabled == name) {
        let message = format!("the optional service `{name}` is not enabled in this checkout");
        CommandError::new(ErrorCode::UnknownService, message)
            .hint(format!("run `portway up --with {name}` to enable it"))
    } else {
        no_such_service(name).hint(help)
    }
}

/// Creates the error of an unknown service name.
pub(crate) fn no_such_service(name: &str) -> CommandError {
    let message = format!("there is no service `{name}`");
    CommandError::new(ErrorCode::UnknownService, message)
}

/// Returns an error if a service of `--without` is not optional or does not exist.
fn check_without(
    manifest: &Manifest,
    remembered: &[String],
    without: &[String],
) -> Result<(), CommandError> {
    for name in without {
        match manifest.services.get(name) {
            Some(service) if service.optional => {}
            Some(_) => {
                let mut others = manifest.services.iter();
                let other = others.find(|(other, service)| *other != name && !service.optional);
                let other = other.map_or("NAME", |(other, _)| other);
                let message = format!("`{name}` is not optional, so `--without` does not apply");
                return Err(CommandError::new(ErrorCode::Usage, message)
                    .hint(format!(
                        "name the services to start, for example `portway up {other}`"
                    ))
                    .hint(format!(
                        "or write `optional = true` into `[services.{name}]`"
                    )));
            }
            // The manifest no longer contains it.
            None if remembered.contains(name) => {}
            None => {
                let known = manifest.services.iter().filter(|(_, one)| one.optional);
                let known = known.map(|(name, _)| name.as_str());
                return Err(no_such_service(name).hint(suggestion(name, known)));
            }
        }
    }
    Ok(())
}

/// Returns the optional services that are enabled: those that were `remembered` and the manifest still
/// contains, with the changes of this command.
pub(crate) fn enabled_options(
    manifest: &Manifest,
    remembered: &[String],
    selection: &Selection,
) -> Vec<String> {
    let is_optional = |name: &str| {
        let service = manifest.services.get(name);
        service.is_some_and(|service| service.optional)
    };
    let mut options: Vec<String> = Vec::new();
    for name in remembered.iter().chain(&selection.with) {
        let wanted = is_optional(name) && !selection.without.contains(name);
        if wanted && !options.contains(name) {
            options.push(name.clone());
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_remembered_until_they_are_taken_back() {
        let text = "[services.a]\ncommand='a'\noptional=true\n[services.b]\ncommand='b'";
        let manifest = Manifest::parse(Path::new("portway.toml"), text).unwrap();
        let change = |remembered: &[&str], with: &[&str], without: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
            let selection = Selection {
                with: own(with),
                without: own(without),
                ports: vec![],
            };
            enabled_options(&manifest, &own(remembered), &selection)
        };
        assert_eq!(change(&[], &["a"], &[]), ["a"]);
        assert_eq!(change(&["a"], &["a"], &[]), ["a"]);
        assert!(change(&["a"], &[], &["a"]).is_empty());
        // No longer optional, or removed from the manifest.
        assert!(change(&["b", "c"], &[], &[]).is_empty());
    }
}
