//! The plan: which services there are, which ports each wants, in which order they start.
//!
//! Made from the manifest before anything happens, and refused as a whole when its parts do not fit
//! together.

use indexmap::{IndexMap, IndexSet};
use toml::Spanned;

use crate::checkout::file_name;
use crate::kind::Kind;
use crate::manifest::{
    Condition, Invalid, Manifest, Owner, PortSpec, Problem, Service, SocketMode, Text,
};
use crate::nearest::suggestion;
use crate::template::{self, Property, TemplateError};

/// A checked plan of a whole project.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The project's name.
    pub project: String,
    /// The services that take part, in the manifest's order.
    pub services: IndexMap<String, PlannedService>,
    /// The optional services that do not take part.
    pub absent: Vec<String>,
    /// The manifest's groups, without the services that do not take part.
    pub groups: IndexMap<String, Vec<String>>,
}

/// One service of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedService {
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Its ports, the main one first; none for a service that serves nobody.
    pub ports: Vec<PlannedPort>,
    /// The services it comes after, those that take part.
    pub after: Vec<(String, Condition)>,
    /// Whether a forced port may give way.
    pub fallback: bool,
    /// Whose process must listen.
    pub owner: Owner,
    /// The rest, as it was written.
    pub spec: Service,
}

/// One port that a service wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedPort {
    /// Its name, or `None` for the only port.
    pub name: Option<String>,
    /// The port to take and where to look otherwise.
    pub spec: PortSpec,
}

impl Plan {
    /// Makes the plan. `with` are the optional services that take part.
    ///
    /// # Errors
    /// When names, references, ports or placeholders do not fit together; the error has the place
    /// in the manifest.
    pub fn new(manifest: &Manifest, with: &[String]) -> Result<Self, Box<Invalid>> {
        build(manifest, with).map_err(|problem| manifest.invalid(problem))
    }

    /// The services that the names stand for, with those they come after, in the order in which
    /// they start. No names stand for all.
    ///
    /// # Errors
    /// The name that is neither a service nor a group, and what it may have been meant for.
    pub fn closure(&self, names: &[String]) -> Result<Vec<String>, (String, String)> {
        let mut wanted: Vec<&str> = Vec::new();
        for name in names {
            if let Some(members) = self.groups.get(name) {
                wanted.extend(members.iter().map(String::as_str));
            } else if let Some((name, _)) = self.services.get_key_value(name) {
                wanted.push(name);
            } else {
                let known = self.services.keys().chain(self.groups.keys());
                return Err((name.clone(), suggestion(name, known.map(String::as_str))));
            }
        }
        if names.is_empty() {
            wanted.extend(self.services.keys().map(String::as_str));
        }
        let mut order = IndexSet::new();
        for name in wanted {
            self.visit(name, &mut order);
        }
        Ok(order.into_iter().map(str::to_owned).collect())
    }

    /// Adds a service after those it waits for. Ends because the plan has no cycle.
    fn visit<'a>(&'a self, name: &'a str, order: &mut IndexSet<&'a str>) {
        if let Some(service) = self.services.get(name).filter(|_| !order.contains(name)) {
            for (other, _) in &service.after {
                self.visit(other, order);
            }
            order.insert(name);
        }
    }
}

fn build(manifest: &Manifest, with: &[String]) -> Result<Plan, Problem> {
    if manifest.services.is_empty() {
        return Err(Problem::at(0..0, "there is no service")
            .help("add one: `[services.backend]` with a `command`"));
    }
    check_names(manifest)?;
    for name in with {
        if !manifest.services.contains_key(name) {
            let known = manifest.services.iter().filter(|(_, s)| s.optional);
            return Err(
                Problem::at(0..0, format!("there is no optional service `{name}`"))
                    .help(suggestion(name, known.map(|(name, _)| name.as_str()))),
            );
        }
    }
    let takes_part = |name: &str| {
        manifest
            .services
            .get(name)
            .is_some_and(|service| !service.optional || with.iter().any(|on| on == name))
    };
    let mut services = IndexMap::new();
    for (name, spec) in &manifest.services {
        let planned = service(manifest, name, spec, &takes_part)?;
        if takes_part(name) {
            services.insert(name.clone(), planned);
        }
    }
    check_cycles(manifest)?;
    check_forced_twice(&services)?;
    check_placeholders(manifest)?;
    let groups = groups(manifest, &takes_part)?;
    let project = manifest.project.name.clone();
    Ok(Plan {
        project: project.unwrap_or_else(|| file_name(manifest.root())),
        absent: manifest
            .services
            .keys()
            .filter(|name| !takes_part(name))
            .cloned()
            .collect(),
        services,
        groups,
    })
}

fn service(
    manifest: &Manifest,
    name: &str,
    spec: &Service,
    takes_part: &impl Fn(&str) -> bool,
) -> Result<PlannedService, Problem> {
    let command = spec.command.get_ref().as_str();
    if command.trim().is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("the command of `{name}` is empty"),
        ));
    }
    if let Some(dir) = &spec.dir {
        check_dir(dir)?;
    }
    let mut after = Vec::new();
    for (other, condition) in &spec.after.0 {
        let known = manifest.services.keys().map(String::as_str);
        if !manifest.services.contains_key(other.get_ref()) {
            return Err(Problem::at(
                other.span(),
                format!(
                    "`{name}` comes after `{}`, which does not exist",
                    other.get_ref()
                ),
            )
            .help(suggestion(other.get_ref(), known)));
        }
        if takes_part(other.get_ref()) {
            after.push((other.get_ref().clone(), *condition));
        }
    }
    let kind = spec.kind.unwrap_or_else(|| Kind::infer(name, command));
    let ports = ports(name, kind, spec)?;
    check_probes(name, spec, &ports)?;
    if spec.socket == SocketMode::Fd && ports.len() != 1 {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` takes its socket from Portway and needs exactly one port for that"),
        ));
    }
    Ok(PlannedService {
        name: name.to_owned(),
        kind,
        ports,
        after,
        fallback: spec.fallback.unwrap_or(kind == Kind::Frontend),
        owner: spec.owner.unwrap_or_else(|| implied_owner(command)),
        spec: spec.clone(),
    })
}

/// A container's port is served by the engine's proxy, which is nobody's child.
fn implied_owner(command: &str) -> Owner {
    let mut words = command
        .split_whitespace()
        .skip_while(|&word| word == "exec");
    let program = words.next().and_then(|word| word.rsplit('/').next());
    match program {
        Some("docker" | "podman" | "docker-compose" | "podman-compose" | "nerdctl") => Owner::Any,
        _ => Owner::Tree,
    }
}

/// The ports of a service, the main one first.
fn ports(name: &str, kind: Kind, spec: &Service) -> Result<Vec<PlannedPort>, Problem> {
    if spec.port.is_some() && !spec.ports.is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` has both `port` and `ports`"),
        )
        .help("move the one into the other"));
    }
    if spec.ports.is_empty() {
        let default = || kind.default_range(name).map(PortSpec::of);
        let lone = |spec| PlannedPort { name: None, spec };
        return Ok(spec.port.or_else(default).map(lone).into_iter().collect());
    }
    let mut ports: Vec<PlannedPort> = spec
        .ports
        .iter()
        .map(|(port, spec)| PlannedPort {
            name: Some(port.clone()),
            spec: *spec,
        })
        .collect();
    if let Some(main) = spec.ports.get_index_of("http") {
        ports[..=main].rotate_right(1);
    }
    Ok(ports)
}

/// Names become parts of host names, of variables and of keys in `.ports.json`; two that become
/// the same there cannot stand side by side.
fn check_names(manifest: &Manifest) -> Result<(), Problem> {
    let well_formed = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let mut keys: IndexMap<String, &str> = IndexMap::new();
    for (name, service) in &manifest.services {
        let ports = service.ports.keys().map(String::as_str);
        for part in std::iter::once(name.as_str()).chain(ports) {
            if !well_formed(part) {
                return Err(
                    Problem::at(service.command.span(), format!("`{part}` is not a name"))
                        .help("names have letters, digits, `-` and `_`, and begin with a letter"),
                );
            }
        }
        if let Some(other) = keys.insert(key(name), name) {
            return Err(Problem::at(
                service.command.span(),
                format!("`{other}` and `{name}` are the same name to programs"),
            )
            .help("rename one of them"));
        }
        if manifest.groups.contains_key(name) {
            return Err(Problem::at(
                service.command.span(),
                format!("`{name}` is the name of a service and of a group"),
            )
            .help("rename one of them"));
        }
    }
    Ok(())
}

/// A service's name as it stands in `.ports.json` keys and, in capitals, in variables.
pub fn key(name: &str) -> String {
    name.replace('-', "_").to_ascii_lowercase()
}

/// A directory is written relative to the project's root and stays in it.
fn check_dir(dir: &Text) -> Result<(), Problem> {
    let path = std::path::Path::new(dir.get_ref());
    let inside = path.components().all(|part| {
        matches!(
            part,
            std::path::Component::Normal(_) | std::path::Component::CurDir
        )
    });
    if inside {
        return Ok(());
    }
    Err(Problem::at(
        dir.span(),
        format!("the directory `{}` lies outside the project", dir.get_ref()),
    )
    .help("write it relative to the directory of `portway.toml`, without `..`"))
}

fn check_probes(name: &str, spec: &Service, ports: &[PlannedPort]) -> Result<(), Problem> {
    let place = spec.command.span();
    let probes = [
        spec.ready.as_ref().map(|ready| {
            let kinds = [
                ready.http.is_some(),
                ready.tcp == Some(true),
                ready.exec.is_some(),
                ready.log.is_some(),
            ];
            let needs_port = ready.http.is_some() || ready.tcp == Some(true);
            ("ready", kinds.to_vec(), needs_port, ready.port.as_deref())
        }),
        spec.liveness.as_ref().map(|live| {
            let kinds = [
                live.http.is_some(),
                live.tcp == Some(true),
                live.exec.is_some(),
            ];
            let needs_port = live.http.is_some() || live.tcp == Some(true);
            ("liveness", kinds.to_vec(), needs_port, live.port.as_deref())
        }),
    ];
    for (probe, kinds, needs_port, port) in probes.into_iter().flatten() {
        if kinds.iter().filter(|&&on| on).count() != 1 {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` needs exactly one kind of probe"),
            )
            .help("write one of `http = \"/path\"`, `tcp = true`, `exec = \"command\"`"));
        }
        if needs_port && ports.is_empty() {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` asks a port, and `{name}` has none"),
            )
            .help("give it one: `port = \"9100-9199\"`"));
        }
        let known = ports.iter().filter_map(|port| port.name.as_deref());
        if let Some(port) = port.filter(|port| !known.clone().any(|name| name == *port)) {
            return Err(Problem::at(
                place,
                format!("`{probe}` of `{name}` asks the port `{port}`, which does not exist"),
            )
            .help(suggestion(port, known)));
        }
    }
    Ok(())
}

/// Refuses a circle of services that wait for each other, and draws it.
fn check_cycles(manifest: &Manifest) -> Result<(), Problem> {
    let mut done: IndexSet<&str> = IndexSet::new();
    for name in manifest.services.keys() {
        walk(manifest, name, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

fn walk<'a>(
    manifest: &'a Manifest,
    name: &'a str,
    path: &mut Vec<&'a str>,
    done: &mut IndexSet<&'a str>,
) -> Result<(), Problem> {
    if done.contains(name) {
        return Ok(());
    }
    let Some(service) = manifest.services.get(name) else {
        return Ok(());
    };
    path.push(name);
    for (other, _) in &service.after.0 {
        if let Some(start) = path.iter().position(|seen| *seen == other.get_ref()) {
            let mut circle: Vec<String> = path[start..].iter().map(|s| format!("`{s}`")).collect();
            circle.push(format!("`{}`", other.get_ref()));
            return Err(Problem::at(
                other.span(),
                format!("services wait for each other: {}", circle.join(" → ")),
            )
            .help("take one `after` away"));
        }
        walk(manifest, other.get_ref(), path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}

/// Two services whose ranges are the same single port can never both run.
fn check_forced_twice(services: &IndexMap<String, PlannedService>) -> Result<(), Problem> {
    let mut single: IndexMap<u16, &str> = IndexMap::new();
    for service in services.values() {
        for port in service.ports.iter().filter(|p| p.spec.range.size() == 1) {
            if let Some(other) = single.insert(port.spec.prefer, &service.name) {
                return Err(Problem::at(
                    service.spec.command.span(),
                    format!(
                        "`{other}` and `{}` both insist on port {}",
                        service.name, port.spec.prefer
                    ),
                )
                .help("give one of them another port or a range"));
            }
        }
    }
    Ok(())
}

/// Tries every placeholder with a number, so that a slip is found before anything starts.
fn check_placeholders(manifest: &Manifest) -> Result<(), Problem> {
    let names: Vec<&str> = manifest.services.keys().map(String::as_str).collect();
    let ports: IndexMap<&str, Vec<PlannedPort>> = manifest
        .services
        .iter()
        .map(|(name, spec)| {
            let command = spec.command.get_ref();
            let kind = spec.kind.unwrap_or_else(|| Kind::infer(name, command));
            Ok((name.as_str(), ports(name, kind, spec)?))
        })
        .collect::<Result<_, Problem>>()?;
    let has = |service: &str, property: Property<'_>| {
        let ports = ports.get(service)?;
        let there = match property {
            Property::Name | Property::Host => true,
            Property::Port(None) | Property::Url(None) => !ports.is_empty(),
            Property::Port(Some(name)) | Property::Url(Some(name)) => {
                ports.iter().any(|port| port.name.as_deref() == Some(name))
            }
        };
        there.then(String::new)
    };
    for (name, spec) in &manifest.services {
        let ready = spec.ready.as_ref().and_then(|ready| ready.exec.as_ref());
        let live = spec.liveness.as_ref().and_then(|live| live.exec.as_ref());
        let prepare = spec.prepare.as_ref().map(|prepare| &prepare.command);
        let texts = [Some(&spec.command), prepare, ready, live];
        for text in texts.into_iter().flatten().chain(spec.env.values()) {
            template::expand(text.get_ref(), name, &names, has)
                .map_err(|error| placeholder_problem(manifest, text, error))?;
        }
    }
    Ok(())
}

/// The problem at the placeholder itself, where the text is written without escapes.
fn placeholder_problem(manifest: &Manifest, text: &Text, error: TemplateError) -> Problem {
    let written = manifest.source.text.get(text.span()).unwrap_or("");
    let span = match written.find(text.get_ref().as_str()) {
        Some(quote) => {
            let start = text.span().start + quote + error.at;
            start..start + error.length
        }
        None => text.span(),
    };
    Problem::at(span, error.message).help(error.help)
}

fn groups(
    manifest: &Manifest,
    takes_part: &impl Fn(&str) -> bool,
) -> Result<IndexMap<String, Vec<String>>, Problem> {
    let mut groups = IndexMap::new();
    for (group, members) in &manifest.groups {
        for member in members {
            if !manifest.services.contains_key(member.get_ref()) {
                let known = manifest.services.keys().map(String::as_str);
                return Err(Problem::at(
                    member.span(),
                    format!(
                        "the group `{group}` has `{}`, which does not exist",
                        member.get_ref()
                    ),
                )
                .help(suggestion(member.get_ref(), known)));
            }
        }
        let members = members.iter().map(Spanned::get_ref);
        let members = members.filter(|name| takes_part(name)).cloned().collect();
        groups.insert(group.clone(), members);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn plan_with(text: &str, with: &[&str]) -> Result<Plan, Box<Invalid>> {
        let manifest = Manifest::parse(Path::new("/jobi/portway.toml"), text).unwrap();
        let with: Vec<String> = with.iter().map(|&name| name.to_owned()).collect();
        Plan::new(&manifest, &with)
    }

    fn plan(text: &str) -> Plan {
        plan_with(text, &[]).unwrap()
    }

    fn error(text: &str) -> String {
        let error = plan_with(text, &[]).unwrap_err();
        let help = error.help.clone().unwrap_or_default();
        let (line, column) = error.line_and_column().unwrap_or_default();
        format!("{line}:{column} {error} ({help})")
    }

    const JOBI: &str = r#"
        [services.backend]
        command = "uvicorn --port {port}"
        [services.frontend]
        command = "vite --port {port}"
        after = ["backend"]
        env = { API = "{backend.url}" }
        [services.redis]
        command = "redis-server --port {port}"
        optional = true
        [groups]
        data = ["redis", "backend"]
    "#;

    #[test]
    fn the_names_alone_give_the_original_ranges() {
        let plan = plan(JOBI);
        assert_eq!(plan.project, "jobi");
        let spec = |name: &str| plan.services[name].ports[0].spec;
        assert_eq!(spec("backend").prefer, 9000);
        assert_eq!(spec("backend").range.to_string(), "9000-9099");
        assert_eq!(spec("frontend").prefer, 5173);
        assert_eq!(spec("frontend").range.to_string(), "5173-5272");
        assert!(plan.services["frontend"].fallback && !plan.services["backend"].fallback);
    }

    #[test]
    fn an_optional_service_takes_part_when_it_is_asked_for() {
        assert_eq!(plan(JOBI).services.len(), 2);
        let plan = plan_with(JOBI, &["redis"]).unwrap();
        assert_eq!(plan.services["redis"].ports[0].spec.prefer, 6379);
        assert_eq!(plan.groups["data"], ["redis", "backend"]);
        assert!(plan_with(JOBI, &["rediss"]).is_err());
    }

    #[test]
    fn a_closure_has_what_its_services_wait_for_in_order() {
        let plan = plan(JOBI);
        let closure = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            plan.closure(&names)
        };
        assert_eq!(closure(&["frontend"]).unwrap(), ["backend", "frontend"]);
        assert_eq!(closure(&["data"]).unwrap(), ["backend"]);
        assert_eq!(closure(&[]).unwrap(), ["backend", "frontend"]);
        assert_eq!(
            closure(&["front"]).unwrap_err().1,
            "did you mean `frontend`?"
        );
    }

    #[test]
    fn named_ports_have_a_main_one() {
        let plan = plan(
            "[services.api]\ncommand = \"x {ports.metrics} {urls.http} {port}\"\n\
             ports = { metrics = 9100, http = 8000 }",
        );
        let names: Vec<_> = plan.services["api"]
            .ports
            .iter()
            .map(|port| port.name.as_deref().unwrap())
            .collect();
        assert_eq!(names, ["http", "metrics"]);
    }

    #[test]
    fn a_container_engine_implies_a_foreign_owner() {
        for (command, owner) in [
            ("docker run -p {port}:80 nginx", Owner::Any),
            ("exec /usr/bin/podman run x", Owner::Any),
            ("dockerize run", Owner::Tree),
        ] {
            assert_eq!(implied_owner(command), owner, "{command}");
        }
    }

    #[test]
    fn what_does_not_fit_together_is_said_with_its_place() {
        for (text, words) in [
            ("", "there is no service"),
            (
                "[services.a]\ncommand = \" \"",
                "2:11 the command of `a` is empty",
            ),
            (
                "[services.a]\ncommand=\"x\"\nafter=[\"bb\"]\n[services.bbb]\ncommand=\"x\"",
                "3:8 `a` comes after `bb`, which does not exist (did you mean `bbb`?)",
            ),
            (
                "[services.a]\ncommand=\"x\"\nafter=[\"b\"]\n[services.b]\ncommand=\"x\"\nafter=[\"a\"]",
                "6:8 services wait for each other: `a` → `b` → `a`",
            ),
            (
                "[services.backend]\ncommand=\"x\"\n[services.b]\ncommand = \"curl {bakend.url}\"",
                "4:17 `{bakend.url}` names a service that does not exist (did you mean `backend`?)",
            ),
            (
                "[services.worker]\ncommand=\"x {port}\"",
                "2:12 service `worker` has no port",
            ),
            (
                "[services.a]\ncommand=\"x\"\ndir=\"../b\"",
                "3:5 the directory `../b` lies outside the project",
            ),
            (
                "[services.a]\ncommand=\"x\"\nport=\"80\"\n[services.b]\ncommand=\"y\"\nport=\"80\"",
                "`a` and `b` both insist on port 80",
            ),
            (
                "[services.a-b]\ncommand=\"x\"\n[services.a_b]\ncommand=\"y\"",
                "`a-b` and `a_b` are the same name to programs",
            ),
            ("[services.\"a b\"]\ncommand=\"x\"", "`a b` is not a name"),
            (
                "[services.a]\ncommand=\"x\"\nready={ http=\"/\" }",
                "`ready` of `a` asks a port, and `a` has none",
            ),
            (
                "[services.a]\ncommand=\"x\"\nport=9100\nready={ http=\"/\", tcp=true }",
                "exactly one kind of probe",
            ),
            (
                "[services.a]\ncommand=\"x\"\n[groups]\ng=[\"c\"]",
                "4:4 the group `g` has `c`, which does not exist",
            ),
        ] {
            let error = error(text);
            assert!(error.contains(words), "{text}\n{error}");
        }
    }
}
