//! Computes the steps that add the root of the local CA to each trust store, and that remove it.

use std::path::{Path, PathBuf};

use portway_api::TrustedRoot;
use portway_project::shell::quote;

use super::command::StoreError;
use super::contents::StoreContents;
use super::environment::{StoreEnvironment, System};
use super::record::Record;
use super::store::{CERTUTIL, SYSTEMS, Store, database, program, text};

impl Store {
    /// Returns the trust stores of this machine.
    pub(super) fn all(environment: &StoreEnvironment) -> Vec<Self> {
        match environment.system {
            System::Linux => {
                let system = SYSTEMS.into_iter().find(|(dir, refresh, _)| {
                    environment.has_dir(dir)
                        && environment.update_program(program(refresh)).is_some()
                });
                let system = system.map(|(dir, refresh, links)| Self::System {
                    dir: dir.into(),
                    refresh: refresh.to_owned(),
                    links: links.map(PathBuf::from),
                });
                let databases = environment.databases.iter().cloned().map(Self::Database);
                system.into_iter().chain(databases).collect()
            }
            System::MacOs => vec![Self::Keychain(
                environment.home.join("Library/Keychains/login.keychain-db"),
            )],
            System::Windows => vec![Self::Windows],
        }
    }

    /// Returns the actions that add the root in `file` to this store.
    fn install_actions(
        &self,
        environment: &StoreEnvironment,
        root: &TrustedRoot,
        file: &Path,
    ) -> Vec<Action> {
        match self {
            Self::System { dir, refresh, .. } => vec![
                Action::Copy {
                    from: file.to_owned(),
                    to: Self::file(dir, root),
                },
                Action::update_system(environment, refresh),
            ],
            Self::Database(dir) => vec![Action::run([
                CERTUTIL,
                "-d",
                &database(dir),
                "-A",
                "-t",
                "C,,",
                "-n",
                &root.name,
                "-i",
                &text(file),
            ])],
            Self::Keychain(keychain) => vec![Action::run([
                "security",
                "add-trusted-cert",
                "-r",
                "trustRoot",
                "-k",
                &text(keychain),
                &text(file),
            ])],
            Self::Windows => vec![Action::run([
                CERTUTIL,
                "-user",
                "-addstore",
                "Root",
                &text(file),
            ])],
        }
    }

    /// Returns the actions that remove the root from this store.
    fn remove_actions(&self, environment: &StoreEnvironment, root: &TrustedRoot) -> Vec<Action> {
        match self {
            Self::System {
                dir,
                refresh,
                links,
            } => {
                let file = Self::file(dir, root);
                let link = links.as_ref().zip(file.file_stem());
                let link = link.map(|(links, name)| links.join(name).with_extension("pem"));
                let files = [file].into_iter().chain(link);
                let refresh = Action::update_system(environment, refresh);
                files.map(Action::Remove).chain([refresh]).collect()
            }
            Self::Database(dir) => vec![Action::run([
                CERTUTIL,
                "-d",
                &database(dir),
                "-D",
                "-n",
                &root.name,
            ])],
            // `-t` also removes the trust settings of this user.
            Self::Keychain(keychain) => vec![Action::run([
                "security",
                "delete-certificate",
                "-t",
                "-Z",
                &root.fingerprint.to_uppercase(),
                &text(keychain),
            ])],
            Self::Windows => vec![Action::run([
                CERTUTIL,
                "-user",
                "-delstore",
                "Root",
                &root.serial,
            ])],
        }
    }

    /// Returns the reason why this store cannot be changed, if there is one.
    fn unavailable(&self, environment: &StoreEnvironment) -> Option<String> {
        match self {
            Self::Database(_) if !environment.has_program(CERTUTIL) => Some(format!(
                "`{CERTUTIL}` is not installed; install the package `{}`",
                environment.certutil_package()
            )),
            _ => None,
        }
    }
}

/// A single change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Copies a file and makes it readable for all users.
    Copy { from: PathBuf, to: PathBuf },
    /// Removes a file if it exists.
    Remove(PathBuf),
    /// Runs a program with its arguments.
    Run(Vec<String>),
}

impl Action {
    fn run<'a>(command: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Run(command.into_iter().map(str::to_owned).collect())
    }

    /// Runs the update command of the system, by its absolute path if known.
    fn update_system(environment: &StoreEnvironment, command: &str) -> Self {
        let path = environment.update_program(program(command)).map(text);
        let program = path.unwrap_or_else(|| program(command).to_owned());
        let arguments = command.split(' ').skip(1);
        Self::run([program.as_str()].into_iter().chain(arguments))
    }

    /// Formats the action as a shell command.
    pub(crate) fn shell_command(&self) -> String {
        let arguments = match self {
            Self::Copy { from, to } => vec![
                "install".to_owned(),
                "-m".to_owned(),
                "644".to_owned(),
                text(from),
                text(to),
            ],
            Self::Remove(file) => vec!["rm".to_owned(), "-f".to_owned(), text(file)],
            Self::Run(command) => command.clone(),
        };
        let arguments: Vec<_> = arguments.iter().map(|word| quote(word)).collect();
        arguments.join(" ")
    }
}

/// The change to one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) store: Store,
    pub(crate) root: TrustedRoot,
    pub(crate) actions: Vec<Action>,
    /// Reverts a partial change. `certutil` adds a certificate to a database before it fails for
    /// lack of the password that trusting it requires.
    pub(crate) rollback: Vec<Action>,
    /// Whether the step needs root privileges that this process does not have.
    pub(crate) needs_root: bool,
    /// The reason why the step cannot be executed, if there is one.
    pub(crate) unavailable: Option<String>,
}

impl Step {
    fn new(
        store: Store,
        root: &TrustedRoot,
        actions: Vec<Action>,
        rollback: Vec<Action>,
        environment: &StoreEnvironment,
    ) -> Self {
        Self {
            needs_root: matches!(store, Store::System { .. }) && !environment.is_root,
            unavailable: store.unavailable(environment),
            root: root.clone(),
            store,
            actions,
            rollback,
        }
    }

    /// Creates the step that removes `root` from a store.
    fn removal(store: &Store, root: &TrustedRoot, environment: &StoreEnvironment) -> Self {
        let actions = store.remove_actions(environment, root);
        Self::new(store.clone(), root, actions, Vec::new(), environment)
    }
}

/// Returns the steps that add `root`, which is in `file`, to all stores of this machine.
pub(crate) fn install(
    environment: &StoreEnvironment,
    root: &TrustedRoot,
    file: &Path,
) -> Vec<Step> {
    let all = Store::all(environment).into_iter();
    all.map(|store| {
        let actions = store.install_actions(environment, root, file);
        let rollback = store.remove_actions(environment, root);
        Step::new(store, root, actions, rollback, environment)
    })
    .collect()
}

/// Reads the stores of this machine.
pub(crate) fn read_stores(environment: &StoreEnvironment) -> Vec<StoreContents> {
    Store::all(environment)
        .into_iter()
        .map(StoreContents::read)
        .collect()
}

/// Returns the steps that remove Portway's roots: the root of the record, `file_root` (the root in
/// the CA's files), and the roots found in the stores of this user. The system's store may contain
/// roots of other users, so only a root that is known to be this user's is removed there.
pub(crate) fn undo(
    environment: &StoreEnvironment,
    record: Option<&Record>,
    file_root: Option<&TrustedRoot>,
    contents: &[StoreContents],
) -> Vec<Step> {
    let recorded = record.into_iter().flat_map(|record| {
        let stores = record.stores.iter();
        stores.map(|store| Step::removal(store, &record.root, environment))
    });
    let mut steps: Vec<Step> = recorded.collect();
    for StoreContents { store, roots } in contents {
        match roots {
            Ok(roots) => {
                let has_step = |root: &&TrustedRoot| {
                    let is_same = |step: &Step| step.store == *store && step.root == **root;
                    steps.iter().any(is_same)
                };
                let found: Vec<&TrustedRoot> =
                    roots.iter().filter(|root| !has_step(root)).collect();
                steps.extend(found.into_iter().map(|root| {
                    let recorded = record.map(|record| &record.root);
                    let is_own = file_root == Some(root) || recorded == Some(root);
                    removal_of_found(store, root, is_own, environment)
                }));
            }
            // The record already lists the stores to change.
            Err(_) if record.is_some() => {}
            Err(why) => steps.push(match file_root {
                Some(root) => Step::removal(store, root, environment),
                None => unreadable(store, why, environment),
            }),
        }
    }
    steps
}

/// Creates the step that removes a root from the store in which it was found.
fn removal_of_found(
    store: &Store,
    root: &TrustedRoot,
    is_own: bool,
    environment: &StoreEnvironment,
) -> Step {
    let mut step = Step::removal(store, root, environment);
    if matches!(store, Store::System { .. }) && !is_own {
        let why = "the CA may belong to another user; if it is yours, run these commands as root";
        step.unavailable = Some(why.to_owned());
    }
    step
}

/// Creates a step without actions for a store that cannot be read.
fn unreadable(store: &Store, why: &StoreError, environment: &StoreEnvironment) -> Step {
    let reason = || format!("cannot read the store: {why}");
    let no_root = TrustedRoot {
        name: String::new(),
        serial: String::new(),
        fingerprint: String::new(),
    };
    Step {
        unavailable: Some(store.unavailable(environment).unwrap_or_else(reason)),
        needs_root: false,
        ..Step::new(store.clone(), &no_root, Vec::new(), Vec::new(), environment)
    }
}

#[cfg(test)]
mod tests;
