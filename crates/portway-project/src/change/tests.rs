use std::path::Path;

use super::*;
use crate::wiring::WiringInput;
use crate::{Checkout, Manifest};

struct Side {
    plan: Plan,
    ports: AssignedPorts,
    wiring: Wiring,
}

impl Side {
    fn wired(&self) -> Wired<'_> {
        Wired {
            plan: &self.plan,
            ports: &self.ports,
            wiring: &self.wiring,
        }
    }
}

fn plan(text: &str) -> Plan {
    let manifest = Manifest::parse(Path::new("/p/portway.toml"), text).unwrap();
    Plan::new(&manifest, &[]).unwrap()
}

/// A project on its preferred ports. `file` are variables of the `env_file` of `api`.
fn side(plan: Plan, file: &[(&str, &str)]) -> Side {
    let preferred = |service: &PlannedService| {
        let ports = service.ports.iter().map(|port| port.spec.prefer).collect();
        (service.name.clone(), ports)
    };
    let ports = AssignedPorts(plan.services.values().map(preferred).collect());
    let checkout = Checkout {
        root: "/p".into(),
        id: "0123456789abcdef".into(),
        git: None,
    };
    let file = file.iter();
    let file = file.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let files = IndexMap::from([("api".to_owned(), file.collect())]);
    let trust = IndexMap::new();
    let wiring = Wiring::new(
        &plan,
        &ports,
        &checkout,
        &WiringInput {
            instance: "p",
            env_files: &files,
            mappings: &IndexMap::new(),
            trust: &trust,
            gateway: None,
            inner: None,
        },
    );
    Side {
        plan,
        ports,
        wiring,
    }
}

/// Returns the restarts as lines of text.
fn compare(old: &Side, new: &Side, selected: Option<&[String]>) -> Vec<String> {
    let restarts = restarts(old.wired(), new.wired(), selected);
    let line = |(name, reasons): (String, Vec<String>)| format!("{name}: {}", reasons.join("; "));
    restarts.into_iter().map(line).collect()
}

const API: &str = "[services.api]\ncommand = \"serve {port}\"\nport = 9000\n";
const WEB: &str = "[services.web]\ncommand = \"vite --port {port}\"\nport = 5300\n\
                   kind = \"frontend\"\n";

fn changed(from: &str, to: &str) -> Vec<String> {
    compare(&side(plan(from), &[]), &side(plan(to), &[]), None)
}

#[test]
fn an_equal_project_changes_nothing() {
    let text = format!("{API}{WEB}");
    assert_eq!(changed(&text, &text), [""; 0]);
    let commented = format!("# new\n{API}after = []\nrestart = \"never\"\n{WEB}");
    assert_eq!(changed(&text, &commented), [""; 0]);
}

#[test]
fn each_change_of_a_service_has_a_reason() {
    for (keys, reason) in [
        ("command = \"serve -v\"", "command"),
        ("command = \"c\"\ndir = \"sub\"", "directory"),
        ("command = \"c\"\nenv = { A = \"1\" }", "environment: A"),
        ("command = \"c\"\nprepare = \"make\"", "prepare step"),
        ("command = \"c\"\nready = { log = \"up\" }", "readiness"),
        ("command = \"c\"\nstop = { grace = \"3s\" }", "stop policy"),
    ] {
        let old = "[services.job]\ncommand = \"c\"\n";
        let new = format!("[services.job]\n{keys}\n");
        assert_eq!(changed(old, &new), [format!("job: {reason}")]);
    }
}

#[test]
fn another_port_restarts_everyone_who_knows_it() {
    let moved = API.replace("9000", "9001");
    let restarts = changed(&format!("{API}{WEB}"), &format!("{moved}{WEB}"));
    assert_eq!(restarts.len(), 2, "{restarts:?}");
    assert!(restarts[0].starts_with("api: command; ports; environment: "));
    assert!(restarts[1].starts_with("web: environment: "));
    assert!(restarts[1].contains("API_PORT") && !restarts[1].contains("CORS"));
}

#[test]
fn a_new_or_removed_service_leaves_the_others_alone() {
    let job = "[services.job]\ncommand = \"work\"\nport = 9500\n";
    let (two, three) = (format!("{API}{WEB}"), format!("{API}{WEB}{job}"));
    assert_eq!(changed(&two, &three), [""; 0]);
    assert_eq!(changed(&three, &two), [""; 0]);
    // Except those that name it themselves.
    let names = "[services.user]\ncommand = \"x\"\nenv = { URL = \"{job.url}\" }\n\
                 [services.job]\ncommand = \"work\"\nport = 9500\noptional = true\n";
    let enabled = names.replace("optional = true", "");
    assert_eq!(changed(names, &enabled), ["user: environment: URL"]);
}

#[test]
fn a_new_page_restarts_the_services_that_must_allow_it() {
    assert_eq!(
        changed(API, &format!("{API}{WEB}")),
        ["api: environment: CORS_ORIGINS"]
    );
    assert_eq!(changed(&format!("{API}{WEB}"), API), [""; 0]);
}

#[test]
fn a_changed_env_file_counts() {
    let old = side(plan(API), &[("SECRET", "1"), ("GONE", "1")]);
    let new = side(plan(API), &[("SECRET", "2")]);
    assert_eq!(
        compare(&old, &new, None),
        ["api: environment: SECRET, GONE"]
    );
}

#[test]
fn a_selection_leaves_the_others_as_they_are() {
    let old = side(
        plan(&format!("{API}{WEB}[services.old]\ncommand = \"o\"\n")),
        &[],
    );
    let text = format!("{API}{WEB}[services.new]\ncommand = \"n\"\n").replace("vite", "vite -v");
    let selected = ["api".to_owned(), "new".to_owned()];
    let restricted = restrict(&old.plan, plan(&text), &selected);
    assert_eq!(restricted.services["web"], old.plan.services["web"]);
    assert!(restricted.services.contains_key("old"));
    assert!(restricted.services.contains_key("new"));
    let new = side(restricted, &[]);
    assert_eq!(compare(&old, &new, Some(&selected)), [""; 0]);
    // They restart if a port that they know moves.
    let text = text.replace("9000", "9001");
    let new = side(restrict(&old.plan, plan(&text), &selected), &[]);
    let restarts = compare(&old, &new, Some(&selected));
    assert_eq!(restarts.len(), 3, "{restarts:?}");
    assert!(restarts[1].starts_with("web: environment: API_PORT"));
}
