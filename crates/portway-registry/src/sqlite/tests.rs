mod restore;

use std::fs;

use super::schema::MIGRATIONS;
use portway_api::GatewayPorts;
use portway_ports::Protocol;

use super::*;
use crate::{
    AllocateError, AllocationRequest, CheckoutState, ChooseError, DirectoryId, Instance, Lease,
    Millis, NewInstance, PortRequest, Registry, RegistryProblem, WrittenValue, WrittenValues,
};

struct TestEnv {
    state: tempfile::TempDir,
    registry: SqliteRegistry,
}

impl TestEnv {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let registry = SqliteRegistry::open(&state.path().join("portway")).unwrap();
        Self { state, registry }
    }

    fn new_instance(&self, id: &str, name: &str) -> NewInstance {
        let dir = self.state.path().join(id);
        fs::create_dir_all(&dir).unwrap();
        NewInstance {
            id: id.into(),
            dir,
            project: "jobi".into(),
            name: name.into(),
            fallback_name: format!("{name}-{id}"),
            branch: Some("main".into()),
            identity: DirectoryId::read(&self.state.path().join(id)),
            is_main: true,
        }
    }

    fn register(&mut self, id: &str, name: &str) -> Instance {
        let new = self.new_instance(id, name);
        self.registry.register(&new, 1).unwrap()
    }

    fn allocate(&mut self, id: &str, forced: Option<u16>) -> Result<u16, AllocateError> {
        self.allocate_at(id, forced, 2)
    }

    fn allocate_at(
        &mut self,
        id: &str,
        forced: Option<u16>,
        now: Millis,
    ) -> Result<u16, AllocateError> {
        let request = AllocationRequest {
            instance: id,
            is_main: true,
            ports: vec![backend(forced)],
            is_excluded: &|_| false,
            is_of_other_user: &|_, _| false,
            is_complete: true,
            by_supervisor: false,
        };
        let allocated = self
            .registry
            .allocate(&request, &mut |_, _, _| Ok(true), now)?;
        Ok(allocated[0].port)
    }

    fn file(&self) -> PathBuf {
        self.state.path().join("portway/registry.db")
    }

    fn reopen(&self) -> Result<SqliteRegistry, RegistryError> {
        SqliteRegistry::open(&self.state.path().join("portway"))
    }
}

fn backend(forced: Option<u16>) -> PortRequest {
    PortRequest {
        service: "backend".into(),
        name: String::new(),
        protocol: Protocol::Tcp,
        preferred: 9000,
        is_explicit: true,
        is_called: false,
        range: "9000-9001".parse().unwrap(),
        forced,
        fallback: false,
        keep: None,
    }
}

#[test]
fn a_name_is_unique_until_its_checkout_is_missing() {
    let mut env = TestEnv::new();
    assert_eq!(env.register("aaaaaa", "jobi").name, "jobi");
    assert_eq!(env.register("bbbbbb", "jobi").name, "jobi-bbbbbb");
    assert_eq!(env.register("aaaaaa", "jobi").name, "jobi");
    let lock = env.registry.lock_as_supervisor("aaaaaa").unwrap();
    fs::remove_dir(env.state.path().join("aaaaaa")).unwrap();
    // A running instance keeps its name.
    assert_eq!(env.register("bbbbbb", "jobi").name, "jobi-bbbbbb");
    drop(lock);
    assert_eq!(env.register("bbbbbb", "jobi").name, "jobi");
}

#[test]
fn leases_survive_and_are_skipped_by_others() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    env.register("b", "b");
    assert_eq!(env.allocate("a", None).unwrap(), 9000);
    assert_eq!(env.allocate("b", None).unwrap(), 9001);
    env.registry = env.reopen().unwrap();
    assert_eq!(env.allocate("a", None).unwrap(), 9000);
    assert_eq!(env.allocate("b", None).unwrap(), 9001);
}

#[test]
fn a_use_that_changes_no_lease_is_recorded_once_a_minute() {
    let mut env = TestEnv::new();
    env.register("aaaaaa", "jobi");
    let mut used = |forced, now| {
        env.allocate_at("aaaaaa", forced, now).unwrap();
        let lease = env.registry.leases("aaaaaa").unwrap().remove(0);
        (lease.forced_port, lease.last_used)
    };
    assert_eq!(used(None, 1_000), (None, 1_000));
    assert_eq!(used(None, 60_999), (None, 1_000));
    assert_eq!(used(None, 61_000), (None, 61_000));
    assert_eq!(used(Some(9001), 61_001), (Some(9001), 61_001));
}

#[test]
fn a_lease_is_live_while_its_instance_is_locked() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    env.register("b", "b");
    env.allocate("a", None).unwrap();
    let lock = env.registry.lock_as_supervisor("a").unwrap().unwrap();
    assert!(env.registry.lock_as_supervisor("a").unwrap().is_none());
    assert!(lock::has_supervisor(&env.registry.instance_dir("a")));
    let error = env.allocate("b", Some(9000)).unwrap_err();
    assert!(matches!(
        error,
        AllocateError::Choose(ChooseError::ForcedInUse { port: 9000, .. })
    ));
    drop(lock);
    assert!(!lock::has_supervisor(&env.registry.instance_dir("a")));
    assert_eq!(env.allocate("b", Some(9000)).unwrap(), 9000);
    // A command that uses the instance keeps its leases live too.
    let _lock = env.registry.lock_as_user("b").unwrap();
    assert!(env.allocate("a", Some(9000)).is_err());
    assert!(!lock::has_supervisor(&env.registry.instance_dir("b")));
}

#[test]
fn only_its_supervisor_changes_the_ports_of_a_running_instance() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    env.allocate("a", None).unwrap();
    let _lock = env.registry.lock_as_supervisor("a").unwrap().unwrap();
    let error = env.allocate("a", Some(9001)).unwrap_err();
    assert!(matches!(error, AllocateError::Running));
    assert_eq!(env.registry.leases("a").unwrap()[0].port, 9000);
}

#[test]
fn a_failed_allocation_changes_nothing() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    env.allocate("a", None).unwrap();
    let request = AllocationRequest {
        instance: "a",
        is_main: true,
        ports: vec![backend(None)],
        is_excluded: &|_| false,
        is_of_other_user: &|_, _| false,
        is_complete: false,
        by_supervisor: false,
    };
    let before = env.registry.instances().unwrap();
    let refused = env.registry.allocate(&request, &mut |_, _, _| Ok(false), 9);
    assert!(refused.is_err());
    assert_eq!(env.registry.instances().unwrap(), before);
}

#[test]
fn written_contents_are_recognized_on_the_whole_machine() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    let values = |port: u16, url: Option<&str>| {
        let port = ("web_port".to_owned(), WrittenValue::Port(port));
        let url = url.map(|url| {
            (
                "web_health_url".to_owned(),
                WrittenValue::Url(url.to_owned()),
            )
        });
        WrittenValues([port].into_iter().chain(url).collect())
    };
    let last = |env: &mut TestEnv| env.registry.last_written("a").unwrap();
    assert_eq!(last(&mut env), WrittenValues::default());
    for (values, now) in [(values(1, None), 1), (values(2, Some("http://x")), 2)] {
        env.registry.record_written("a", &values, now).unwrap();
        assert_eq!(last(&mut env), values);
    }
    for (port, was_written) in [(1, true), (2, true), (3, false)] {
        let ports = values(port, None).ports();
        assert_eq!(env.registry.was_written(&ports).unwrap(), was_written);
    }
}

#[test]
fn remembers_options_and_prepare_steps() {
    let mut env = TestEnv::new();
    env.register("a", "a");
    env.registry.set_options("a", &["redis".into()]).unwrap();
    assert_eq!(env.register("a", "a").options, ["redis"]);
    assert_eq!(env.registry.prepared("a", "backend").unwrap(), None);
    let outputs = [".venv".to_owned()];
    env.registry
        .record_prepared("a", "backend", "d1", &outputs)
        .unwrap();
    assert_eq!(
        env.registry.prepared("a", "backend").unwrap(),
        Some(("d1".into(), outputs.to_vec()))
    );
    env.registry
        .record_prepared("a", "frontend", "d2", &[])
        .unwrap();
    env.registry
        .forget_prepared("a", &["backend".into(), "unknown".into()])
        .unwrap();
    assert_eq!(env.registry.prepared("a", "backend").unwrap(), None);
    assert!(env.registry.prepared("a", "frontend").unwrap().is_some());
}

#[test]
fn a_newer_registry_is_refused_and_not_changed() {
    let env = TestEnv::new();
    env.registry
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = env.reopen().unwrap_err();
    let problem = RegistryProblem::Newer {
        found: 99,
        supported: MIGRATIONS.len(),
    };
    assert_eq!((error.problem, error.file), (problem, env.file()));
}

#[test]
fn upgrades_a_registry_of_the_first_schema() {
    let state = tempfile::tempdir().unwrap();
    let old = Connection::open(state.path().join("registry.db")).unwrap();
    old.execute_batch(MIGRATIONS[0]).unwrap();
    old.execute_batch(
        "PRAGMA user_version = 1;
         INSERT INTO instances (id, dir, project, name, main, last_used)
         VALUES ('a', x'2f',  'jobi', 'jobi', 1, 1)",
    )
    .unwrap();
    drop(old);
    let mut registry = SqliteRegistry::open(state.path()).unwrap();
    let gateway =
        |registry: &mut SqliteRegistry| registry.instances().unwrap()[0].0.gateway.clone();
    assert_eq!(gateway(&mut registry), None);
    let ports = |http| GatewayPorts {
        http,
        https: None,
        fixed: vec![3000],
    };
    for value in [Some(ports(80)), Some(ports(7678)), None] {
        registry.set_gateway("a", value.as_ref()).unwrap();
        assert_eq!(gateway(&mut registry), value);
    }
}

#[test]
fn reading_creates_nothing_and_cannot_write() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("portway");
    assert!(SqliteRegistry::open_existing(&dir).unwrap().is_none());
    assert!(!dir.exists());
    let mut env = TestEnv::new();
    env.register("a", "a");
    let mut registry = SqliteRegistry::open_existing(&env.state.path().join("portway"))
        .unwrap()
        .unwrap();
    assert_eq!(registry.instance("a").unwrap().unwrap().name, "a");
    assert_eq!(registry.instance("b").unwrap(), None);
    assert!(registry.set_options("a", &["redis".into()]).is_err());
    registry.allow_writes().unwrap();
    registry.set_options("a", &["redis".into()]).unwrap();
}

#[test]
fn a_damaged_registry_is_reported_and_not_changed() {
    let env = TestEnv::new();
    let file = env.file();
    drop(env.registry);
    let state = env.state;
    fs::write(&file, "this is not a database but only a sentence").unwrap();
    let error = SqliteRegistry::open(&state.path().join("portway")).unwrap_err();
    assert_eq!(error.problem, RegistryProblem::Damaged);
    assert!(error.help.contains("mv "), "{}", error.help);
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .starts_with("this is not a database")
    );
}

#[test]
fn a_state_directory_that_is_a_file_is_reported() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("portway"), "").unwrap();
    let error = SqliteRegistry::open(&temp.path().join("portway")).unwrap_err();
    assert_eq!(error.problem, RegistryProblem::Io);
    assert!(error.cause().is_some());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_access_the_state_directory() {
    use std::os::unix::fs::PermissionsExt;
    let env = TestEnv::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let state = env.state.path().join("portway");
    assert_eq!(mode(&state), 0o700);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    env.reopen().unwrap();
    assert_eq!(mode(&state), 0o700);
}

#[test]
fn releases_leases_unless_an_instance_is_running() {
    let mut env = TestEnv::new();
    env.register("aaaaaa", "jobi");
    env.register("bbbbbb", "shop");
    assert_eq!(env.allocate("aaaaaa", None).unwrap(), 9000);
    assert_eq!(env.allocate("bbbbbb", None).unwrap(), 9001);
    let lock = env.registry.lock_as_supervisor("aaaaaa").unwrap();
    // One of the two instances is running, so neither lease is released.
    let found = env.registry.release(&[9000, 9001, 9002]).unwrap();
    let states: Vec<CheckoutState> = found.iter().map(|(.., state)| *state).collect();
    assert_eq!(states, [CheckoutState::Running, CheckoutState::Stopped]);
    assert_eq!(env.registry.leases("bbbbbb").unwrap().len(), 1);
    drop(lock);
    env.registry.release(&[9000]).unwrap();
    assert!(env.registry.leases("aaaaaa").unwrap().is_empty());
    assert!(env.registry.release(&[9000]).unwrap().is_empty());
}

#[test]
fn prune_deletes_missing_checkouts_and_their_directories() {
    let mut env = TestEnv::new();
    env.register("aaaaaa", "jobi");
    env.register("bbbbbb", "shop");
    env.allocate("aaaaaa", None).unwrap();
    for id in ["aaaaaa", "bbbbbb", "unknown"] {
        fs::create_dir_all(env.registry.instance_dir(id).join("logs")).unwrap();
    }
    let databases = env
        .registry
        .instance_dir("bbbbbb")
        .join(crate::DATABASES_FILE);
    fs::write(&databases, "{}").unwrap();
    let running = env.registry.lock_as_supervisor("bbbbbb").unwrap();
    for id in ["aaaaaa", "bbbbbb"] {
        fs::remove_dir(env.state.path().join(id)).unwrap();
    }
    let gone = env.registry.prune().unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].0.id.as_str(), gone[0].1[0].port), ("aaaaaa", 9000));
    let exists = |id: &str| env.registry.instance_dir(id).exists();
    assert!(!exists("aaaaaa") && !exists("unknown") && exists("bbbbbb"));
    drop(running);
    assert_eq!(env.registry.prune().unwrap().len(), 1);
    assert!(env.registry.prune().unwrap().is_empty());
    // The databases are not dropped yet.
    let entries = fs::read_dir(env.registry.instance_dir("bbbbbb")).unwrap();
    assert_eq!((entries.count(), databases.is_file()), (1, true));
}
