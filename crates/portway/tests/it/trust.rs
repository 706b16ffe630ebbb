//! `portway trust`: real stores, in a mount namespace of the test's own in place of the system's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sandbox::{CommandOutput, RunningCommand, Sandbox, http_get, two_services, wait_until};

/// What the system's own stores are replaced with, for a command and all it starts. Nothing is run
/// unless that has worked.
const ELSEWHERE: &str = r#"
    set -e
    mkdir -p "$HOME/anchors" "$HOME/certs"
    [ -e "$HOME/certs/ca-certificates.crt" ] || cp -a /etc/ssl/certs/. "$HOME/certs"
    mount --bind "$HOME/anchors" /usr/local/share/ca-certificates
    mount --bind "$HOME/certs" /etc/ssl/certs
    exec "$@"
"#;

/// A command that sees stores of the sandbox where those of the system are, and may change them.
fn elsewhere(sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.command("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", ELSEWHERE, "sh"]);
    command.args(words);
    command
}

/// Runs Portway there.
fn portway(sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
    let program = [env!("CARGO_BIN_EXE_portway")];
    let words: Vec<&str> = program.into_iter().chain(words.iter().copied()).collect();
    sandbox.run_command(elsewhere(sandbox, &words))
}

/// The same for a user without root rights.
fn portway_as_user(sandbox: &Sandbox, words: &[&str]) -> CommandOutput {
    let user = ["unshare", "--user", "--map-user=1000"];
    let program = [env!("CARGO_BIN_EXE_portway")];
    let words: Vec<&str> = user
        .into_iter()
        .chain(program)
        .chain(words.iter().copied())
        .collect();
    sandbox.run_command(elsewhere(sandbox, &words))
}

/// A sandbox whose user has a Chromium and a Firefox.
fn with_browsers(sandbox: Sandbox) -> Sandbox {
    for dir in databases(&sandbox) {
        database(&sandbox, &dir, &["--empty-password"]);
    }
    sandbox
}

/// Makes a browser's database.
fn database(sandbox: &Sandbox, dir: &Path, options: &[&str]) {
    fs::create_dir_all(dir).unwrap();
    let mut command = sandbox.command("certutil");
    command.args(["-N", "-d", &format!("sql:{}", dir.display())]);
    command.args(options);
    sandbox.run_command(command).success();
}

fn databases(sandbox: &Sandbox) -> [PathBuf; 2] {
    [".pki/nssdb", ".mozilla/firefox/x.default-release"].map(|dir| sandbox.path("home").join(dir))
}

/// What the browsers trust: names and flags.
fn browsers_trust(sandbox: &Sandbox) -> Vec<String> {
    let lists = databases(sandbox).map(|dir| {
        let mut command = sandbox.command("certutil");
        command.args(["-L", "-d", &format!("sql:{}", dir.display())]);
        sandbox.run_command(command).success().stdout()
    });
    let lines = lists.iter().flat_map(|list| list.lines());
    lines
        .filter(|line| line.contains("Portway"))
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// The files of Portway's below a directory of the sandbox's home.
fn portways_files(sandbox: &Sandbox, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path("home").join(dir)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("ortway")).collect();
    names.sort();
    names
}

fn ca(sandbox: &Sandbox) -> PathBuf {
    sandbox.state().join("gateway/ca")
}

/// A gateway with HTTPS on the sandbox's last port but one.
fn gateway(sandbox: &Sandbox) -> RunningCommand {
    let (port, tls) = (sandbox.port(39).to_string(), sandbox.port(38).to_string());
    let ports = ["--port", &port, "--tls-port", &tls];
    let mut gateway = sandbox.spawn(&[&["gateway", "--json"], &ports[..]].concat());
    gateway.wait_for_output("\"tls_port\"");
    gateway
}

fn states(report: &serde_json::Value) -> Vec<(String, String)> {
    let steps = report["steps"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    steps
        .map(|step| {
            let store = text(&step["store"]);
            let store = store.split(' ').next().unwrap().to_owned();
            (store, text(&step["state"]))
        })
        .collect()
}

fn all(state: &str) -> Vec<(String, String)> {
    ["the", "Firefox", "Chromium"]
        .map(|store| (store.to_owned(), state.to_owned()))
        .into()
}

#[test]
fn nothing_is_done_unless_it_is_wanted() {
    let sandbox = with_browsers(Sandbox::new());
    let before = browsers_trust(&sandbox);
    let dry = portway(&sandbox, &["trust", "--dry-run"]).success();
    dry.stderr_has("update-ca-certificates")
        .stderr_has(".pki/nssdb")
        .stderr_has("x.default-release")
        .stderr_has("gateway/ca");
    // Nobody can be asked.
    portway(&sandbox, &["trust"]).code(1).stderr_has("--yes");
    let refused = portway(&sandbox, &["trust", "--json"]).code(1);
    refused.error("refused").hints("--yes");
    assert_eq!(browsers_trust(&sandbox), before);
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
    assert!(!sandbox.state().join("gateway").exists());
    portway(&sandbox, &["trust", "--undo"]).success();
    let undone = portway(&sandbox, &["trust", "--undo", "--json"]).code(6);
    undone.error("nothing_there");
}

#[test]
fn a_person_is_asked_once_and_only_where_something_is_left_to_do() {
    let sandbox = Sandbox::new();
    let program = env!("CARGO_BIN_EXE_portway");
    let answer = |word: &str| {
        let script = format!("echo {word} | script -qec '{program} trust' /dev/null");
        let mut command = elsewhere(&sandbox, &["sh", "-c", &script]);
        command.env("NO_COLOR", "1");
        sandbox.run_command(command).success().stdout()
    };
    let refused = answer("n");
    assert!(refused.contains("[y/N]"), "{refused}");
    assert!(!ca(&sandbox).exists());
    let done = answer("y");
    assert!(done.contains("[y/N]"), "{done}");
    assert_eq!(portways_files(&sandbox, "anchors").len(), 1);
    let key = fs::read(ca(&sandbox).join("intermediate.key")).unwrap();
    let again = answer("n");
    assert!(!again.contains("[y/N]"), "{again}");
    let report = portway(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&report.json())[0].1, "already");
    assert_eq!(
        fs::read(ca(&sandbox).join("intermediate.key")).unwrap(),
        key
    );
}

#[test]
fn every_store_is_told_and_undo_leaves_nothing() {
    let sandbox = with_browsers(Sandbox::new());
    let report = portway(&sandbox, &["trust", "--yes", "--json"])
        .success()
        .json();
    assert_eq!(states(&report), all("done"));
    let name = report["root"]["name"].as_str().unwrap();
    let trusted = format!("{name} C,,");
    assert_eq!(browsers_trust(&sandbox), [trusted.clone(), trusted]);
    assert_eq!(portways_files(&sandbox, "anchors").len(), 1);
    assert_eq!(portways_files(&sandbox, "certs").len(), 1);
    let (bundle, root) = (
        sandbox.path("home/certs/ca-certificates.crt"),
        fs::read_to_string(ca(&sandbox).join("root.pem")).unwrap(),
    );
    let is_trusted = || fs::read_to_string(&bundle).unwrap().contains(root.trim());
    assert!(is_trusted());
    // The key is nobody else's, and it is the only one.
    let mut files: Vec<(String, u32)> = fs::read_dir(ca(&sandbox))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "bundle.pem",
            "intermediate.key",
            "intermediate.pem",
            "root.pem"
        ]
    );
    assert_eq!(files[1].1, 0o600);
    // Again: nothing changes.
    let again = portway(&sandbox, &["trust", "--yes", "--json"])
        .success()
        .json();
    assert_eq!(states(&again), all("already"));
    assert_eq!(again["root"], report["root"]);
    // A browser that came later.
    let [_, firefox] = databases(&sandbox);
    fs::remove_dir_all(&firefox).unwrap();
    database(&sandbox, &firefox, &["--empty-password"]);
    let later = portway(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&later.json())[1].1, "done");
    let undone = portway(&sandbox, &["trust", "--undo", "--yes", "--json"])
        .success()
        .json();
    assert!(states(&undone).iter().all(|(_, state)| state == "done"));
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
    assert_eq!(portways_files(&sandbox, "certs"), [""; 0]);
    assert!(!is_trusted());
    let left = fs::read_dir(sandbox.state().join("gateway")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn without_root_rights_the_command_is_shown_and_the_rest_done() {
    let sandbox = with_browsers(Sandbox::new());
    let ran = portway_as_user(&sandbox, &["trust", "--yes"]).success();
    ran.stderr_has("sudo install -m 644")
        .stderr_has("sbin/update-ca-certificates");
    let report = portway_as_user(&sandbox, &["trust", "--yes", "--json"]).success();
    assert_eq!(states(&report.json())[0].1, "needs_root");
    assert_eq!(browsers_trust(&sandbox).len(), 2);
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
    // Somebody has run it; to undo that is left to them as well, and not forgotten.
    portway(&sandbox, &["trust", "--yes"]).success();
    assert_eq!(portways_files(&sandbox, "anchors").len(), 1);
    portway_as_user(&sandbox, &["trust", "--undo", "--yes"])
        .success()
        .stderr_has("sudo rm -f ");
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert!(!ca(&sandbox).exists());
    portway(&sandbox, &["trust", "--yes", "--json"])
        .code(1)
        .error("refused")
        .hints("`portway trust --undo`");
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
    portway(&sandbox, &["trust", "--yes"]).success();
}

#[test]
fn a_store_that_cannot_be_changed_is_told_of_and_left_as_it_was() {
    let sandbox = Sandbox::new();
    let [chromium, firefox] = databases(&sandbox);
    database(&sandbox, &chromium, &["--empty-password"]);
    let password = sandbox.path("password");
    fs::write(&password, "secret12\n").unwrap();
    database(&sandbox, &firefox, &["-f", password.to_str().unwrap()]);
    // Without a terminal on which `certutil` could ask for it.
    let program = ["setsid", "--wait", env!("CARGO_BIN_EXE_portway")];
    let trust = || {
        let words = [&program[..], &["trust", "--yes", "--json"]].concat();
        sandbox
            .run_command(elsewhere(&sandbox, &words))
            .code(1)
            .json()
    };
    for state in ["done", "already"] {
        let report = trust();
        assert_eq!(states(&report)[1], ("Firefox".into(), "failed".into()));
        assert_eq!(states(&report)[2], ("Chromium".into(), state.into()));
        let why = report["steps"][1]["message"].as_str().unwrap();
        assert!(why.contains("password"), "{why}");
        assert_eq!(browsers_trust(&sandbox).len(), 1);
    }
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
}

#[test]
fn a_ca_whose_files_are_gone_comes_out_of_the_stores_all_the_same() {
    let sandbox = with_browsers(Sandbox::new());
    portway(&sandbox, &["trust", "--yes"]).success();
    fs::remove_dir_all(ca(&sandbox)).unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
}

#[test]
fn undo_finds_what_no_record_tells_of() {
    let sandbox = with_browsers(Sandbox::new());
    let record = sandbox.state().join("gateway/trust.json");
    portway(&sandbox, &["trust", "--yes"]).success();
    fs::write(&record, "{").unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes", "--json"])
        .code(1)
        .error("state")
        .mentions("trust.json")
        .hints("`rm ");
    fs::remove_file(&record).unwrap();
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert_eq!(browsers_trust(&sandbox), [""; 0]);
    assert_eq!(portways_files(&sandbox, "anchors"), [""; 0]);
    // Without files and record: those of this user's own stores, and with a later CA as well.
    for is_later in [false, true] {
        portway(&sandbox, &["trust", "--yes"]).success();
        fs::remove_dir_all(sandbox.state().join("gateway")).unwrap();
        if is_later {
            portway(&sandbox, &["trust", "--yes"]).success();
        }
        let undone = portway(&sandbox, &["trust", "--undo", "--yes", "--json"]).success();
        // That of the system may be another user's.
        assert_eq!(states(&undone.json())[0].1, "lacking");
        assert_eq!(browsers_trust(&sandbox), [""; 0]);
        assert!(!record.exists());
        let anchors = fs::read_dir(sandbox.path("home/anchors")).unwrap();
        for file in anchors {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        portway(&sandbox, &["trust", "--undo", "--json"])
            .code(6)
            .error("nothing_there");
    }
}

#[test]
fn the_systems_store_is_found_without_sbin_in_path() {
    let sandbox = Sandbox::new();
    let program = env!("CARGO_BIN_EXE_portway");
    let short = "PATH=/usr/local/bin:/usr/bin:/bin";
    let words = [
        "unshare",
        "--user",
        "--map-user=1000",
        "env",
        short,
        program,
    ];
    let dry = || {
        let words = [&words[..], &["trust", "--dry-run"]].concat();
        sandbox
            .run_command(elsewhere(&sandbox, &words))
            .success()
            .stderr()
    };
    let said = dry();
    assert!(said.contains("/sbin/update-ca-certificates"), "{said}");
    // The CA that will be made is another each time, so its name is not made up.
    assert!(said.contains("Portway local CA ID"), "{said}");
    assert_eq!(said, dry());
}

#[test]
fn a_ca_that_is_broken_or_open_to_others_is_not_used() {
    let sandbox = Sandbox::new();
    let arguments = ["gateway", "--port", "0", "--tls-port", "0"];
    sandbox
        .fails(&arguments, 6, "nothing_there")
        .hints("`portway trust`");
    portway(&sandbox, &["trust", "--yes"]).success();
    let key = ca(&sandbox).join("intermediate.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let start = || sandbox.fails(&arguments, 1, "state");
    start().mentions("intermediate.key").hints("chmod");
    let doctor = || sandbox.run(&["doctor", "--json"]).json()["findings"].to_string();
    let findings = doctor();
    assert!(
        findings.contains("local_ca") && findings.contains("chmod"),
        "{findings}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "").unwrap();
    start().mentions("intermediate.key").hints("--undo");
    fs::remove_file(ca(&sandbox).join("root.pem")).unwrap();
    start().mentions("root.pem").hints("--undo");
    portway(&sandbox, &["trust"]).code(1).stderr_has("--undo");
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    assert!(!doctor().contains("local_ca"));
}

#[test]
fn where_https_is_served_can_be_preferred() {
    let sandbox = Sandbox::new();
    let tls = sandbox.port(38).to_string();
    let gateway = |act: &[&str]| {
        let mut command = sandbox.portway(&[&["gateway", "--json"][..], act].concat());
        command.env("PORTWAY_GATEWAY_TLS_PORT", &tls);
        let status = sandbox.run_command(command).success().json();
        sandbox.run(&["gateway", "stop"]).success();
        status["tls_port"].clone()
    };
    let start = ["--detach", "--port", "0"];
    assert!(gateway(&start).is_null());
    portway(&sandbox, &["trust", "--yes"]).success();
    assert_eq!(gateway(&start), sandbox.port(38));
    let other = sandbox.port(37).to_string();
    let start = [&start[..], &["--tls-port", &other]].concat();
    assert_eq!(gateway(&start), sandbox.port(37));
}

#[test]
fn names_are_https_and_the_plain_port_goes_on() {
    let sandbox = two_services();
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let (port, tls) = (sandbox.port(39), sandbox.port(38));
    let url = format!("https://jobi.localhost:{tls}");
    let printed = sandbox
        .run(&["url", "--name", "frontend"])
        .success()
        .stdout();
    assert_eq!(printed.trim(), url);
    sandbox.run(&["ps"]).success().stdout_has(&url);
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let curl = |options: &[&str], url: &str| {
        let mut command = sandbox.command("curl");
        command
            .args(["-sS", "-w", " %{http_version}"])
            .args(options);
        command.arg(url);
        sandbox.run_command(command)
    };
    let root = ca(&sandbox).join("root.pem");
    let cacert = ["--cacert", root.to_str().unwrap()];
    assert_eq!(curl(&cacert, &url).success().stdout(), format!("{pid} 2"));
    let first = [&cacert[..], &["--http1.1"]].concat();
    assert_eq!(curl(&first, &url).success().stdout(), format!("{pid} 1.1"));
    // Whoever was not told does not believe it; a name that leads nowhere is refused.
    curl(&[], &url).code(60);
    curl(&cacert, &format!("https://other.localhost:{tls}")).code(35);
    let plain = format!("http://jobi.localhost:{port}");
    assert_eq!(curl(&[], &plain).success().stdout(), format!("{pid} 1.1"));
    // What trusts the system's store.
    let by_system = sandbox.run_command(elsewhere(&sandbox, &["curl", "-sS", &url]));
    assert_eq!(by_system.success().stdout(), pid);
}

#[test]
fn services_and_shells_are_told_whom_to_trust() {
    let sandbox = two_services();
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let env = sandbox.run(&["env", "--json"]).success().json();
    for (name, file) in [
        ("NODE_EXTRA_CA_CERTS", "root.pem"),
        ("DENO_CERT", "root.pem"),
        ("SSL_CERT_FILE", "bundle.pem"),
        ("REQUESTS_CA_BUNDLE", "bundle.pem"),
    ] {
        let file = ca(&sandbox).join(file);
        let path = format!("/env/{name}");
        assert_eq!(env[name], file.to_str().unwrap(), "{name}");
        assert_eq!(http_get(sandbox.port(0), &path).as_deref(), file.to_str());
    }
    // They ask the system for names, which knows those of the sandbox.
    let hosts = sandbox.path("hosts");
    fs::write(&hosts, "127.0.0.1 localhost jobi.localhost\n").unwrap();
    let url = format!("https://jobi.localhost:{}", sandbox.port(38));
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let portway = env!("CARGO_BIN_EXE_portway");
    let named = |words: &[&str]| {
        let mut command = sandbox.command("unshare");
        let bind = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["--map-root-user", "--mount", "sh", "-c", bind]);
        command.arg(&hosts).args(words);
        sandbox.run_command(command)
    };
    let node = format!("fetch('{url}').then(r => r.text()).then(t => console.log(t))");
    let node = ["node", "-e", &node];
    let python = format!("import urllib.request as r; print(r.urlopen('{url}').read().decode())");
    let python = ["python3", "-c", &python];
    for program in [node, python] {
        let told = [&[portway, "exec", "--"][..], &program].concat();
        assert_eq!(named(&told).success().stdout().trim(), pid);
        named(&program).code(1);
    }
}

#[test]
fn chromium_shows_a_page_without_complaint() {
    let sandbox = with_browsers(two_services());
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let page = |profile: &str| {
        let mut command = sandbox.command("chromium");
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .args(["--no-first-run", "--no-proxy-server", "--disable-sync"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1")
            .arg(format!(
                "--user-data-dir={}",
                sandbox.path(profile).display()
            ))
            .arg(format!("https://jobi.localhost:{}/", sandbox.port(38)));
        sandbox.run_command(command).stdout()
    };
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let shown = page("profile");
    assert!(
        shown.contains(&format!("<body>{pid}")) || shown.contains(&format!(">{pid}<")),
        "{shown}"
    );
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    let refused = page("other-profile");
    assert!(!refused.contains(&pid), "{refused}");
    wait_until("the browser has gone", || {
        !sandbox
            .processes()
            .values()
            .any(|command| command.contains("chromium"))
    });
}

#[test]
fn firefox_opens_a_page_without_complaint() {
    let sandbox = with_browsers(two_services());
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let [_, profile] = databases(&sandbox);
    // What is not on this machine is asked of a proxy that is not there.
    let preferences = [
        "'network.proxy.type', 1",
        "'network.proxy.http', '127.0.0.1'",
        "'network.proxy.http_port', 1",
        "'network.proxy.ssl', '127.0.0.1'",
        "'network.proxy.ssl_port', 1",
        "'network.proxy.no_proxies_on', 'localhost, .localhost'",
        "'browser.shell.checkDefaultBrowser', false",
        "'datareporting.policy.dataSubmissionEnabled', false",
    ];
    let lines = preferences.map(|one| format!("user_pref({one});\n"));
    fs::write(profile.join("user.js"), lines.concat()).unwrap();
    // The service ends when it is asked for this page: so it is seen that it was asked. A browser
    // that does not trust a certificate asks nothing.
    let mut firefox = sandbox
        .command("firefox-esr")
        .args(["--headless", "--no-remote", "--profile"])
        .arg(&profile)
        .arg(format!(
            "https://jobi.localhost:{}/exit/7",
            sandbox.port(38)
        ))
        .spawn()
        .unwrap();
    wait_until("the page has been asked for", || {
        let status = sandbox.status();
        let services = status["services"].as_array().unwrap();
        let frontend = services.iter().find(|one| one["name"] == "frontend");
        frontend.unwrap()["restarts"].as_u64() > Some(0)
    });
    firefox.kill().unwrap();
    firefox.wait().unwrap();
    wait_until("the browser has gone", || {
        let mut commands = sandbox.processes().into_values();
        !commands.any(|command| command.contains("firefox"))
    });
}
