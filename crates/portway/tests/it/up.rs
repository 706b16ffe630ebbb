//! `portway up` and its companions: start, find again, restart, stop.

use std::thread;

use serde_json::Value;

use crate::sandbox::{self, Sandbox, http_get, kill, wait_until};

const TWO_SERVICES: &str = "
    [project]
    name = \"jobi\"
    [services.backend]
    command = \"%service serve {port} --delay 50\"
    port = \"%0-%9\"
    ready = { http = \"/health\" }
    [services.frontend]
    command = \"%service serve $PORT --host $HOST\"
    port = \"%10-%19\"
    after = [\"backend\"]
";

fn two_services() -> Sandbox {
    if cfg!(windows) {
        let text = TWO_SERVICES
            .replace("$PORT", "%PORT%")
            .replace("$HOST", "%HOST%");
        return Sandbox::new().manifest(&text);
    }
    Sandbox::new().manifest(TWO_SERVICES)
}

fn service<'a>(status: &'a Value, name: &str) -> &'a Value {
    let services = status["services"].as_array().unwrap();
    services.iter().find(|one| one["name"] == name).unwrap()
}

#[test]
fn both_services_run_on_their_ports() {
    let sandbox = two_services();
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
    for (index, name) in [(0, "backend"), (10, "frontend")] {
        let port = sandbox.port(index);
        assert_eq!(service(&status, name)["ports"][0]["port"], port);
        // The placeholder in one command and the variables in the other led to the same place.
        assert_eq!(http_get(port, "/env/PORT").unwrap(), port.to_string());
        assert_eq!(http_get(port, "/env/HOST").unwrap(), "127.0.0.1");
        // On Windows the first process is `cmd`, which stays.
        if cfg!(unix) {
            let pid = service(&status, name)["pid"].to_string();
            assert_eq!(http_get(port, "/").unwrap(), pid);
        }
    }
}

#[test]
#[cfg(unix)]
fn the_foreground_prints_urls_and_follows_logs() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port} --print hello\"\nport = \"%0-%9\"",
    );
    let mut up = sandbox.spawn(&["up"]);
    let url = sandbox.expand("http://localhost:%0");
    up.wait_for_output(&url);
    up.wait_for_output("backend │ hello");
    up.signal(rustix::process::Signal::INT);
    assert_eq!(up.wait(), 130);
    sandbox.wait_until_empty();
}

#[test]
#[cfg(unix)]
fn output_that_is_piped_has_no_escape_sequences() {
    let sandbox = two_services();
    let mut up = sandbox.spawn(&["up"]);
    up.wait_for_output(&sandbox.expand("http://localhost:%10"));
    assert!(!up.output().contains('\x1b'), "{}", up.output());
    up.signal(rustix::process::Signal::TERM);
    assert_eq!(up.wait(), 143);
}

#[test]
fn a_second_up_finds_the_first() {
    let sandbox = two_services();
    let first = sandbox.run(&["up", "--detach", "--json"]).success().json();
    for arguments in [&["up", "--json"][..], &["up", "--detach", "--json"]] {
        let again = sandbox.run(arguments).success().json();
        for name in ["backend", "frontend"] {
            for key in ["pid", "url"] {
                assert_eq!(service(&again, name)[key], service(&first, name)[key]);
            }
        }
    }
}

#[test]
fn a_second_up_starts_what_rests_and_waits_for_what_is_restarted() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    sandbox.run(&["down", "frontend"]).success();
    let again = sandbox.run(&["up", "--json"]).success().json();
    assert_eq!(service(&again, "frontend")["state"], "ready");
    http_get(sandbox.port(0), "/exit/1");
    let again = sandbox.run(&["up", "--json"]).success().json();
    assert_eq!(service(&again, "backend")["state"], "ready");
    assert!(http_get(sandbox.port(0), "/").is_some());
}

#[test]
fn what_a_running_instance_does_not_have_is_said() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let more = sandbox.read("portway.toml") + "\n[services.c]\ncommand = \"sleep 600\"\n";
    sandbox.write("portway.toml", &more);
    sandbox
        .fails(&["up"], 1, "failed")
        .names("c")
        .hints("`portway down`")
        .hints("`portway up`");
}

#[test]
fn many_ups_at_once_make_one_instance() {
    let sandbox = two_services();
    let pids: Vec<Value> = thread::scope(|scope| {
        let ups: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| sandbox.run(&["up", "--detach", "--json"]).success().json()))
            .collect();
        let ends = ups.into_iter().map(|up| up.join().unwrap());
        ends.map(|status| service(&status, "backend")["pid"].clone())
            .collect()
    });
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[test]
fn a_restarted_service_keeps_its_port_and_the_others_run_on() {
    let sandbox = two_services();
    let before = sandbox.run(&["up", "--detach", "--json"]).success().json();
    sandbox.run(&["restart", "backend"]).success();
    let after = sandbox.status();
    assert_eq!(
        service(&after, "backend")["ports"],
        service(&before, "backend")["ports"]
    );
    assert_ne!(
        service(&after, "backend")["pid"],
        service(&before, "backend")["pid"]
    );
    assert_eq!(
        service(&after, "frontend")["pid"],
        service(&before, "frontend")["pid"]
    );
}

#[test]
fn down_and_up_at_once_keep_every_port() {
    let sandbox = two_services();
    for _ in 0..3 {
        sandbox.run(&["up", "--detach"]).success();
        for index in [0, 10] {
            // The server hangs up first: its side goes into TIME_WAIT.
            http_get(sandbox.port(index), "/").unwrap();
        }
        sandbox.run(&["down"]).success();
        assert!(sandbox.processes().is_empty());
        let json = sandbox.ports_json();
        assert_eq!(json["backend_port"], sandbox.port(0));
        assert_eq!(json["frontend_port"], sandbox.port(10));
    }
    sandbox.run(&["down"]).success();
}

#[test]
fn after_a_kill_the_next_up_has_the_same_ports() {
    // The service takes its time to end, with its port open.
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --ignore\"\nport = \"%0-%9\"\n\
         stop = { grace = \"500ms\" }",
    );
    let first = sandbox.run(&["up", "--detach", "--json"]).success().json();
    kill(first["pid"].as_u64().unwrap() as u32);
    let again = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_ne!(again["pid"], first["pid"]);
    assert_eq!(again["services"][0]["ports"], first["services"][0]["ports"]);
}

#[test]
fn commands_at_once_in_one_checkout_never_move_a_port() {
    let sandbox = two_services();
    let program = sandbox::test_service();
    let exec = [
        "exec",
        "--",
        program.to_str().unwrap(),
        "sleep",
        "--fail",
        "0",
    ];
    thread::scope(|scope| {
        for verb in [
            &["up", "--detach"][..],
            &exec,
            &["env"],
            &["detect"],
            &["port", "backend"],
        ] {
            for _ in 0..3 {
                scope.spawn(|| sandbox.run(verb).success());
            }
        }
    });
    let json = sandbox.ports_json();
    assert_eq!(json["backend_port"], sandbox.port(0));
    assert_eq!(json["frontend_port"], sandbox.port(10));
    assert_eq!(
        sandbox.status()["services"][0]["ports"][0]["port"],
        sandbox.port(0)
    );
}

#[test]
fn services_start_one_after_the_other() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let logs = sandbox.run(&["logs", "--json"]).success().stdout();
    let records: Vec<Value> = logs
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    // The line that a service is ready has its URL.
    let ready = |service: &str, index: u16| {
        let url = sandbox.expand(&format!("http://localhost:%{index}"));
        records.iter().position(|record| {
            record["service"] == service
                && record["stream"] == "portway"
                && record["text"].as_str().unwrap().contains(&url)
        })
    };
    let backend = ready("backend", 0).expect("the backend is ready");
    assert!(backend < ready("frontend", 10).expect("the frontend is ready"));
    let frontend = records.iter().position(|one| one["service"] == "frontend");
    assert!(backend < frontend.unwrap());
}

#[test]
fn one_service_comes_with_those_it_needs_and_no_others() {
    let sandbox = two_services();
    let status = sandbox
        .run(&["up", "--detach", "--json", "backend"])
        .success()
        .json();
    assert_eq!(service(&status, "backend")["state"], "ready");
    assert_eq!(service(&status, "frontend")["state"], "stopped");
    // Its port is its own all the same.
    assert!(portway_ports::Hold::acquire(sandbox.port(10)).is_err());
    let status = sandbox.run(&["up", "--json", "frontend"]).success().json();
    assert_eq!(service(&status, "frontend")["state"], "ready");
    sandbox.run(&["down", "frontend"]).success();
    assert_eq!(service(&sandbox.status(), "frontend")["state"], "stopped");
    assert_eq!(service(&sandbox.status(), "backend")["state"], "ready");
    sandbox
        .fails(&["up", "fronted"], 2, "unknown_service")
        .names("fronted")
        .names("frontend");
}

#[test]
fn an_optional_service_takes_part_until_it_is_taken_back() {
    let sandbox = Sandbox::new().manifest(
        "[services.backend]\ncommand = \"%service serve {port}\"\nport = \"%0-%9\"\n\
         [services.redis]\noptional = true\ncommand = \"%service serve {port}\"\nport = \"%20-%29\"",
    );
    sandbox.run(&["detect"]).success();
    assert!(sandbox.ports_json().get("redis_port").is_none());
    sandbox
        .fails(&["up", "redis"], 2, "unknown_service")
        .names("redis")
        .hints("--with redis");
    sandbox
        .run(&["up", "--detach", "--with", "redis"])
        .success();
    let url = sandbox.expand("redis://localhost:%20");
    assert_eq!(http_get(sandbox.port(0), "/env/REDIS_URL").unwrap(), url);
    assert_eq!(sandbox.ports_json()["redis_url"], url);
    sandbox.run(&["down"]).success();
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(sandbox.ports_json()["redis_port"], sandbox.port(20));
    sandbox.run(&["down"]).success();
    sandbox.run(&["detect", "--without", "redis"]).success();
    assert!(sandbox.ports_json().get("redis_port").is_none());
}

#[test]
fn wait_returns_when_services_are_ready() {
    let sandbox = two_services();
    sandbox
        .fails(&["wait", "--timeout", "100ms"], 124, "timeout")
        .hints("portway up --detach");
    let mut up = sandbox.spawn(&["up"]);
    let status = sandbox.run(&["wait", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
    sandbox
        .run(&["wait", "backend", "--timeout", "10s"])
        .success();
    sandbox.run(&["down"]).success();
    up.wait();
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service sleep\"\nport = \"%0\"\nready = { tcp = true }",
    );
    let _up = sandbox.spawn(&["up"]);
    sandbox
        .fails(&["wait", "--timeout", "300ms"], 124, "timeout")
        .hints("portway logs");
}

#[test]
fn a_service_that_fails_at_the_start_ends_the_start() {
    let sandbox = Sandbox::new().manifest(
        "[services.good]\ncommand = \"%service serve {port}\"\nport = \"%0\"\n\
         [services.bad]\ncommand = \"%service serve {port} --print no-such-table --fail 3\"\n\
         port = \"%1\"\nrestart = \"never\"",
    );
    for arguments in [&["up"][..], &["up", "--detach"]] {
        sandbox
            .run(arguments)
            .code(5)
            .stderr_has("`bad`")
            .stderr_has("portway logs bad");
        assert!(sandbox.processes().is_empty());
        sandbox
            .fails(arguments, 5, "service_failed")
            .names("bad")
            .mentions("code 3")
            .hints("portway logs bad");
        assert!(sandbox.processes().is_empty());
    }
    sandbox
        .run(&["logs", "bad"])
        .success()
        .stdout_has("no-such-table");
}

#[test]
#[cfg(unix)]
fn a_program_that_is_missing_has_its_own_code() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"no-such-program\"\nrestart = \"never\"\nport = \"%0\"",
    );
    sandbox.fails(&["up"], 3, "missing_requirement").names("a");
    let sandbox = Sandbox::new().manifest("[services.a]\ncommand = \"true\"\ndir = \"nowhere\"");
    sandbox
        .fails(&["up"], 5, "service_failed")
        .mentions("nowhere`");
}

#[test]
fn a_crash_is_followed_by_a_restart_on_the_same_port() {
    let sandbox = two_services();
    sandbox.run(&["up", "--detach"]).success();
    let port = sandbox.port(0);
    let first = http_get(port, "/").unwrap();
    http_get(port, "/exit/7");
    wait_until("it serves again", || {
        http_get(port, "/").is_some_and(|pid| pid != first)
    });
    wait_until("it is ready again", || {
        service(&sandbox.status(), "backend")["state"] == "ready"
    });
    assert_eq!(service(&sandbox.status(), "backend")["restarts"], 1);
}

#[test]
fn failures_at_the_start_are_got_over() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --print trying --fail-until starts 2\"\nport = \"%0\"\n\
         [services.b]\ncommand = \"%service serve {port}\"\nport = \"%1\"",
    );
    // Two failures are got over.
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(service(&sandbox.status(), "a")["restarts"], 2);
}

#[test]
#[cfg(unix)]
fn one_shot_services_come_first() {
    let sandbox = Sandbox::new().manifest(
        "[services.migrate]\ncommand = \"sleep 0.1 && touch migrated\"\n\
         [services.api]\ncommand = \"test -f migrated && exec %service serve {port}\"\n\
         port = \"%0\"\nafter = { migrate = \"completed\" }",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(service(&status, "migrate")["state"], "completed");
    assert_eq!(service(&status, "api")["state"], "ready");
}

#[test]
#[cfg(unix)]
fn readiness_may_be_a_command_or_a_line_of_the_log() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --print 'Listening on it'\"\nport = \"%0\"\n\
         ready = { log = \"Listening on\" }\n\
         [services.b]\ncommand = \"sleep 0.2; touch ready; %service serve {port}\"\nport = \"%1\"\n\
         ready = { exec = \"test -f ready\" }\n\
         [services.c]\ncommand = \"echo working; sleep 600\"\nready = { log = \"^work\" }\n\
         [services.d]\ncommand = \"%service serve {port}\"\nport = \"%2\"\nready = { tcp = true }",
    );
    let status = sandbox.run(&["up", "--detach", "--json"]).success().json();
    assert_eq!(status["state"], "ready");
}

#[test]
fn a_service_that_never_listens_fails_and_is_told_where_it_does() {
    let elsewhere = "[services.a]\ncommand = \"%service serve %5\"\nport = \"%0\"\n\
                     ready = { tcp = true, timeout = \"4s\" }";
    let sandbox = Sandbox::new().manifest(elsewhere);
    let ran = sandbox.run(&["up", "--json"]).code(5);
    ran.error("service_failed").names("a");
    // The warning names the port that the service listens on, and its own.
    ran.stderr_has("warning: ")
        .stderr_has(&sandbox.expand("port %5"))
        .stderr_has(&sandbox.expand("port %0"));
}

#[test]
fn a_service_that_stops_answering_is_restarted() {
    let sandbox = Sandbox::new().manifest(
        "[services.a]\ncommand = \"%service serve {port} --unhealthy-file sick\"\nport = \"%0\"\n\
         liveness = { http = \"/health\", interval = \"20ms\", failures = 2 }",
    );
    sandbox.run(&["up", "--detach"]).success();
    let first = http_get(sandbox.port(0), "/").unwrap();
    sandbox.write("sick", "");
    wait_until("it is ended", || {
        http_get(sandbox.port(0), "/").is_none_or(|pid| pid != first)
    });
    std::fs::remove_file(sandbox.project().join("sick")).unwrap();
    wait_until("it is ready again", || {
        service(&sandbox.status(), "a")["state"] == "ready"
    });
    assert!(service(&sandbox.status(), "a")["restarts"].as_u64() >= Some(1));
}

#[test]
fn ps_lists_what_runs_and_what_is_kept() {
    let sandbox = two_services();
    assert_eq!(sandbox.run(&["ps"]).success().stdout(), "");
    assert_eq!(sandbox.run(&["ps", "--json"]).success().stdout(), "[]\n");
    sandbox.run(&["up", "--detach"]).success();
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list[0]["name"], "jobi");
    assert_eq!(list[0]["state"], "ready");
    assert_eq!(
        list[0]["directory"],
        sandbox.project().display().to_string()
    );
    assert!(list[0]["since"].is_u64() && list[0]["pid"].is_u64());
    let ran = sandbox
        .run(&["ps"])
        .success()
        .stdout_has("jobi")
        .stdout_has("ready");
    let ran = ran.stdout_has(&sandbox.expand("http://localhost:%10"));
    let place = format!("~{}project", std::path::MAIN_SEPARATOR);
    assert!(ran.stdout().contains(&place));
    sandbox.run(&["down"]).success();
    let list = sandbox.run(&["ps", "--json"]).success().json();
    assert_eq!(list[0]["state"], "stopped");
    assert_eq!(list[0]["services"][0]["ports"][0]["port"], sandbox.port(0));
}

#[test]
#[cfg(unix)]
fn a_service_without_a_port_that_cannot_run_fails_the_start() {
    let sandbox = Sandbox::new().manifest("[services.worker]\ncommand = \"no-such-program\"");
    sandbox
        .fails(&["up", "--detach"], 3, "missing_requirement")
        .names("worker");
    sandbox.wait_until_empty();
}
