//! The `env_file`s of services. A line that sets no variable is reported, and the other lines apply.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use portway_detect::Skipped;
use portway_project::{Plan, PlannedService, dotenv, user_file};

use crate::error::CommandError;
use crate::instance::response;
use crate::mapping::environment;
use crate::project::Project;
use crate::worktree::listed;

/// Maximum number of invalid lines of a file that are reported. A file with more is no `.env` file.
const MAX_REPORTED: usize = 5;

impl Project {
    /// Reads the `env_file`s of every service.
    ///
    /// # Errors
    /// When a file cannot be read, unless it is optional and missing.
    pub(crate) fn env_files(
        &self,
    ) -> Result<IndexMap<String, IndexMap<String, String>>, CommandError> {
        let mut files = IndexMap::new();
        for service in self.plan.services.values() {
            let mut variables = IndexMap::new();
            for name in &service.env_files {
                let path = path(&self.checkout.root, service, name);
                if service.optional_env_files.contains(name) && is_missing(&path) {
                    continue;
                }
                let text = user_file::read_text(&path).map_err(|error| {
                    let error = CommandError::file("read", &path, error.into()).hint(format!(
                        "create or fix the file; if it may be missing, write \
                         `{{ path = \"{name}\", optional = true }}` in `env_file` of `{}`",
                        service.name
                    ));
                    match is_missing(&path) {
                        true => listed::explain(error, &self.checkout, &self.plan.worktree_copy),
                        false => error,
                    }
                })?;
                variables.extend(dotenv::parse_valid_lines(&text, &environment).0);
            }
            files.insert(service.name.clone(), variables);
        }
        Ok(files)
    }

    /// Prints which lines of the `env_file`s of `service`, or of all services, set no variable.
    pub(crate) fn print_invalid_lines(&self, service: Option<&str>) {
        let is_wanted = |one: &&PlannedService| service.is_none_or(|name| one.name == name);
        let services = self.plan.services.values().filter(is_wanted);
        for Skipped { file, why } in invalid_lines(&self.checkout.root, services) {
            response::report(&format!("skipped `{file}`: it {why}"));
        }
    }
}

/// Returns the lines of the `env_file`s of all services that set no variable.
pub(crate) fn invalid(root: &Path, plan: &Plan) -> Vec<Skipped> {
    invalid_lines(root, plan.services.values())
}

fn invalid_lines<'a>(
    root: &Path,
    services: impl Iterator<Item = &'a PlannedService>,
) -> Vec<Skipped> {
    let mut all: Vec<Skipped> = Vec::new();
    for service in services {
        for name in &service.env_files {
            let path = path(root, service, name);
            let file = path.strip_prefix(root).unwrap_or(&path);
            let file = file.display().to_string();
            let text = user_file::read_text(&path).unwrap_or_default();
            let (_, errors) = dotenv::parse_valid_lines(&text, &environment);
            let found = errors.iter().take(MAX_REPORTED).map(|error| Skipped {
                file: format!("{file}:{}", error.line),
                why: error.predicate(),
            });
            for one in found {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        }
    }
    all
}

/// Returns the path of an `env_file`, without `.` components, which would be shown in errors.
fn path(root: &Path, service: &PlannedService, name: &str) -> PathBuf {
    service.working_dir(root).join(name).components().collect()
}

/// Returns whether a file certainly does not exist.
fn is_missing(path: &Path) -> bool {
    path.symlink_metadata()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}
