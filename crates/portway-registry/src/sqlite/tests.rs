use std::fs;

use super::*;
use crate::Wanted;

struct World {
    state: tempfile::TempDir,
    registry: SqliteRegistry,
}

impl World {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let registry = SqliteRegistry::open(&state.path().join("portway")).unwrap();
        Self { state, registry }
    }

    fn newcomer(&self, id: &str, name: &str) -> Newcomer {
        let dir = self.state.path().join(id);
        fs::create_dir_all(&dir).unwrap();
        Newcomer {
            id: id.into(),
            dir,
            project: "jobi".into(),
            name: name.into(),
            distinct_name: format!("{name}-{id}"),
            branch: Some("main".into()),
            main: true,
        }
    }

    fn enroll(&mut self, id: &str, name: &str) -> Instance {
        let newcomer = self.newcomer(id, name);
        self.registry.enroll(&newcomer, 1).unwrap()
    }

    fn allocate(&mut self, id: &str, wish: Option<u16>) -> Result<u16, AllocateError> {
        self.allocate_at(id, wish, 2)
    }

    fn allocate_at(
        &mut self,
        id: &str,
        wish: Option<u16>,
        now: Millis,
    ) -> Result<u16, AllocateError> {
        let request = Request {
            instance: id,
            main: true,
            wanted: vec![Wanted {
                service: "backend".into(),
                name: String::new(),
                prefer: 9000,
                named: true,
                range: "9000-9001".parse().unwrap(),
                wish,
                fallback: false,
            }],
            excluded: &|_| false,
            whole: true,
            supervises: false,
        };
        let given = self
            .registry
            .allocate(&request, &mut |_, _| Ok(true), now)?;
        Ok(given[0].port)
    }

    fn file(&self) -> PathBuf {
        self.state.path().join("portway/registry.db")
    }

    fn reopen(&self) -> Result<SqliteRegistry, RegistryError> {
        SqliteRegistry::open(&self.state.path().join("portway"))
    }
}

#[test]
fn names_are_unique_until_a_checkout_vanishes() {
    let mut world = World::new();
    assert_eq!(world.enroll("aaaaaa", "jobi").name, "jobi");
    assert_eq!(world.enroll("bbbbbb", "jobi").name, "jobi-bbbbbb");
    assert_eq!(world.enroll("aaaaaa", "jobi").name, "jobi");
    let lock = world.registry.supervise("aaaaaa").unwrap();
    fs::remove_dir(world.state.path().join("aaaaaa")).unwrap();
    // One that still runs keeps its name.
    assert_eq!(world.enroll("bbbbbb", "jobi").name, "jobi-bbbbbb");
    drop(lock);
    assert_eq!(world.enroll("bbbbbb", "jobi").name, "jobi");
}

#[test]
fn leases_survive_and_are_passed_by() {
    let mut world = World::new();
    world.enroll("a", "a");
    world.enroll("b", "b");
    assert_eq!(world.allocate("a", None).unwrap(), 9000);
    assert_eq!(world.allocate("b", None).unwrap(), 9001);
    world.registry = world.reopen().unwrap();
    assert_eq!(world.allocate("a", None).unwrap(), 9000);
    assert_eq!(world.allocate("b", None).unwrap(), 9001);
}

#[test]
fn a_use_that_changes_nothing_is_written_down_once_a_minute() {
    let mut world = World::new();
    world.enroll("aaaaaa", "jobi");
    let mut used = |wish, now| {
        world.allocate_at("aaaaaa", wish, now).unwrap();
        let lease = world.registry.leases("aaaaaa").unwrap().remove(0);
        (lease.wish, lease.last_used)
    };
    assert_eq!(used(None, 1_000), (None, 1_000));
    assert_eq!(used(None, 60_999), (None, 1_000));
    assert_eq!(used(None, 61_000), (None, 61_000));
    assert_eq!(used(Some(9001), 61_001), (Some(9001), 61_001));
}

#[test]
fn a_lease_is_live_while_its_lock_is_held() {
    let mut world = World::new();
    world.enroll("a", "a");
    world.enroll("b", "b");
    world.allocate("a", None).unwrap();
    let lock = world.registry.supervise("a").unwrap().unwrap();
    assert!(world.registry.supervise("a").unwrap().is_none());
    assert!(world.registry.is_supervised("a").unwrap());
    let error = world.allocate("b", Some(9000)).unwrap_err();
    assert!(error.to_string().contains("9000"), "{error}");
    drop(lock);
    assert!(!world.registry.is_supervised("a").unwrap());
    assert_eq!(world.allocate("b", Some(9000)).unwrap(), 9000);
    // A command that shares the instance keeps its leases alive as well.
    let _shared = world.registry.share("b").unwrap();
    assert!(world.allocate("a", Some(9000)).is_err());
    assert!(!world.registry.is_supervised("b").unwrap());
}

#[test]
fn nobody_but_its_supervisor_changes_the_ports_of_an_instance_that_runs() {
    let mut world = World::new();
    world.enroll("a", "a");
    world.allocate("a", None).unwrap();
    let _lock = world.registry.supervise("a").unwrap().unwrap();
    let error = world.allocate("a", Some(9001)).unwrap_err();
    assert!(matches!(error, AllocateError::Supervised));
    assert_eq!(world.registry.leases("a").unwrap()[0].port, 9000);
}

#[test]
fn a_failed_allocation_changes_nothing() {
    let mut world = World::new();
    world.enroll("a", "a");
    world.allocate("a", None).unwrap();
    let request = Request {
        instance: "a",
        main: true,
        wanted: vec![],
        excluded: &|_| false,
        whole: false,
        supervises: false,
    };
    let before = world.registry.instances().unwrap();
    let mut request = request;
    request.wanted = vec![Wanted {
        service: "backend".into(),
        name: String::new(),
        prefer: 9000,
        named: true,
        range: "9000-9001".parse().unwrap(),
        wish: None,
        fallback: false,
    }];
    let refused = world.registry.allocate(&request, &mut |_, _| Ok(false), 9);
    assert!(refused.is_err());
    assert_eq!(world.registry.instances().unwrap(), before);
}

#[test]
fn what_was_written_is_known_again_on_the_whole_machine() {
    let mut world = World::new();
    world.enroll("a", "a");
    assert_eq!(world.registry.last_written("a").unwrap(), None);
    world.registry.record_written("a", "{1}", "{1}", 1).unwrap();
    world
        .registry
        .record_written("a", "{2, health}", "{2}", 2)
        .unwrap();
    assert_eq!(
        world.registry.last_written("a").unwrap().as_deref(),
        Some("{2, health}")
    );
    assert!(world.registry.was_written("{1}").unwrap());
    assert!(!world.registry.was_written("{3}").unwrap());
}

#[test]
fn options_and_prepare_steps_are_remembered() {
    let mut world = World::new();
    world.enroll("a", "a");
    world.registry.set_options("a", &["redis".into()]).unwrap();
    assert_eq!(world.enroll("a", "a").options, ["redis"]);
    assert_eq!(world.registry.prepared("a", "backend").unwrap(), None);
    let outputs = [".venv".to_owned()];
    world
        .registry
        .record_prepared("a", "backend", "d1", &outputs)
        .unwrap();
    assert_eq!(
        world.registry.prepared("a", "backend").unwrap(),
        Some(("d1".into(), outputs.to_vec()))
    );
}

#[test]
fn a_newer_registry_is_refused_and_left_alone() {
    let world = World::new();
    world
        .registry
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    let error = world.reopen().unwrap_err();
    assert!(
        error.to_string().contains("newer Portway (schema 99"),
        "{error}"
    );
    assert!(error.to_string().contains("registry.db"));
}

#[test]
fn a_registry_of_the_first_schema_is_brought_up_to_date() {
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
    for told in [Some("one"), Some("other"), None] {
        registry.set_gateway("a", told).unwrap();
        assert_eq!(gateway(&mut registry).as_deref(), told);
    }
}

#[test]
fn a_damaged_registry_is_named_and_left_alone() {
    let world = World::new();
    let file = world.file();
    drop(world.registry);
    let state = world.state;
    fs::write(&file, "this is no database at all, only a sentence").unwrap();
    let error = SqliteRegistry::open(&state.path().join("portway")).unwrap_err();
    assert!(error.to_string().ends_with("is damaged"), "{error}");
    assert!(error.hint.contains("move it away"));
    assert!(
        fs::read_to_string(&file)
            .unwrap()
            .starts_with("this is no database")
    );
}

#[test]
fn a_state_directory_that_is_a_file_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    fs::write(temp.path().join("portway"), "").unwrap();
    let error = SqliteRegistry::open(&temp.path().join("portway")).unwrap_err();
    assert!(error.to_string().contains("cannot be used"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_state_directory_is_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let state = world.state.path().join("portway");
    assert_eq!(mode(&state), 0o700);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    world.reopen().unwrap();
    assert_eq!(mode(&state), 0o700);
}

#[test]
fn a_lease_is_given_up_unless_its_instance_runs() {
    let mut world = World::new();
    world.enroll("aaaaaa", "jobi");
    world.enroll("bbbbbb", "shop");
    assert_eq!(world.allocate("aaaaaa", None).unwrap(), 9000);
    assert_eq!(world.allocate("bbbbbb", None).unwrap(), 9001);
    let lock = world.registry.supervise("aaaaaa").unwrap();
    // One of the two runs, so neither is given up.
    let found = world.registry.forget(&[9000, 9001, 9002]).unwrap();
    let states: Vec<Liveness> = found.iter().map(|(.., liveness)| *liveness).collect();
    assert_eq!(states, [Liveness::Live, Liveness::Kept]);
    assert_eq!(world.registry.leases("bbbbbb").unwrap().len(), 1);
    drop(lock);
    world.registry.forget(&[9000]).unwrap();
    assert!(world.registry.leases("aaaaaa").unwrap().is_empty());
    assert!(world.registry.forget(&[9000]).unwrap().is_empty());
}

#[test]
fn vanished_checkouts_are_dropped_with_all_that_was_kept_of_them() {
    let mut world = World::new();
    world.enroll("aaaaaa", "jobi");
    world.enroll("bbbbbb", "shop");
    world.allocate("aaaaaa", None).unwrap();
    for id in ["aaaaaa", "bbbbbb", "nobody"] {
        fs::create_dir_all(world.registry.instance_dir(id).join("logs")).unwrap();
    }
    let running = world.registry.supervise("bbbbbb").unwrap();
    for id in ["aaaaaa", "bbbbbb"] {
        fs::remove_dir(world.state.path().join(id)).unwrap();
    }
    let gone = world.registry.prune().unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!((gone[0].0.id.as_str(), gone[0].1[0].port), ("aaaaaa", 9000));
    let exists = |id: &str| world.registry.instance_dir(id).exists();
    assert!(!exists("aaaaaa") && !exists("nobody") && exists("bbbbbb"));
    drop(running);
    assert_eq!(world.registry.prune().unwrap().len(), 1);
    assert!(world.registry.prune().unwrap().is_empty());
}
