//! The step that creates the databases of a worktree: a service that ends before those that use them start.

use indexmap::IndexMap;

use crate::kind::Kind;
use crate::manifest::{Ready, Stop};
use crate::plan::{Plan, PlannedService, Readiness};
use crate::policy::{
    LanAccess, ListenerOwner, RestartPolicy, SocketMode, StartCondition, StopPolicy,
};

/// Names of the step; the first one that no service has.
const NAMES: [&str; 3] = ["database", "create-database", "portway-database"];

/// Adds the step that runs `command` to a plan. It starts after the services in `servers` and after those
/// that all `users` wait for anyway, and the users wait until it has completed. Returns its name, or `None`
/// if there is no user or every name is taken.
pub fn add_step(
    plan: &mut Plan,
    command: String,
    users: &[String],
    servers: &[String],
) -> Option<String> {
    let is_free = |name: &&str| {
        !plan.services.contains_key(*name)
            && !plan.groups.contains_key(*name)
            && !plan.disabled.iter().any(|disabled| disabled == name)
    };
    let name = NAMES.into_iter().find(is_free)?.to_owned();
    if users.is_empty() {
        return None;
    }
    let mut after: IndexMap<String, StartCondition> = IndexMap::new();
    let of_users = users.iter().filter_map(|user| plan.services.get(user));
    let waits = of_users.flat_map(|user| user.after.clone());
    let waits = waits.filter(|(_, condition)| *condition != StartCondition::Completed);
    let servers = servers
        .iter()
        .map(|name| (name.clone(), StartCondition::Ready));
    for (other, condition) in servers.chain(waits) {
        let closure = plan
            .closure(std::slice::from_ref(&other))
            .unwrap_or_default();
        if !closure.is_empty() && !closure.iter().any(|one| users.contains(one)) {
            after.entry(other).or_insert(condition);
        }
    }
    for user in users {
        if let Some(service) = plan.services.get_mut(user) {
            service
                .after
                .push((name.clone(), StartCondition::Completed));
        }
    }
    let step = service(name.clone(), command, after.into_iter().collect());
    plan.services.insert(name.clone(), step);
    plan.database_step = Some(name.clone());
    Some(name)
}

fn service(name: String, command: String, after: Vec<(String, StartCondition)>) -> PlannedService {
    let stop = Stop::default();
    PlannedService {
        name,
        kind: Kind::Tcp,
        command,
        dir: None,
        prepare: None,
        ports: Vec::new(),
        after,
        readiness: Readiness {
            probe: None,
            timeout: Ready::default_timeout().0,
        },
        liveness: None,
        health_path: None,
        restart: RestartPolicy::Never,
        stop: StopPolicy {
            signal: stop.signal,
            grace: stop.grace.0,
        },
        env: IndexMap::new(),
        env_files: Vec::new(),
        optional_env_files: Vec::new(),
        compose: None,
        database: None,
        only_if_empty: None,
        on_host: false,
        map_env: false,
        optional: false,
        main: false,
        lan: LanAccess::Unspecified,
        max_body: None,
        rewriting: portway_api::UrlRewriting::None,
        fallback: false,
        owner: ListenerOwner::Tree,
        socket: SocketMode::Bind,
        tty: false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Manifest;

    fn plan(text: &str) -> Plan {
        let manifest = Manifest::parse(Path::new("portway.toml"), text).unwrap();
        Plan::new(&manifest, &[]).unwrap()
    }

    fn after(plan: &Plan, name: &str) -> Vec<String> {
        let after = plan.services[name].after.iter();
        after
            .map(|(name, condition)| format!("{name} {condition:?}"))
            .collect()
    }

    #[test]
    fn databases_are_created_between_the_server_and_their_users() {
        let mut plan = plan(
            "[services.db]\ncommand='d'\nkind='postgres'\n\
             [services.cache]\ncommand='c'\n\
             [services.migrate]\ncommand='m'\nafter=['db']\n\
             [services.api]\ncommand='a'\nafter={cache='ready',migrate='completed'}\n\
             [services.worker]\ncommand='w'\nafter=['api']\n\
             [services.web]\ncommand='w'\nafter=['api']\n",
        );
        let users = ["migrate", "api", "worker"].map(str::to_owned);
        let name = add_step(&mut plan, "create".into(), &users, &[]).unwrap();
        assert_eq!(name, "database");
        // Not after `api`, which uses the database itself.
        assert_eq!(after(&plan, "database"), ["db Ready", "cache Ready"]);
        assert_eq!(after(&plan, "migrate"), ["db Ready", "database Completed"]);
        assert_eq!(after(&plan, "web"), ["api Ready"]);
        let order = plan.closure(&["web".to_owned()]).unwrap();
        assert_eq!(order, ["cache", "db", "database", "migrate", "api", "web"]);
    }

    #[test]
    fn the_step_does_not_replace_a_service() {
        let mut plan = plan("[services.database]\ncommand='d'\n[services.api]\ncommand='a'\n");
        let users = ["api".to_owned()];
        let servers = ["database".to_owned()];
        let name = add_step(&mut plan, "create".into(), &users, &servers).unwrap();
        assert_eq!(name, "create-database");
        assert_eq!(after(&plan, &name), ["database Ready"]);
        assert_eq!(add_step(&mut plan, "create".into(), &[], &[]), None);
    }
}
