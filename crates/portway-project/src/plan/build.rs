//! Builds a plan from a manifest: checks every part and drops positions and TOML types.

use indexmap::IndexMap;
use portway_api::UrlRewriting;
use portway_ports::Protocol;
use toml::Spanned;

use super::ports::{self, ports};
use super::{Plan, PlannedPrepare, PlannedService, check, database, front, owner, probe};
use crate::checkout::default_project_name;
use crate::database::{DEFAULT_VARIABLE, DatabaseSetup, EmptyDatabase};
use crate::diagnostic::{Problem, Text};
use crate::kind::Kind;
use crate::manifest::{Manifest, Service};
use crate::policy::{Isolation, RestartPolicy, Rewrite, SocketMode, StartCondition, StopPolicy};
use crate::port_spec::PortSpec;
use crate::preferences::Preferences;
use crate::suggest::suggestion;

/// Builds the plan with the optional services in `with`.
pub(super) fn plan(
    manifest: &Manifest,
    with: &[String],
    preferences: &Preferences,
) -> Result<Plan, Problem> {
    if manifest.services.is_empty() {
        return Err(
            Problem::without_position("the manifest defines no services")
                .help("add one: `[services.backend]` with a `command`"),
        );
    }
    check::count(manifest)?;
    check::names(manifest)?;
    for name in with {
        if !manifest.services.contains_key(name) {
            let known = manifest.services.iter().filter(|(_, s)| s.optional);
            let help = match known.clone().next() {
                Some(_) => suggestion(name, known.map(|(name, _)| name.as_str())),
                None => "only a service with `optional = true` can be enabled".into(),
            };
            let message = format!("there is no optional service `{name}`");
            return Err(Problem::without_position(message).help(help));
        }
    }
    let is_enabled = |name: &str| {
        manifest
            .services
            .get(name)
            .is_some_and(|service| !service.optional || with.iter().any(|on| on == name))
    };
    let project = manifest.project.name.clone();
    let project = project.unwrap_or_else(|| default_project_name(manifest.root()));
    if project.contains('\0') {
        return Err(
            Problem::at(0..0, "the project's name contains a NUL character")
                .help("remove it: environment variables cannot contain one"),
        );
    }
    let mut services = IndexMap::new();
    for (name, spec) in &manifest.services {
        let only_port = |kind| preferences.port_spec(&project, name, kind, spec.port.as_ref());
        let planned = service(manifest, name, spec, &is_enabled, only_port)?;
        if is_enabled(name) {
            services.insert(name.clone(), planned);
        }
    }
    check::cycles(manifest)?;
    check::health_keys(manifest)?;
    check::placeholders(manifest)?;
    front::check_main(manifest)?;
    let groups = groups(manifest, &is_enabled)?;
    Ok(Plan {
        project,
        disabled: manifest
            .services
            .keys()
            .filter(|name| !is_enabled(name))
            .cloned()
            .collect(),
        main: front::main(&services),
        lan: manifest.lan,
        worktree_copy: manifest.worktree.copy.clone(),
        abort_on_failure: manifest.abort_on_failure,
        isolation: preferences
            .isolation(manifest.isolation)
            .unwrap_or_default(),
        isolated_for: None,
        routes: front::routes(manifest, &services)?,
        services,
        groups,
        database_step: None,
    })
}

fn service(
    manifest: &Manifest,
    name: &str,
    spec: &Service,
    is_enabled: &impl Fn(&str) -> bool,
    only_port: impl FnOnce(Kind) -> Option<PortSpec>,
) -> Result<PlannedService, Problem> {
    let command = spec.command.get_ref().as_str();
    if command.trim().is_empty() {
        return Err(Problem::at(
            spec.command.span(),
            format!("the command of `{name}` is empty"),
        ));
    }
    check::texts(name, spec)?;
    let prepare_dir = spec.prepare.as_ref().and_then(|step| step.dir.as_ref());
    for dir in spec.dir.iter().chain(prepare_dir) {
        check::dir(dir)?;
    }
    let mut after = after(manifest, name, spec, is_enabled)?;
    let kind = ports::kind(name, spec);
    let ports = ports(name, spec, kind, || only_port(kind))?;
    let only_if_empty = database::only_if_empty(manifest, name, spec, &ports)?;
    if let Some(EmptyDatabase::Container { service, .. }) = &only_if_empty
        && is_enabled(service)
        && !after.iter().any(|(other, _)| other == service)
    {
        after.push((service.clone(), StartCondition::Ready));
    }
    let readiness = probe::readiness(name, spec, &ports)?;
    let liveness = probe::liveness(name, spec, &ports)?;
    check::health(name, spec, kind, &ports)?;
    check::lan(name, spec, kind, &ports)?;
    check::max_body(name, spec, kind, &ports)?;
    let is_one_tcp_port = matches!(&ports[..], [port] if port.protocol == Protocol::Tcp);
    if spec.socket == SocketMode::Fd && !is_one_tcp_port {
        return Err(Problem::at(
            spec.command.span(),
            format!("`{name}` has `socket = \"fd\"` and needs exactly one TCP port"),
        ));
    }
    let plain = |text: &Text| text.get_ref().clone();
    Ok(PlannedService {
        name: name.to_owned(),
        kind,
        command: command.to_owned(),
        dir: spec.dir.as_ref().map(plain),
        prepare: spec.prepare.as_ref().map(|step| PlannedPrepare {
            command: plain(&step.command),
            dir: step.dir.as_ref().or(spec.dir.as_ref()).map(plain),
            inputs: step.inputs.clone(),
        }),
        ports,
        after,
        readiness,
        liveness,
        health_path: spec.health.as_ref().map(plain),
        // After a failure, the database may have some of its tables.
        restart: match only_if_empty {
            Some(_) => RestartPolicy::Never,
            None => spec.restart,
        },
        stop: StopPolicy {
            signal: spec.stop.signal,
            grace: spec.stop.grace.0,
        },
        env: spec
            .env
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        env_files: spec
            .env_file
            .0
            .iter()
            .map(|file| file.path.clone())
            .collect(),
        optional_env_files: spec
            .env_file
            .0
            .iter()
            .filter(|file| file.optional)
            .map(|file| file.path.clone())
            .collect(),
        compose: spec.compose.clone(),
        database: database_setup(spec)?,
        only_if_empty,
        map_env: spec.map_env.unwrap_or(true),
        optional: spec.optional,
        main: spec.main,
        lan: spec.lan.into(),
        max_body: spec.max_body.as_ref().map(|size| size.get_ref().0),
        rewriting: rewriting(spec.rewrite, kind),
        fallback: spec.fallback.unwrap_or(kind == Kind::Frontend),
        owner: spec.owner.unwrap_or_else(|| owner::default_owner(command)),
        socket: spec.socket,
        tty: spec.tty,
        on_host: match spec.isolation {
            Some(isolation) => isolation == Isolation::None,
            None => owner::runs_container(command),
        },
    })
}

/// The database that each worktree has for itself.
fn database_setup(spec: &Service) -> Result<Option<DatabaseSetup>, Problem> {
    let Some(declared) = &spec.database else {
        return Ok(None);
    };
    database::check(declared)?;
    let variables = match declared.env.is_empty() {
        true => vec![DEFAULT_VARIABLE.to_owned()],
        false => declared
            .env
            .iter()
            .map(|name| name.get_ref().clone())
            .collect(),
    };
    Ok(Some(DatabaseSetup {
        template: declared.template.get_ref().clone(),
        url: declared.url.as_ref().map(|url| url.get_ref().clone()),
        variables,
    }))
}

fn rewriting(rewrite: Rewrite, kind: Kind) -> UrlRewriting {
    match (rewrite, kind) {
        (Rewrite::Auto, Kind::Frontend) => UrlRewriting::Pages,
        (Rewrite::Auto, Kind::Http) => UrlRewriting::Headers,
        _ => UrlRewriting::None,
    }
}

/// The services that a service waits for, reduced to enabled ones.
fn after(
    manifest: &Manifest,
    name: &str,
    spec: &Service,
    is_enabled: &impl Fn(&str) -> bool,
) -> Result<Vec<(String, StartCondition)>, Problem> {
    let mut after = Vec::new();
    for (other, condition) in &spec.after.0 {
        if !manifest.services.contains_key(other.get_ref()) {
            let others = manifest.services.keys().map(String::as_str);
            let others = others.filter(|other| *other != name);
            let message = format!(
                "`{name}` starts after `{}`, which does not exist",
                other.get_ref()
            );
            return Err(
                Problem::at(other.span(), message).help(suggestion(other.get_ref(), others))
            );
        }
        if is_enabled(other.get_ref()) {
            after.push((other.get_ref().clone(), *condition));
        }
    }
    Ok(after)
}

fn groups(
    manifest: &Manifest,
    is_enabled: &impl Fn(&str) -> bool,
) -> Result<IndexMap<String, Vec<String>>, Problem> {
    let mut groups = IndexMap::new();
    for (group, members) in &manifest.groups {
        for member in members {
            if !manifest.services.contains_key(member.get_ref()) {
                let known = manifest.services.keys().map(String::as_str);
                let message = format!(
                    "the group `{group}` contains `{}`, which does not exist",
                    member.get_ref()
                );
                return Err(
                    Problem::at(member.span(), message).help(suggestion(member.get_ref(), known))
                );
            }
        }
        let members = members.iter().map(Spanned::get_ref);
        let members = members.filter(|name| is_enabled(name)).cloned().collect();
        groups.insert(group.clone(), members);
    }
    Ok(groups)
}
