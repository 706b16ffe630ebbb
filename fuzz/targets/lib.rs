//! Checks that several targets share.

use std::path::{Component, Path};

use indexmap::IndexMap;
use portway_detect::yaml::YamlError;
use portway_project::{AssignedPorts, Checkout, Diagnostic, Manifest, Plan, PortsFile, Wiring};

/// The root of a project that does not exist on disk.
pub const ROOT: &str = "/project";

/// Check that an error in a manifest has a message, and a location inside the text.
pub fn check_diagnostic(error: &Diagnostic) {
    assert!(!error.message.is_empty());
    assert!(!error.message.ends_with('.') || error.message.ends_with("..."));
    if let Some(span) = &error.span {
        assert!(span.start <= span.end, "{span:?} ends before it starts");
        let part = error.text.get(span.clone());
        assert!(part.is_some(), "{span:?} is outside the text: {error}");
        let (line, column) = error.line_and_column().expect("a span has a line");
        assert!(line > 0 && line <= error.text.split('\n').count() && column > 0);
    }
}

/// Check that an error in YAML has a message of one line, and an existing line number.
pub fn check_yaml_error(error: &YamlError, text: &str) {
    assert!(!error.message.is_empty() && !error.message.contains('\n'));
    // The parser may report the end of the text as the next line.
    let lines = text.split(['\n', '\r']).count() as u64 + 1;
    assert!(
        error.line.is_none_or(|line| (1..=lines).contains(&line)),
        "{error:?}"
    );
}

/// Make the plan and the wiring of a manifest, and check both. An error must have a location.
pub fn check_plan(manifest: &Manifest, optional: &[String]) -> Result<(), Box<Diagnostic>> {
    let plan = Plan::new(manifest, optional).inspect_err(|error| check_diagnostic(error))?;
    let order = check_order(&plan);
    for group in plan.groups.keys() {
        let closure = plan
            .closure(std::slice::from_ref(group))
            .expect("the group exists");
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
    check_wiring(&plan, &ports);
    Ok(())
}

/// Check that the start order contains each service once, after the services that it waits for.
fn check_order(plan: &Plan) -> Vec<String> {
    let order = plan.closure(&[]).expect("no name is unknown");
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

/// Check that every port has its own key in `.ports.json`, and that every value can be passed to a
/// process.
fn check_wiring(plan: &Plan, ports: &AssignedPorts) {
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
        "two keys are the same"
    );
    let text = serde_json::to_vec(&wiring.ports_json).expect("it can be serialized");
    let read = PortsFile::parse(Path::new(ROOT), &text).expect("written text can be read");
    let read = read.ports(Path::new(ROOT), keys.iter().map(String::as_str));
    let read = read.expect("the ports are valid");
    let assigned: Vec<u16> = ports.0.values().flatten().copied().collect();
    assert_eq!(read.into_values().collect::<Vec<_>>(), assigned);
    for launch in wiring.services.values() {
        let has_parent = launch
            .dir
            .components()
            .any(|part| part == Component::ParentDir);
        assert!(
            launch.dir.starts_with(ROOT) && !has_parent,
            "{:?} is outside the project",
            launch.dir
        );
        assert!(!launch.command.contains('\0'), "a NUL in a command");
        for (name, value) in &launch.env {
            assert!(
                !name.is_empty() && !name.contains(['=', '\0']),
                "invalid variable name {name:?}"
            );
            assert!(!value.contains('\0'), "a NUL in the value of {name:?}");
        }
    }
}
