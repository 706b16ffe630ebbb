//! What several targets check.

use std::path::{Component, Path};

use indexmap::IndexMap;
use portway_detect::yaml::YamlError;
use portway_project::Diagnostic;
use portway_project::{AssignedPorts, Checkout, Manifest, Plan, PortsFile, Wiring};

/// The root of a project that lies nowhere.
pub const ROOT: &str = "/project";

/// An error in a manifest says something, and its place lies in the text.
pub fn has_place(error: &Diagnostic) {
    assert!(!error.message.is_empty());
    assert!(!error.message.ends_with('.') || error.message.ends_with("..."));
    if let Some(span) = &error.span {
        assert!(span.start <= span.end, "{span:?} is upside down");
        let place = error.text.get(span.clone());
        assert!(place.is_some(), "{span:?} is no part of the text: {error}");
        let (line, column) = error.line_and_column().expect("a span has a line");
        assert!(line > 0 && line <= error.text.split('\n').count() && column > 0);
    }
}

/// An error in YAML is one line of words, about a line that there is.
pub fn has_line(error: &YamlError, text: &str) {
    assert!(!error.message.is_empty() && !error.message.contains('\n'));
    // The end of the text may be reported as the line below it.
    let lines = text.split(['\n', '\r']).count() as u64 + 1;
    assert!(
        error.line.is_none_or(|line| (1..=lines).contains(&line)),
        "{error:?}"
    );
}

/// Makes everything of a manifest that is a function of it; an error must have its place.
pub fn use_up(manifest: &Manifest, with: &[String]) -> Result<(), Box<Diagnostic>> {
    let plan = Plan::new(manifest, with).inspect_err(|error| has_place(error))?;
    let order = in_order(&plan);
    for group in plan.groups.keys() {
        let closure = plan
            .closure(std::slice::from_ref(group))
            .expect("a group is known");
        assert!(closure.iter().all(|name| order.contains(name)));
    }
    let mut ports = AssignedPorts(IndexMap::new());
    for (name, service) in &plan.services {
        for port in &service.ports {
            assert!(port.spec.prefer > 0 && port.spec.range.contains(port.spec.prefer));
        }
        let assigned = service.ports.iter().map(|port| port.spec.prefer);
        ports.0.insert(name.clone(), assigned.collect());
    }
    wired(&plan, &ports);
    Ok(())
}

/// Every service stands once in the order, behind those that it comes after.
fn in_order(plan: &Plan) -> Vec<String> {
    let order = plan.closure(&[]).expect("no names are no unknown ones");
    assert_eq!(order.len(), plan.services.len());
    for (index, name) in order.iter().enumerate() {
        for (other, _) in &plan.services[name].after {
            assert!(
                order[..index].contains(other),
                "{name} starts before {other}"
            );
        }
    }
    order
}

/// Every port is told under a key of its own, and nothing that is told could not be passed on.
fn wired(plan: &Plan, ports: &AssignedPorts) {
    let checkout = Checkout {
        root: ROOT.into(),
        id: "0123456789abcdef".into(),
        git: None,
    };
    let wiring = Wiring::new(
        plan,
        ports,
        &checkout,
        "project",
        &IndexMap::new(),
        &IndexMap::new(),
        None,
    );
    let all = plan.services.values();
    let keys: Vec<String> = all
        .clone()
        .flat_map(|service| (0..service.ports.len()).map(|index| service.port_key(index)))
        .collect();
    let health = all.filter(|service| service.health_path.is_some()).count();
    assert_eq!(
        wiring.ports_json.len(),
        2 * keys.len() + health,
        "keys that are equal"
    );
    let text = serde_json::to_vec(&wiring.ports_json).expect("it is JSON");
    let read = PortsFile::parse(Path::new(ROOT), &text).expect("what is written can be read");
    let read = read.ports(Path::new(ROOT), keys.iter().map(String::as_str));
    let read = read.expect("own ports are ports");
    let assigned: Vec<u16> = ports.0.values().flatten().copied().collect();
    assert_eq!(read.into_values().collect::<Vec<_>>(), assigned);
    for launch in wiring.services.values() {
        let up = launch
            .dir
            .components()
            .any(|part| part == Component::ParentDir);
        assert!(
            launch.dir.starts_with(ROOT) && !up,
            "{:?} is elsewhere",
            launch.dir
        );
        // No process can be told such things.
        assert!(!launch.command.contains('\0'), "a command with a NUL");
        for (name, value) in &launch.env {
            assert!(
                !name.is_empty() && !name.contains(['=', '\0']),
                "the name {name:?}"
            );
            assert!(!value.contains('\0'), "the value of {name:?}");
        }
    }
}
