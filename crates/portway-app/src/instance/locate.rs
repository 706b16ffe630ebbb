//! Finds the instance that is running in a checkout, by the identity of its directory.
//!
//! The directory of a running instance can be moved, deleted or replaced. Its path alone then names
//! another checkout, or none.

use std::path::{Path, PathBuf};

use portway_api::ErrorCode;
use portway_project::Checkout;
use portway_registry::{
    DirectoryId, RunningRecord, has_lock_file, has_supervisor, instance_dir, own_network,
};
use portway_supervisor::control;

use super::response::report;
use crate::error::CommandError;

/// How a running instance relates to the checkout for which it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// It runs in this directory.
    Same,
    /// It runs in this directory, which had another path when it started.
    Moved(PathBuf),
    /// It started in another directory, which had the path of this one.
    Replaced,
}

/// A running instance of a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Its id, which is not the checkout's if the directory was moved.
    pub(crate) id: String,
    /// Its name, if it is recorded.
    pub(crate) name: Option<String>,
    pub(crate) relation: Relation,
    /// The network namespace in which its services listen, if it is known.
    pub(crate) network: Option<u64>,
    /// The network namespace that it has for itself, if it has one.
    pub(crate) inner_network: Option<u64>,
    /// The optional services that are enabled in it, if they are recorded.
    pub(crate) options: Option<Vec<String>>,
}

/// Returns whether the instance with this directory has a supervisor, even if its locks were deleted.
pub(crate) fn is_supervised(dir: &Path) -> bool {
    has_supervisor(dir) || !has_lock_file(dir) && control::is_served(&dir.join(control::SOCKET))
}

/// Finds the instance that is running in a checkout.
pub(crate) fn locate(state_dir: &Path, checkout: &Checkout) -> Option<Located> {
    let dir = instance_dir(state_dir, &checkout.id);
    let identity = DirectoryId::read(&checkout.root);
    let by_path = is_supervised(&dir).then(|| RunningRecord::read(&dir));
    let others = || {
        let records = RunningRecord::read_all(state_dir).into_iter();
        records.filter(|record| {
            record.instance.id != checkout.id
                && is_supervised(&instance_dir(state_dir, &record.instance.id))
        })
    };
    relate(&checkout.id, identity, by_path, others, DirectoryId::read)
}

/// Decides which instance is running in the directory with this `identity`: the one that started at its
/// path, or one of `others`. `by_path` is the record of the former, if it is running.
fn relate<I: IntoIterator<Item = RunningRecord>>(
    id: &str,
    identity: Option<DirectoryId>,
    by_path: Option<Option<RunningRecord>>,
    others: impl FnOnce() -> I,
    identity_of: impl Fn(&Path) -> Option<DirectoryId>,
) -> Option<Located> {
    let started = by_path.as_ref().map(|record| {
        let record = record.as_ref();
        record.and_then(|record| record.instance.identity)
    });
    // Without an identity, the path decides.
    let is_replaced = matches!((started, identity), (Some(Some(old)), Some(now)) if old != now);
    let own = |relation| {
        let record = by_path.flatten();
        Some(Located {
            id: id.to_owned(),
            network: record.as_ref().and_then(|record| record.network),
            inner_network: record.as_ref().and_then(|record| record.inner_network),
            options: record
                .as_ref()
                .map(|record| record.instance.options.clone()),
            name: record.map(|record| record.instance.name),
            relation,
        })
    };
    if started.is_some() && !is_replaced {
        return own(Relation::Same);
    }
    let moved = identity.and_then(|identity| {
        let mut others = others().into_iter();
        others.find(|other| other.instance.identity == Some(identity))
    });
    match moved {
        Some(record) => {
            let old = record.instance.dir;
            // Both paths are the directory if one is a bind mount.
            let relation = if identity_of(&old) == identity {
                Relation::Same
            } else {
                Relation::Moved(old)
            };
            Some(Located {
                id: record.instance.id,
                name: Some(record.instance.name),
                relation,
                network: record.network,
                inner_network: record.inner_network,
                options: Some(record.instance.options),
            })
        }
        None if is_replaced => own(Relation::Replaced),
        None => None,
    }
}

impl Located {
    /// Describes the difference between the checkout and the instance that is running in it, if any.
    pub(crate) fn difference(&self) -> Option<String> {
        let name = self.name.as_ref().unwrap_or(&self.id);
        match &self.relation {
            Relation::Same => None,
            Relation::Moved(old) => Some(format!(
                "`{name}` is running in this directory, whose path was `{}` when it started",
                old.display()
            )),
            Relation::Replaced => Some(format!(
                "`{name}` is still running in a directory that was at this path before and has been replaced"
            )),
        }
    }

    /// Returns an error if this process cannot reach the ports of the instance.
    pub(crate) fn check_network(&self) -> Result<(), CommandError> {
        let own = own_network();
        let is_inside = own.is_some() && own == self.inner_network;
        if self.network.is_none() || self.network == own || is_inside {
            return Ok(());
        }
        let name = self.name.as_ref().unwrap_or(&self.id);
        let message = format!(
            "`{name}` is running in another network namespace, such as a container, and its ports are \
             not reachable from here"
        );
        Err(CommandError::new(ErrorCode::Refused, message)
            .hint("run the command in that namespace")
            .hint("run `portway down`, then `portway up` to start the services here"))
    }

    /// Reports that the directory was moved.
    ///
    /// # Errors
    /// When the instance started in a directory that the checkout has replaced.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        match self.difference() {
            Some(difference) if self.relation == Relation::Replaced => {
                Err(self.other_directory(difference))
            }
            Some(difference) => {
                report(&difference);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Returns an error if the instance could not start a service again, because its directory has another
    /// path now.
    pub(crate) fn check_start(&self) -> Result<(), CommandError> {
        self.difference()
            .map_or(Ok(()), |difference| Err(self.other_directory(difference)))
    }

    /// The error of a command that needs an instance that started in this directory, at this path.
    fn other_directory(&self, difference: String) -> CommandError {
        let code = match self.relation {
            Relation::Replaced => ErrorCode::NotRunning,
            Relation::Same | Relation::Moved(_) => ErrorCode::Failed,
        };
        CommandError::new(code, difference)
            .hint("run `portway up --detach` to stop it and start the services of this directory")
            .hint("run `portway down` to stop it")
    }
}

#[cfg(test)]
mod tests {
    use portway_registry::Instance;

    use super::*;

    const OLD: DirectoryId = DirectoryId {
        device: 1,
        inode: 10,
    };
    const NEW: DirectoryId = DirectoryId {
        device: 1,
        inode: 11,
    };

    fn record(id: &str, dir: &str, identity: Option<DirectoryId>) -> RunningRecord {
        RunningRecord {
            instance: Instance {
                id: id.into(),
                dir: dir.into(),
                project: "jobi".into(),
                name: format!("{id}.jobi"),
                branch: None,
                is_main: true,
                options: Vec::new(),
                gateway: None,
                last_used: 1,
                identity,
            },
            pid: 1,
            network: None,
            inner_network: None,
        }
    }

    /// Relates the directory with the id `a` to instances. `paths` are the directories that exist.
    fn find(
        identity: Option<DirectoryId>,
        by_path: Option<Option<RunningRecord>>,
        others: &[RunningRecord],
        paths: &[(&str, DirectoryId)],
    ) -> Option<(String, Relation)> {
        let identity_of = |path: &Path| {
            let mut paths = paths.iter();
            Some(paths.find(|(known, _)| Path::new(known) == path)?.1)
        };
        let located = relate("a", identity, by_path, || others.to_vec(), identity_of);
        located.map(|located| (located.id, located.relation))
    }

    fn found(id: &str, relation: Relation) -> Option<(String, Relation)> {
        Some((id.to_owned(), relation))
    }

    #[test]
    fn an_instance_is_found_by_its_directory() {
        let own = Some(Some(record("a", "/a", Some(OLD))));
        assert_eq!(
            find(Some(OLD), own.clone(), &[], &[]),
            found("a", Relation::Same)
        );
        // Another directory is at its path now.
        assert_eq!(
            find(Some(NEW), own, &[], &[]),
            found("a", Relation::Replaced)
        );
        assert_eq!(find(Some(OLD), None, &[], &[]), None);
    }

    #[test]
    fn a_moved_directory_is_found_under_its_new_path() {
        let others = [record("c", "/c", Some(NEW)), record("b", "/b", Some(OLD))];
        let moved = found("b", Relation::Moved("/b".into()));
        assert_eq!(find(Some(OLD), None, &others, &[]), moved);
        assert_eq!(find(Some(OLD), None, &others, &[("/b", NEW)]), moved);
        // Another instance started at the new path before.
        let own = Some(Some(record("a", "/a", Some(NEW))));
        assert_eq!(find(Some(OLD), own, &others, &[]), moved);
        // A bind mount: both paths are the directory.
        let mounted = find(Some(OLD), None, &others, &[("/b", OLD)]);
        assert_eq!(mounted, found("b", Relation::Same));
    }

    #[test]
    fn without_an_identity_the_path_decides() {
        let unknown = Some(Some(record("a", "/a", None)));
        for (identity, by_path) in [
            (Some(NEW), unknown.clone()),
            (None, unknown),
            // The state directory was deleted.
            (Some(NEW), Some(None)),
        ] {
            assert_eq!(
                find(identity, by_path, &[], &[]),
                found("a", Relation::Same)
            );
        }
        assert_eq!(find(None, None, &[record("b", "/b", None)], &[]), None);
    }
}
