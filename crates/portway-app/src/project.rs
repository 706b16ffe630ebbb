//! The project that a command is about: manifest, checkout, registry, plan.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_api::ErrorCode;
use portway_detect::{DetectContext, Detection};
use portway_project::checkout::file_name;
use portway_project::manifest::{self, Manifest, ManifestError};
use portway_project::suggest::suggestion;
use portway_project::{Checkout, Plan, Preferences, dotenv};
use portway_registry::{Instance, NewInstance, Registry, SqliteRegistry};

use crate::error::CommandError;
use crate::instance::connection::Supervised;
use crate::options::Selection;
use crate::{dirs, preferences};

/// What a person has written about the project, or what was found in its place.
pub(crate) struct Described {
    pub(crate) manifest: Manifest,
    /// What was found, where there is no `portway.toml`.
    pub(crate) found: Option<Detection>,
    /// What the user and the project prefer.
    pub(crate) preferences: Preferences,
}

/// The nearest `portway.toml` of `directory` and those above, else what the checkout tells.
pub(crate) fn describe(directory: &Path) -> Result<Described, CommandError> {
    describe_for(directory, preferences::read_user)
}

/// The same with what `user` says that the user prefers.
pub(crate) fn describe_for(
    directory: &Path,
    user: impl FnOnce() -> Result<Preferences, CommandError>,
) -> Result<Described, CommandError> {
    match Manifest::find(directory) {
        Err(ManifestError::Missing(place)) => {
            let preferences = user()?;
            let preferred = |framework: &str| preferences.framework_port(framework);
            let (root, found) = portway_detect::find(directory, &surroundings(&preferred));
            if found.services.is_empty() {
                return Err(nothing_found(ManifestError::Missing(place), &found));
            }
            let text = found.manifest(&file_name(&root));
            let mut manifest =
                Manifest::parse(&root.join(manifest::FILE_NAME), &text).map_err(Box::new)?;
            manifest.apply_preferred_ports(&preferences, |name| {
                let service = found.services.iter().find(|found| found.name == name);
                service.map(|found| found.framework)
            });
            Ok(Described {
                manifest,
                found: Some(found),
                preferences,
            })
        }
        other => {
            let manifest = other?;
            Ok(Described {
                preferences: preferences::with_manifest(user()?, &manifest)?,
                manifest,
                found: None,
            })
        }
    }
}

/// What detection may know of this machine; `preferred` tells the user's port for a framework.
pub(crate) fn surroundings(preferred: &dyn Fn(&str) -> Option<u16>) -> DetectContext<'_> {
    DetectContext {
        has_program: &dirs::has_program,
        preferred,
    }
}

fn nothing_found(missing: ManifestError, found: &Detection) -> CommandError {
    let mut error = CommandError::from(missing);
    error
        .info
        .message
        .push_str(", and nothing that Portway knows how to start");
    for skipped in &found.skipped {
        error = error.hint(format!(
            "{} was passed over: it {}",
            skipped.file, skipped.why
        ));
    }
    error
}

/// Everything that is known before a port is touched.
pub(crate) struct Project {
    pub(crate) checkout: Checkout,
    pub(crate) registry: SqliteRegistry,
    pub(crate) instance: Instance,
    pub(crate) plan: Plan,
    /// What was found, where there is no `portway.toml`.
    pub(crate) found: Option<Detection>,
    /// What the user and the project prefer.
    pub(crate) preferences: Preferences,
    /// Whether the command has services served on the local network; `None` leaves it to the
    /// manifest.
    pub(crate) lan: Option<bool>,
}

impl Project {
    /// Finds the project of `directory` and makes its plan. `selection` changes which optional
    /// services take part, from now on.
    pub(crate) fn open(
        directory: Option<&Path>,
        selection: &Selection,
    ) -> Result<Self, CommandError> {
        let directory = dirs::directory(directory)?;
        let Described {
            manifest,
            found,
            preferences,
        } = describe(&directory)?;
        let checkout = Checkout::read(manifest.root())
            .map_err(|error| CommandError::file("enter", manifest.root(), &error))?;
        // A plan that cannot be is refused before anything is written anywhere.
        let all = Plan::with_preferences(&manifest, &selection.with, &preferences)?;
        let mut registry = SqliteRegistry::open(&dirs::state_dir()?)?;
        let new = NewInstance {
            id: checkout.id.clone(),
            dir: checkout.root.clone(),
            name: checkout.instance_name(&all.project),
            fallback_name: checkout.unique_instance_name(&all.project),
            project: all.project,
            branch: checkout.branch().map(str::to_owned),
            is_main: checkout.is_main(),
        };
        let mut instance = registry.register(&new, portway_supervisor::now())?;
        let options = options(&manifest, &instance.options, selection);
        if options != instance.options {
            registry.set_options(&instance.id, &options)?;
            instance.options = options;
        }
        let plan = Plan::with_preferences(&manifest, &instance.options, &preferences)?;
        Ok(Self {
            checkout,
            registry,
            instance,
            plan,
            found,
            preferences,
            lan: None,
        })
    }

    /// Refuses names that are neither services nor groups; answers the services they stand for and
    /// those they come after.
    pub(crate) fn closure(&self, names: &[String]) -> Result<Vec<String>, CommandError> {
        self.plan
            .closure(names)
            .map_err(|error| unknown(&self.plan, &error.name, error.help))
    }

    /// Refuses a name that is no service of the plan.
    pub(crate) fn known(&self, name: &str) -> Result<(), CommandError> {
        known(&self.plan, name)
    }

    /// Reads the `env_file`s of every service.
    pub(crate) fn env_files(
        &self,
    ) -> Result<IndexMap<String, IndexMap<String, String>>, CommandError> {
        let mut files = IndexMap::new();
        for service in self.plan.services.values() {
            let dir = service.working_dir(&self.checkout.root);
            let mut variables = IndexMap::new();
            for name in &service.env_files {
                let path = dir.join(name);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| CommandError::file("read", &path, &error))?;
                let parsed = dotenv::parse(&text).map_err(|error| {
                    let mut wrong = CommandError::new(ErrorCode::Usage, error.message);
                    wrong.info.place = Some(format!("{}:{}", path.display(), error.line));
                    wrong
                })?;
                variables.extend(parsed);
            }
            files.insert(service.name.clone(), variables);
        }
        Ok(files)
    }
}

impl Supervised for Project {
    fn dir(&self) -> PathBuf {
        self.registry.instance_dir(&self.instance.id)
    }

    fn is_supervised(&mut self) -> Result<bool, CommandError> {
        Ok(self.registry.has_supervisor(&self.instance.id)?)
    }
}

/// Refuses a name that is no service of `plan`.
pub(crate) fn known(plan: &Plan, name: &str) -> Result<(), CommandError> {
    if plan.services.contains_key(name) {
        return Ok(());
    }
    let known = plan.services.keys().map(String::as_str);
    Err(unknown(plan, name, suggestion(name, known)))
}

fn unknown(plan: &Plan, name: &str, help: String) -> CommandError {
    let error = no_such_service(name);
    if plan.disabled.iter().any(|disabled| disabled == name) {
        error.hint(format!(
            "it is optional and does not take part here; `portway up --with {name}` lets it"
        ))
    } else {
        error.hint(help)
    }
}

/// The error of a name that no service has.
pub(crate) fn no_such_service(name: &str) -> CommandError {
    let message = format!("there is no service `{name}`");
    CommandError::new(ErrorCode::UnknownService, message)
}

/// The optional services that take part: those remembered, as far as the manifest still has them,
/// with the changes of this command.
fn options(manifest: &Manifest, remembered: &[String], selection: &Selection) -> Vec<String> {
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
            options(&manifest, &own(remembered), &selection)
        };
        assert_eq!(change(&[], &["a"], &[]), ["a"]);
        assert_eq!(change(&["a"], &["a"], &[]), ["a"]);
        assert!(change(&["a"], &[], &["a"]).is_empty());
        // Not optional any more, or gone from the manifest.
        assert!(change(&["b", "c"], &[], &[]).is_empty());
    }
}
