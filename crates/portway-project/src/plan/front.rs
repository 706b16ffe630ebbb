//! Routing by host name and path: the main service, and the paths that route to other services.

use indexmap::IndexMap;
use portway_api::PathRoute;

use super::PlannedService;
use crate::diagnostic::Problem;
use crate::kind::Kind;
use crate::manifest::Manifest;
use crate::suggest::suggestion;

/// Rejects two main services.
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
        .help("remove `main` from all services but one")),
    }
}

/// The service to which the instance's own host name routes: the declared main service, otherwise
/// the first frontend, otherwise the first HTTP service.
pub(super) fn main(services: &IndexMap<String, PlannedService>) -> Option<String> {
    let http = || {
        let all = services.values();
        all.filter(|one| one.kind.is_http() && !one.ports.is_empty())
    };
    let found = http()
        .find(|one| one.main)
        .or_else(|| http().find(|one| one.kind == Kind::Frontend))
        .or_else(|| http().next());
    found.map(|service| service.name.clone())
}

/// Checks the path routes. Routes to services that are not enabled are omitted.
pub(super) fn routes(
    manifest: &Manifest,
    services: &IndexMap<String, PlannedService>,
) -> Result<Vec<PathRoute>, Problem> {
    let mut routes = Vec::new();
    for (path, route) in &manifest.routes {
        let span = route.service.span();
        let name = route.service.get_ref();
        let is_graphic = path.bytes().all(|byte| byte.is_ascii_graphic());
        let has_slashes = path.starts_with('/') && path.len() > 1 && !path.ends_with('/');
        let has_reserved = path.contains(['?', '#', '%']) || path.contains("//");
        if !is_graphic || !has_slashes || has_reserved {
            return Err(
                Problem::at(span, format!("`{path}` is not a valid path for a route")).help(
                    "write it as \"/api\": it starts with `/`, does not end with `/`, \
                     and contains no `?`, `#`, `%` or `//`",
                ),
            );
        }
        if !manifest.services.contains_key(name) {
            let known = manifest.services.keys().map(String::as_str);
            let message = format!("`{path}` routes to `{name}`, which does not exist");
            return Err(Problem::at(span, message).help(suggestion(name, known)));
        }
        let Some(service) = services.get(name) else {
            continue;
        };
        if !service.kind.is_http() || service.ports.is_empty() {
            let message = format!("`{path}` routes to `{name}`, which is not an HTTP service");
            return Err(Problem::at(span, message)
                .help("choose an HTTP service, or give it `kind = \"http\"` and a port"));
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
    fn the_main_service_defaults_to_the_first_frontend_then_the_first_http_service() {
        let main = |text: &str| plan(text).unwrap().main;
        assert_eq!(main(SERVICES).as_deref(), Some("frontend"));
        let declared = SERVICES.replace("\"serve\"", "\"serve\"\nmain = true");
        assert_eq!(main(&declared).as_deref(), Some("backend"));
        let without = SERVICES.replace("services.frontend", "services.web-worker");
        let without = without.replace("vite", "work");
        assert!(main(&without).is_some());
        let only_redis = "[services.redis]\ncommand = \"redis-server\"";
        assert_eq!(main(only_redis), None);
        let two = declared.replace("\"vite\"", "\"vite\"\nmain = true");
        let error = plan(&two).unwrap_err();
        assert!(error.contains("are both `main`"), "{error}");
    }

    #[test]
    fn a_route_needs_a_valid_path_and_an_http_service() {
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
        for (routes, expected) in [
            ("\"api\" = \"backend\"", "is not a valid path"),
            ("\"/api/\" = \"backend\"", "is not a valid path"),
            ("\"/\" = \"backend\"", "is not a valid path"),
            ("\"/a?b\" = \"backend\"", "is not a valid path"),
            ("\"/api\" = \"bakend\"", "does not exist"),
            ("\"/api\" = \"redis\"", "not an HTTP service"),
            ("\"/api\" = { service = \"backend\", trim = true }", "trim"),
            ("\"/api\" = 9000", "a service"),
        ] {
            let error = with(routes).unwrap_err();
            assert!(error.contains(expected), "{routes}: {error}");
        }
    }
}
