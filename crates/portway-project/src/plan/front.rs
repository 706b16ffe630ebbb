//! What stands behind the names: the main service, and the paths of its origin that others answer.

use indexmap::IndexMap;
use portway_api::PathRoute;

use super::PlannedService;
use crate::kind::Kind;
use crate::manifest::{Manifest, Problem};
use crate::nearest::suggestion;

/// Refuses two main services, and one that no browser can speak with.
pub(super) fn check_main(manifest: &Manifest) -> Result<(), Problem> {
    let mut mains = manifest.services.iter().filter(|(_, one)| one.main);
    let Some((first, _)) = mains.next() else {
        return Ok(());
    };
    match mains.next() {
        None => Ok(()),
        Some((second, service)) => Err(Problem::at(
            service.command.span(),
            format!("`{first}` and `{second}` are both `main`"),
        )
        .help("an instance's name leads to one service")),
    }
}

/// The service that the instance's own name leads to: the one that says so, else the first
/// frontend, else the first that speaks HTTP.
pub(super) fn main(services: &IndexMap<String, PlannedService>) -> Option<String> {
    let http = || {
        let all = services.values();
        all.filter(|one| one.kind.is_http() && !one.ports.is_empty())
    };
    let found = http()
        .find(|one| one.spec.main)
        .or_else(|| http().find(|one| one.kind == Kind::Frontend))
        .or_else(|| http().next());
    found.map(|service| service.name.clone())
}

/// The path routes, checked. Those to services that do not take part are left out.
pub(super) fn routes(
    manifest: &Manifest,
    services: &IndexMap<String, PlannedService>,
) -> Result<Vec<PathRoute>, Problem> {
    let mut routes = Vec::new();
    for (path, route) in &manifest.routes {
        let span = route.service.span();
        let name = route.service.get_ref();
        let plain = path.bytes().all(|byte| byte.is_ascii_graphic());
        let whole = path.starts_with('/') && path.len() > 1 && !path.ends_with('/');
        if !plain || !whole || path.contains(['?', '#', '%']) || path.contains("//") {
            return Err(Problem::at(
                span,
                format!("`{path}` is not a path that can lead to a service"),
            )
            .help("write it as \"/api\": it begins with `/`, does not end with it, and has neither `?`, `#` nor `%`"));
        }
        if !manifest.services.contains_key(name) {
            let known = manifest.services.keys().map(String::as_str);
            return Err(Problem::at(
                span,
                format!("`{path}` leads to `{name}`, which does not exist"),
            )
            .help(suggestion(name, known)));
        }
        let Some(service) = services.get(name) else {
            continue;
        };
        if !service.kind.is_http() || service.ports.is_empty() {
            return Err(Problem::at(
                span,
                format!("`{path}` leads to `{name}`, which does not speak HTTP"),
            )
            .help("name a service that does, or give it `kind = \"http\"` and a port"));
        }
        routes.push(PathRoute {
            path: path.clone(),
            service: name.clone(),
            strip: route.strip,
        });
    }
    Ok(routes)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Manifest, Plan};

    const SERVICES: &str = r#"
        [services.redis]
        command = "redis-server --port {port}"
        [services.backend]
        command = "serve"
        [services.frontend]
        command = "vite"
        [services.admin]
        command = "admin"
        port = 4000
        optional = true
    "#;

    fn plan(text: &str) -> Result<Plan, String> {
        let manifest =
            Manifest::parse(Path::new("/jobi/portway.toml"), text).map_err(|e| e.to_string())?;
        Plan::new(&manifest, &[]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_main_service_is_said_or_the_frontend_or_the_first_that_speaks_http() {
        let main = |text: &str| plan(text).unwrap().main;
        assert_eq!(main(SERVICES).as_deref(), Some("frontend"));
        let said = SERVICES.replace("\"serve\"", "\"serve\"\nmain = true");
        assert_eq!(main(&said).as_deref(), Some("backend"));
        let without = SERVICES.replace("services.frontend", "services.web-worker");
        let without = without.replace("vite", "work");
        assert!(main(&without).is_some());
        let data = "[services.redis]\ncommand = \"redis-server\"";
        assert_eq!(main(data), None);
        let two = said.replace("\"vite\"", "\"vite\"\nmain = true");
        let error = plan(&two).unwrap_err();
        assert!(error.contains("are both `main`"), "{error}");
    }

    #[test]
    fn a_path_leads_to_a_service_that_speaks_http() {
        let with = |routes: &str| plan(&format!("{SERVICES}\n[routes]\n{routes}"));
        let routes = with(
            "\"/api\" = \"backend\"\n\"/v2\" = { service = \"backend\", strip = true }\n\"/admin\" = \"admin\"",
        );
        let routes: Vec<_> = routes
            .unwrap()
            .routes
            .into_iter()
            .map(|r| (r.path, r.service, r.strip))
            .collect();
        let expected = [("/api", "backend", false), ("/v2", "backend", true)];
        let expected: Vec<_> = expected
            .map(|(p, s, strip)| (p.to_owned(), s.to_owned(), strip))
            .into();
        assert_eq!(routes, expected);
        for (routes, words) in [
            ("\"api\" = \"backend\"", "is not a path"),
            ("\"/api/\" = \"backend\"", "is not a path"),
            ("\"/\" = \"backend\"", "is not a path"),
            ("\"/a?b\" = \"backend\"", "is not a path"),
            ("\"/api\" = \"bakend\"", "does not exist"),
            ("\"/api\" = \"redis\"", "does not speak HTTP"),
            ("\"/api\" = { service = \"backend\", trim = true }", "trim"),
            ("\"/api\" = 9000", "a service"),
        ] {
            let error = with(routes).unwrap_err();
            assert!(error.contains(words), "{routes}: {error}");
        }
    }
}
