//! `portway who`: which processes are using a port.

use std::net::{TcpListener, TcpStream};
use std::path::Path;

use crate::sandbox::{Sandbox, two_services, wait_until};
use crate::servers::{ShellServer, wait_until_served};

#[test]
fn reports_everything_about_a_listener() {
    let sandbox = Sandbox::new();
    let shell = ShellServer::start(&sandbox, "serve %0 --worker");
    wait_until_served(sandbox.port(0));
    let report = sandbox
        .run(&["who", &sandbox.port(0).to_string(), "--json"])
        .success()
        .json();
    let report = &report[0];
    assert_eq!(report["state"], "listening");
    let holder = &report["holders"][0];
    assert_eq!(holder["addresses"][0], "127.0.0.1");
    let process = &holder["process"];
    assert_eq!(process["name"], "service");
    let command = sandbox.expand("%service serve %0 --worker");
    assert_eq!(process["command"], command.as_str());
    assert_eq!(process["directory"], sandbox.project().to_str().unwrap());
    let age = now() - process["since"].as_u64().unwrap() as i64;
    assert!(age.abs() < 120_000, "{age} ms");
    assert_eq!(holder["shared_with"][0]["name"], "service");
    // The shell runs only the server, so it is the root. This test is its parent.
    assert_eq!(holder["root"], shell.pid());
    let parents = holder["parents"].as_array().unwrap();
    assert_eq!(parents[0]["pid"], shell.pid());
    assert_eq!(parents[1]["pid"], std::process::id());
    let text = sandbox
        .run(&["who", &sandbox.port(0).to_string()])
        .success();
    text.stdout_has(&process["pid"].to_string())
        .stdout_has(&command)
        .stdout_has(&shell.pid().to_string());
}

/// Runs Portway on a terminal with this number of columns and returns the lines that it prints.
#[cfg(unix)]
fn on_terminal(sandbox: &Sandbox, columns: u16, arguments: &[&str]) -> Vec<String> {
    use std::io::Read;

    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&screen, size).unwrap();
    let terminal = ioctl_tiocgptpeer(&screen, flags).unwrap();
    let mut command = sandbox.portway(arguments);
    command.stdout(terminal);
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // Reading fails when the last process has closed the terminal.
    let _ = std::fs::File::from(screen).read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    let shown = String::from_utf8(shown).unwrap();
    shown.lines().map(str::to_owned).collect()
}

#[cfg(unix)]
#[test]
fn the_list_fits_on_a_terminal() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(200);
    let shell = ShellServer::start(&sandbox, &format!("serve %0 --print {long}"));
    wait_until_served(sandbox.port(0));
    let port = sandbox.port(0).to_string();
    for columns in [80, 100] {
        let lines = on_terminal(&sandbox, columns, &["--color", "never", "who"]);
        let line = lines.iter().find(|line| line.starts_with(&port)).unwrap();
        assert!(line.contains('…'), "{line}");
        for line in &lines {
            assert!(line.chars().count() <= columns.into(), "{line}");
        }
    }
    // In a pipe, nothing is shortened.
    sandbox.run(&["who"]).success().stdout_has(&long);
    drop(shell);
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis() as i64
}

#[test]
fn reports_both_address_families_and_every_program() {
    let sandbox = Sandbox::new();
    let _v4 = ShellServer::start(&sandbox, "serve %0");
    let _v6 = ShellServer::start(&sandbox, "serve %0 --host ::1");
    wait_until("both listen", || {
        portway_ports::owners(sandbox.port(0)).unwrap().len() == 2
    });
    let ran = sandbox
        .run(&["who", &sandbox.port(0).to_string()])
        .success();
    ran.stdout_has("127.0.0.1").stdout_has("::1");
}

#[test]
fn ignores_clients_that_use_the_port_as_their_own() {
    let sandbox = Sandbox::new();
    let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let client = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], sandbox.port(0)));
    client.bind(&local.into()).unwrap();
    client
        .connect(&server.local_addr().unwrap().into())
        .unwrap();
    let _stream: TcpStream = client.into();
    let port = sandbox.port(0).to_string();
    let report = sandbox.run(&["who", &port, "--json"]).success().json();
    assert_eq!(report[0]["state"], "free");
    assert_eq!(report[0]["holders"].as_array().unwrap().len(), 0);
    sandbox.fails(&["free", &port, "--yes"], 6, "nothing_there");
}

#[test]
fn reports_the_service_of_a_listener_and_of_a_held_port() {
    let sandbox = Sandbox::new().manifest(
        "[project]\nname = \"jobi\"\n\
         [services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         [services.quiet]\ncommand = \"%service sleep\"\nport = \"%10-%19\"\nready = { exec = \"true\" }",
    );
    // `quiet` never becomes ready.
    let _up = sandbox.spawn(&["up"]);
    wait_until_served(sandbox.port(0));
    let report = |port: u16| {
        let report = sandbox.run(&["who", &port.to_string(), "--json"]);
        report.success().json()[0].clone()
    };
    let backend = report(sandbox.port(0));
    let service = &backend["holders"][0]["service"];
    assert_eq!(service["service"], "backend");
    assert_eq!(service["instance"], "jobi");
    assert_eq!(service["directory"], sandbox.project().to_str().unwrap());
    let quiet = report(sandbox.port(10));
    assert_eq!(quiet["state"], "held");
    assert_eq!(quiet["lease"]["service"], "quiet");
    assert_eq!(quiet["lease"]["state"], "live");
    // The table lists both.
    let table = sandbox.run(&["who"]).success();
    table
        .stdout_has("`backend`")
        .stdout_has("`quiet`")
        .stdout_has("held");
    sandbox.run(&["down"]).success();
    let kept = report(sandbox.port(0));
    assert_eq!(kept["state"], "kept");
    assert_eq!(kept["holders"].as_array().unwrap().len(), 0);
    sandbox
        .run(&["who", &sandbox.port(0).to_string()])
        .success()
        .stdout_has("`backend`")
        .stdout_has("~/project");
}

#[test]
fn reports_processes_that_share_a_socket_or_listen_beside_it() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port} --worker\"\nport = \"%0-%9\"\n\
         owner = \"any\"",
    );
    let _up = sandbox.spawn(&["up"]);
    sandbox.wait_until_ready();
    let _beside = ShellServer::start(&sandbox, "serve %0 --host 127.0.0.2");
    wait_until("both listen", || {
        portway_ports::owners(sandbox.port(0)).unwrap().len() == 2
    });
    let report = sandbox.run(&["who", &sandbox.port(0).to_string(), "--json"]);
    let report = report.success().json();
    let holders = report[0]["holders"].as_array().unwrap();
    let at = |address: &str| {
        let mut holders = holders.iter();
        holders
            .find(|holder| holder["addresses"][0] == address)
            .unwrap()
    };
    let own = at("127.0.0.1");
    assert_eq!(own["service"]["service"], "backend");
    assert_eq!(own["shared_with"].as_array().unwrap().len(), 1);
    assert_eq!(own["shared_with"][0]["name"], "service");
    let beside = at("127.0.0.2");
    assert_eq!(beside["process"]["name"], "service");
    assert!(beside["service"].is_null());
    sandbox.run(&["down"]).success();
}

#[test]
fn reports_a_bound_port() {
    let sandbox = Sandbox::new();
    let _hold = portway_ports::Hold::acquire(sandbox.port(0)).unwrap();
    let report = sandbox
        .run(&["who", &sandbox.port(0).to_string(), "--json"])
        .success()
        .json();
    assert_eq!(report[0]["state"], "bound");
    let holder = &report[0]["holders"][0];
    assert_eq!(holder["process"]["pid"], std::process::id());
}

#[test]
fn reports_the_user_of_another_users_process() {
    // Only root can run a command as another user.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let _listener = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    let port = sandbox.port(0).to_string();
    let binary = public_copy(Path::new(env!("CARGO_BIN_EXE_portway")));
    let nobody = |arguments: &[&str]| {
        let mut command = sandbox.command(&binary);
        command.args(arguments).current_dir("/").env_remove("HOME");
        command.env_remove("XDG_STATE_HOME");
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        sandbox.run_command(command)
    };
    nobody(&["who", &port])
        .success()
        .stdout_has("root")
        .stderr_has("sudo portway who");
    nobody(&["free", &port, "--yes", "--json"])
        .code(1)
        .error("refused")
        .mentions(&port)
        .mentions("root")
        .hints(&format!("`sudo portway who {port}`"));
    let _ = std::fs::remove_file(binary);
}

/// Copies the binary to a directory in which every user can run it.
fn public_copy(binary: &Path) -> std::path::PathBuf {
    let copy = std::env::temp_dir().join(format!("portway-test-{}", std::process::id()));
    std::fs::copy(binary, &copy).unwrap();
    copy
}

#[test]
fn rejects_invalid_ports() {
    let sandbox = two_services();
    for port in ["0", "70000", "x"] {
        sandbox.fails(&["who", port], 2, "usage");
        sandbox.fails(&["free", port], 2, "usage");
    }
}

#[test]
fn reports_listeners_without_a_home() {
    let sandbox = Sandbox::new();
    let _listener = TcpListener::bind(("127.0.0.1", sandbox.port(0))).unwrap();
    let mut command = sandbox.portway(&["who", &sandbox.port(0).to_string()]);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    sandbox
        .run_command(command)
        .success()
        .stdout_has(&format!("(pid {})", std::process::id()))
        .stderr_has("HOME");
}
