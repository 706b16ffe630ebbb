//! The steps that add the root of the local CA to each store, and that remove it.

use std::path::{Path, PathBuf};

use portway_api::TrustedRoot;

use super::contents::Seen;
use super::facts::{Facts, System};
use super::record::Record;
use super::store::{CERTUTIL, SYSTEMS, Store, database, program, text};

impl Store {
    /// The stores of this machine.
    pub(super) fn all(facts: &Facts) -> Vec<Self> {
        match facts.system {
            System::Linux => {
                let system = SYSTEMS.into_iter().find(|(dir, refresh, _)| {
                    facts.has_dir(dir) && facts.refreshing(program(refresh)).is_some()
                });
                let system = system.map(|(dir, refresh, links)| Self::System {
                    dir: dir.into(),
                    refresh: refresh.to_owned(),
                    links: links.map(PathBuf::from),
                });
                let databases = facts.databases.iter().cloned().map(Self::Database);
                system.into_iter().chain(databases).collect()
            }
            System::MacOs => vec![Self::Keychain(
                facts.home.join("Library/Keychains/login.keychain-db"),
            )],
            System::Windows => vec![Self::Windows],
        }
    }

    /// What takes the root, which lies in `file`, into it.
    fn adding(&self, facts: &Facts, root: &TrustedRoot, file: &Path) -> Vec<Act> {
        match self {
            Self::System { dir, refresh, .. } => vec![
                Act::Copy {
                    from: file.to_owned(),
                    to: Self::file(dir, root),
                },
                Act::refresh(facts, refresh),
            ],
            Self::Database(dir) => vec![Act::run([
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
            Self::Keychain(keychain) => vec![Act::run([
                "security",
                "add-trusted-cert",
                "-r",
                "trustRoot",
                "-k",
                &text(keychain),
                &text(file),
            ])],
            Self::Windows => vec![Act::run([
                CERTUTIL,
                "-user",
                "-addstore",
                "Root",
                &text(file),
            ])],
        }
    }

    /// What takes the root out of it.
    fn removing(&self, facts: &Facts, root: &TrustedRoot) -> Vec<Act> {
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
                let refresh = Act::refresh(facts, refresh);
                files.map(Act::Remove).chain([refresh]).collect()
            }
            Self::Database(dir) => vec![Act::run([
                CERTUTIL,
                "-d",
                &database(dir),
                "-D",
                "-n",
                &root.name,
            ])],
            // With `-t` what this user thinks of it goes as well.
            Self::Keychain(keychain) => vec![Act::run([
                "security",
                "delete-certificate",
                "-t",
                "-Z",
                &root.fingerprint.to_uppercase(),
                &text(keychain),
            ])],
            Self::Windows => vec![Act::run([
                CERTUTIL,
                "-user",
                "-delstore",
                "Root",
                &root.serial,
            ])],
        }
    }

    /// Why it cannot be changed here.
    fn lacks(&self, facts: &Facts) -> Option<String> {
        match self {
            Self::Database(_) if !facts.has_program(CERTUTIL) => Some(format!(
                "`{CERTUTIL}` is missing; it comes with the package {}",
                facts.certutil_package()
            )),
            _ => None,
        }
    }
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Copies a file, for all to read.
    Copy { from: PathBuf, to: PathBuf },
    /// Removes a file, should it be there.
    Remove(PathBuf),
    /// Runs a program.
    Run(Vec<String>),
}

impl Act {
    fn run<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Run(words.into_iter().map(str::to_owned).collect())
    }

    /// Runs what has the system see a change, by its whole path where that is known.
    fn refresh(facts: &Facts, command: &str) -> Self {
        let known = facts.refreshing(program(command)).map(text);
        let first = known.unwrap_or_else(|| program(command).to_owned());
        let rest = command.split(' ').skip(1);
        Self::run([first.as_str()].into_iter().chain(rest))
    }

    /// The same as a command of a shell.
    pub(crate) fn shell(&self) -> String {
        let words = match self {
            Self::Copy { from, to } => vec![
                "install".to_owned(),
                "-m".to_owned(),
                "644".to_owned(),
                text(from),
                text(to),
            ],
            Self::Remove(file) => vec!["rm".to_owned(), "-f".to_owned(), text(file)],
            Self::Run(words) => words.clone(),
        };
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        words.join(" ")
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What is to be done with one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) store: Store,
    pub(crate) root: TrustedRoot,
    pub(crate) acts: Vec<Act>,
    /// What takes it back when it was done by half: `certutil` takes a certificate into a database
    /// before it finds that it lacks the password to trust it.
    pub(crate) back: Vec<Act>,
    /// Whether it takes rights that this user does not have.
    pub(crate) needs_root: bool,
    /// Why it cannot be done here.
    pub(crate) lacks: Option<String>,
}

impl Step {
    fn of(store: Store, root: &TrustedRoot, acts: Vec<Act>, back: Vec<Act>, facts: &Facts) -> Self {
        Self {
            needs_root: matches!(store, Store::System { .. }) && !facts.is_root,
            lacks: store.lacks(facts),
            root: root.clone(),
            store,
            acts,
            back,
        }
    }

    /// Takes `root` out of a store.
    fn out(store: &Store, root: &TrustedRoot, facts: &Facts) -> Self {
        let acts = store.removing(facts, root);
        Self::of(store.clone(), root, acts, Vec::new(), facts)
    }
}

/// What has the programs of this machine trust `root`, which lies in `file`.
pub(crate) fn install(facts: &Facts, root: &TrustedRoot, file: &Path) -> Vec<Step> {
    let all = Store::all(facts).into_iter();
    all.map(|store| {
        let (acts, back) = (store.adding(facts, root, file), store.removing(facts, root));
        Step::of(store, root, acts, back, facts)
    })
    .collect()
}

/// Looks through the stores of this machine.
pub(crate) fn look_through(facts: &Facts) -> Vec<Seen> {
    Store::all(facts).into_iter().map(Seen::of).collect()
}

/// What takes Portway's roots out of the stores again: that of the record, `own`, which lies in the
/// CA's files, and those that were seen in stores of this user's own. The system's store may hold
/// those of other users: there only a root that is known is touched.
pub(crate) fn undo(
    facts: &Facts,
    record: Option<&Record>,
    own: Option<&TrustedRoot>,
    seen: &[Seen],
) -> Vec<Step> {
    let recorded = record.into_iter().flat_map(|record| {
        let stores = record.stores.iter();
        stores.map(|store| Step::out(store, &record.root, facts))
    });
    let mut steps: Vec<Step> = recorded.collect();
    for Seen { store, roots } in seen {
        match roots {
            Ok(roots) => {
                let is_told = |root: &&TrustedRoot| {
                    let is_it = |step: &Step| step.store == *store && step.root == **root;
                    steps.iter().any(is_it)
                };
                let found: Vec<&TrustedRoot> = roots.iter().filter(|root| !is_told(root)).collect();
                steps.extend(found.into_iter().map(|root| {
                    let known = record.map(|record| &record.root);
                    seen_out(store, root, own == Some(root) || known == Some(root), facts)
                }));
            }
            // A record tells which stores were touched, whether they can be looked through or not.
            Err(_) if record.is_some() => {}
            Err(why) => steps.push(match own {
                Some(own) => Step::out(store, own, facts),
                None => unseen(store, why, facts),
            }),
        }
    }
    steps
}

/// Takes a root out of the store where it was seen.
fn seen_out(store: &Store, root: &TrustedRoot, is_known: bool, facts: &Facts) -> Step {
    let mut step = Step::out(store, root, facts);
    if matches!(store, Store::System { .. }) && !is_known {
        let why = "it may be another user's; if it is yours, run these as root";
        step.lacks = Some(why.to_owned());
    }
    step
}

/// A store of which nothing is known, and nothing is to be taken out.
fn unseen(store: &Store, why: &str, facts: &Facts) -> Step {
    let unknown = || format!("it was not looked through: {why}");
    let none = TrustedRoot {
        name: String::new(),
        serial: String::new(),
        fingerprint: String::new(),
    };
    Step {
        lacks: Some(store.lacks(facts).unwrap_or_else(unknown)),
        acts: Vec::new(),
        needs_root: false,
        ..Step::of(store.clone(), &none, Vec::new(), Vec::new(), facts)
    }
}

#[cfg(test)]
mod tests;
