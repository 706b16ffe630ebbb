use super::*;
use crate::running::is_deleted;

#[test]
fn a_running_instance_is_recorded_again_after_the_database_was_deleted() {
    let mut env = TestEnv::new();
    let instance = env.register("aaaaaa", "fix.jobi");
    env.allocate("aaaaaa", Some(9000)).unwrap();
    env.registry
        .set_options("aaaaaa", &["redis".to_owned()])
        .unwrap();
    let instance = Instance {
        options: vec!["redis".into()],
        ..instance
    };
    let leases = env.registry.leases("aaaaaa").unwrap();
    let state_dir = env.state.path().join("portway");
    let before = Fingerprint::read(&state_dir);
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{suffix}", env.file().display())).unwrap();
    }
    assert_ne!(Fingerprint::read(&state_dir), before);
    // Another instance has taken its name and its port meanwhile.
    let mut other = env.reopen().unwrap();
    other
        .register(&env.new_instance("bbbbbb", "fix.jobi"), 1)
        .unwrap();
    env.registry.refresh().unwrap();
    assert_eq!(env.allocate("bbbbbb", None).unwrap(), 9000);
    env.registry.restore(&instance, &leases, 3).unwrap();
    let restored = env.registry.instance("aaaaaa").unwrap().unwrap();
    assert_eq!(restored.name, "fix-aaaaaa.jobi");
    assert_eq!(
        (restored.options, restored.identity),
        (instance.options.clone(), instance.identity)
    );
    let ports = |leases: Vec<Lease>| -> Vec<(u16, Option<u16>)> {
        leases
            .iter()
            .map(|one| (one.port, one.forced_port))
            .collect()
    };
    assert_eq!(
        ports(env.registry.leases("aaaaaa").unwrap()),
        [(9000, Some(9000))]
    );
    assert_eq!(env.registry.leases("bbbbbb").unwrap(), []);
}

#[test]
fn a_directory_on_a_missing_device_is_not_deleted() {
    let temp = tempfile::tempdir().unwrap();
    let Some(id) = DirectoryId::read(temp.path()) else {
        return;
    };
    let gone = temp.path().join("parent/gone");
    assert!(!is_deleted(temp.path(), None));
    assert!(is_deleted(&gone, Some(id.device)));
    assert!(is_deleted(&gone, None));
    assert!(!is_deleted(&gone, Some(id.device + 1)));
}
