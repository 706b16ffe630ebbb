use super::*;

fn root() -> TrustedRoot {
    TrustedRoot {
        name: "Portway local CA 0123456789abcdef".into(),
        serial: "500123456789abcdef".into(),
        fingerprint: "ab12".into(),
    }
}

fn facts(system: System) -> Facts {
    Facts {
        system,
        is_root: false,
        home: "/home/a b".into(),
        dirs: Vec::new(),
        programs: vec![CERTUTIL.into()],
        refreshing: Vec::new(),
        databases: Vec::new(),
    }
}

/// The commands of all steps, both ways.
fn commands(facts: &Facts) -> Vec<String> {
    let steps = install(facts, &root(), Path::new("/ca/root.pem"));
    let record = Record {
        stores: steps.iter().map(|step| step.store.clone()).collect(),
        root: root(),
    };
    let back = undo(facts, Some(&record), None, &[]);
    let acts = steps.iter().chain(&back).flat_map(|step| &step.acts);
    acts.map(Act::shell).collect()
}

// Its paths are those of Unix.
#[test]
#[cfg(unix)]
fn each_distribution_has_its_directory_and_its_command() {
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
        let mut facts = facts(System::Linux);
        facts.dirs = vec![dir.into()];
        facts.refreshing = vec![format!("/usr/sbin/{program}").into()];
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
        assert_eq!(commands(&facts), expected);
        let step = || install(&facts, &root(), Path::new("/ca/root.pem")).remove(0);
        assert!(step().needs_root);
        facts.is_root = true;
        let step = install(&facts, &root(), Path::new("/ca/root.pem")).remove(0);
        assert!(!step.needs_root);
        // A directory alone, left by another program, is no store.
        facts.refreshing.clear();
        assert_eq!(install(&facts, &root(), Path::new("/ca/root.pem")), []);
    }
}

#[test]
fn browsers_on_linux_have_databases() {
    let mut facts = facts(System::Linux);
    facts.databases = vec!["/home/a b/.pki/nssdb".into()];
    let name = "'Portway local CA 0123456789abcdef'";
    assert_eq!(
        commands(&facts),
        [
            format!("certutil -d 'sql:/home/a b/.pki/nssdb' -A -t C,, -n {name} -i /ca/root.pem"),
            format!("certutil -d 'sql:/home/a b/.pki/nssdb' -D -n {name}"),
        ]
    );
    let step = || install(&facts, &root(), Path::new("/r")).remove(0);
    assert!(!step().needs_root);
    assert_eq!(step().lacks, None);
    facts.programs = vec!["apt-get".into()];
    let step = install(&facts, &root(), Path::new("/r")).remove(0);
    let lacks = step.lacks.unwrap();
    assert!(lacks.contains("package libnss3-tools"), "{lacks}");
}

// Its paths are those of Unix.
#[test]
#[cfg(unix)]
fn macos_and_windows_have_one_of_the_users_own() {
    assert_eq!(
        commands(&facts(System::MacOs)),
        [
            "security add-trusted-cert -r trustRoot -k '/home/a b/Library/Keychains/login.keychain-db' /ca/root.pem",
            "security delete-certificate -t -Z AB12 '/home/a b/Library/Keychains/login.keychain-db'",
        ]
    );
    assert_eq!(
        commands(&facts(System::Windows)),
        [
            "certutil -user -addstore Root /ca/root.pem",
            "certutil -user -delstore Root 500123456789abcdef",
        ]
    );
}

#[test]
fn words_are_quoted_for_a_shell() {
    for (word, expected) in [
        ("a-b_c./:,=@1", "a-b_c./:,=@1"),
        ("", "''"),
        ("a b", "'a b'"),
        ("$(x)", "'$(x)'"),
        ("it's", r"'it'\''s'"),
    ] {
        assert_eq!(quoted(word), expected);
    }
}

#[test]
fn what_is_seen_comes_out_where_it_is_certainly_this_users() {
    let former = TrustedRoot {
        name: "Portway local CA fedcba9876543210".into(),
        fingerprint: "cd34".into(),
        ..root()
    };
    let facts = facts(System::Linux);
    let system = Store::System {
        dir: "/anchors".into(),
        refresh: "update".into(),
        links: None,
    };
    let database = Store::Database("/home/a b/.pki/nssdb".into());
    let seen: Vec<Seen> = [&system, &database]
        .map(|store| Seen {
            store: store.clone(),
            roots: Ok(vec![root(), former.clone()]),
        })
        .into();
    let record = Record {
        root: root(),
        stores: vec![database.clone()],
    };
    for (record, own) in [(Some(&record), None), (None, Some(&root()))] {
        let steps = undo(&facts, record, own, &seen);
        assert_eq!(steps.len(), 4);
        for step in steps {
            let is_others = step.store == system && step.root == former;
            assert_eq!(step.lacks.is_some(), is_others, "{step:?}");
        }
    }
    // What cannot be looked through is said, unless it is known that it was never touched.
    let unseen = [Seen {
        store: Store::Database("/other".into()),
        roots: Err("broken".into()),
    }];
    assert_eq!(undo(&facts, Some(&record), None, &unseen).len(), 1);
    let step = undo(&facts, None, None, &unseen).remove(0);
    assert!(step.lacks.unwrap().contains("broken"));
    assert_eq!(undo(&facts, None, Some(&root()), &unseen)[0].root, root());
}
