use super::*;

fn file(text: &str) -> PortsFile {
    let Value::Object(content) = serde_json::from_str(text).unwrap() else {
        panic!("not an object");
    };
    PortsFile { content }
}

#[test]
fn user_keys_stay_and_stale_own_keys_are_removed() {
    let old = file(r#"{"mine": [1], "backend_port": 9000, "redis_port": 6379}"#);
    let owned = file(r#"{"backend_port": 9001}"#).content;
    let previous = ["backend_port", "redis_port"].map(str::to_owned);
    let merged = old.merged(&owned, &previous).content;
    assert_eq!(
        serde_json::to_string(&merged).unwrap(),
        r#"{"backend_port":9001,"mine":[1]}"#
    );
}

#[test]
fn numbers_of_user_keys_stay_exact() {
    let temp = tempfile::tempdir().unwrap();
    let text = r#"{"mine": [9066666666666666666666666666666666666666666666, 0.1]}"#;
    let first = file(text);
    first.write(temp.path()).unwrap();
    assert_eq!(PortsFile::read(temp.path()).unwrap(), Some(first));
}

#[test]
fn writing_leaves_no_temporary_file() {
    let temp = tempfile::tempdir().unwrap();
    let written = file(r#"{"backend_port": 9000}"#);
    written.write(temp.path()).unwrap();
    assert_eq!(PortsFile::read(temp.path()).unwrap(), Some(written));
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
}

#[test]
fn the_next_write_removes_the_files_of_killed_writers() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let (stale, active) = (path(".ports.json.portway-a"), path(".ports.json.portway-b"));
    for path in [&stale, &active, &path(".ports.json.backup")] {
        fs::write(path, "{").unwrap();
    }
    let writer = fs::File::open(&active).unwrap();
    writer.lock().unwrap();
    let written = file(r#"{"backend_port": 9000}"#);
    written.write(temp.path()).unwrap();
    assert!(!stale.exists());
    assert!(active.exists());
    drop(writer);
    // The stale file is removed even if the content has not changed.
    written.write(temp.path()).unwrap();
    assert!(!active.exists());
    assert!(path(".ports.json.backup").exists());
    assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 2);
}

#[test]
fn ports_must_be_valid_and_urls_local() {
    let root = Path::new("/p");
    let ports = |text: &str| file(text).ports(root, ["backend_port"]);
    assert_eq!(
        ports(r#"{"backend_port": 9000, "backend_url": "http://localhost:9000"}"#).unwrap()["backend_port"],
        9000
    );
    assert!(ports("{}").unwrap().is_empty());
    for text in [
        r#"{"backend_port": 0}"#,
        r#"{"backend_port": 70000}"#,
        r#"{"backend_port": "9000"}"#,
        r#"{"backend_port": 9000, "backend_url": "http://evil.example:9000"}"#,
        r#"{"backend_port": 9000, "backend_url": "http://localhost@evil.example"}"#,
        r#"{"backend_port": 9000, "backend_url": 3}"#,
    ] {
        assert!(ports(text).is_err(), "{text}");
    }
}

#[test]
fn a_url_must_be_local_for_browsers_too() {
    for url in [
        "http://localhost",
        "http://localhost:5173/a?b#c://d",
        "redis://user:word@127.0.0.1:6379",
        "http://[::1]:80/",
        "http://api.jobi.localhost:9000/health",
    ] {
        assert!(is_local_url(url), "{url}");
    }
    for url in [
        "localhost:9000",
        "http:evil.example/://localhost",
        "http://evil.example\\@localhost",
        "ht\ttp://localhost",
        "http://evil.example\n/@localhost",
        "http://[::1]evil.example/",
        "http://localhost:51-3",
        "http://localhost:0",
        "http://localhost:+80",
        "http://localhost:70000",
        "http://%65vil.localhost",
        "file://localhost/etc/passwd",
        "://localhost",
    ] {
        assert!(!is_local_url(url), "{url}");
    }
}

#[test]
fn an_invalid_file_is_an_error_and_stays_unchanged() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join(FILE_NAME);
    let problem = || {
        PortsFile::read(temp.path())
            .unwrap_err()
            .problem
            .to_string()
    };
    fs::write(&path, "{broken").unwrap();
    assert!(problem().starts_with("is not valid JSON"));
    fs::write(&path, "[]").unwrap();
    assert_eq!(problem(), "does not contain a JSON object");
    assert_eq!(fs::read_to_string(&path).unwrap(), "[]");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(problem(), "is not a file");
}
