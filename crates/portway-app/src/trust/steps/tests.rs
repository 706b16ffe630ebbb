use super::*;

fn root() -> TrustedRoot {
    TrustedRoot {
        name: "Portway local CA 0123456789abcdef".into(),
        serial: "500123456789abcdef".into(),
        fingerprint: "ab12".into(),
    }
}

fn environment(system: System) -> StoreEnvironment {
    StoreEnvironment {
        system,
        is_root: false,
        home: "/home/a b".into(),
        dirs: Vec::new(),
        programs: vec![CERTUTIL.into()],
        update_programs: Vec::new(),
        databases: Vec::new(),
    }
}

/// Returns the commands that install the root and then remove it.
fn commands(environment: &StoreEnvironment) -> Vec<String> {
    let steps = install(environment, &root(), Path::new("/ca/root.pem"));
    let record = Record {
        stores: steps.iter().map(|step| step.store.clone()).collect(),
        root: root(),
    };
    let removal = undo(environment, Some(&record), None, &[]);
    let actions = steps.iter().chain(&removal).flat_map(|step| &step.actions);
    actions.map(Action::shell_command).collect()
}

// The expected paths have the format of Unix.
#[test]
#[cfg(unix)]
fn uses_the_directory_and_update_command_of_each_distribution() {
    for (dir, program, refresh) in [
        (
            "/usr/local/share/ca-certificates",
            "update-ca-certificates",
            "update-ca-certificates",
        ),
        (
            "/etc/pki/ca-trust/source/anchors",
            "update-ca-trust",
            "update-ca-trust",
        ),
        (
            "/etc/ca-certificates/trust-source/anchors",
            "trust",
            "trust extract-compat",
        ),
        (
            "/etc/pki/trust/anchors",
            "update-ca-certificates",
            "update-ca-certificates",
        ),
    ] {
        let mut environment = environment(System::Linux);
        environment.dirs = vec![dir.into()];
        environment.update_programs = vec![format!("/usr/sbin/{program}").into()];
        let refresh = format!("/usr/sbin/{refresh}");
        let file = format!("{dir}/portway-local-ca-0123456789abcdef.crt");
        let mut expected = vec![
            format!("install -m 644 /ca/root.pem {file}"),
            refresh.clone(),
            format!("rm -f {file}"),
            refresh,
        ];
        if dir.starts_with("/usr/local") {
            let link = "/etc/ssl/certs/portway-local-ca-0123456789abcdef.pem";
            expected.insert(3, format!("rm -f {link}"));
        }
        assert_eq!(commands(&environment), expected);
        let step = || install(&environment, &root(), Path::new("/ca/root.pem")).remove(0);
        assert!(step().needs_root);
        environment.is_root = true;
        let step = install(&environment, &root(), Path::new("/ca/root.pem")).remove(0);
        assert!(!step.needs_root);
        // A directory without the update program is not a store.
        environment.update_programs.clear();
        assert_eq!(
            install(&environment, &root(), Path::new("/ca/root.pem")),
            []
        );
    }
}

#[test]
fn changes_browser_databases_on_linux() {
    let mut environment = environment(System::Linux);
    environment.databases = vec!["/home/a b/.pki/nssdb".into()];
    let name = "'Portway local CA 0123456789abcdef'";
    assert_eq!(
        commands(&environment),
        [
            format!("certutil -d 'sql:/home/a b/.pki/nssdb' -A -t 'C,,' -n {name} -i /ca/root.pem"),
            format!("certutil -d 'sql:/home/a b/.pki/nssdb' -D -n {name}"),
        ]
    );
    let step = || install(&environment, &root(), Path::new("/r")).remove(0);
    assert!(!step().needs_root);
    assert_eq!(step().unavailable, None);
    environment.programs = vec!["apt-get".into()];
    let step = install(&environment, &root(), Path::new("/r")).remove(0);
    let reason = step.unavailable.unwrap();
    assert!(reason.contains("`libnss3-tools`"), "{reason}");
}

// The expected paths have the format of Unix.
#[test]
#[cfg(unix)]
fn uses_the_store_of_the_user_on_macos_and_windows() {
    assert_eq!(
        commands(&environment(System::MacOs)),
        [
            "security add-trusted-cert -r trustRoot -k '/home/a b/Library/Keychains/login.keychain-db' /ca/root.pem",
            "security delete-certificate -t -Z AB12 '/home/a b/Library/Keychains/login.keychain-db'",
        ]
    );
    assert_eq!(
        commands(&environment(System::Windows)),
        [
            "certutil -user -addstore Root /ca/root.pem",
            "certutil -user -delstore Root 500123456789abcdef",
        ]
    );
}

#[test]
fn removes_found_roots_that_belong_to_this_user() {
    let former = TrustedRoot {
        name: "Portway local CA fedcba9876543210".into(),
        fingerprint: "cd34".into(),
        ..root()
    };
    let environment = environment(System::Linux);
    let system = Store::System {
        dir: "/anchors".into(),
        refresh: "update".into(),
        links: None,
    };
    let database = Store::Database("/home/a b/.pki/nssdb".into());
    let contents: Vec<StoreContents> = [&system, &database]
        .map(|store| StoreContents {
            store: store.clone(),
            roots: Ok(vec![root(), former.clone()]),
        })
        .into();
    let record = Record {
        root: root(),
        stores: vec![database.clone()],
    };
    for (record, own) in [(Some(&record), None), (None, Some(&root()))] {
        let steps = undo(&environment, record, own, &contents);
        assert_eq!(steps.len(), 4);
        for step in steps {
            let may_be_another_users = step.store == system && step.root == former;
            assert_eq!(step.unavailable.is_some(), may_be_another_users, "{step:?}");
        }
    }
    // An unreadable store is reported, unless the record shows that it was never changed.
    let unreadable = [StoreContents {
        store: Store::Database("/other".into()),
        roots: Err(StoreError::Program("broken".into())),
    }];
    assert_eq!(
        undo(&environment, Some(&record), None, &unreadable).len(),
        1
    );
    let step = undo(&environment, None, None, &unreadable).remove(0);
    assert!(step.unavailable.unwrap().contains("broken"));
    assert_eq!(
        undo(&environment, None, Some(&root()), &unreadable)[0].root,
        root()
    );
}
