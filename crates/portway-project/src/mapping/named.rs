//! Which service the name of a variable means although the number in its value is no usual port.
//!
//! Such a number may belong to a program that Portway does not know. So the whole name must stand for the
//! service, the service must be another one than the owner of the variable, and the number must not be that
//! of a well-known program.

use super::Endpoint;
use super::hint::{self, Role};
use crate::kind::Kind;

/// Ports of programs that developers run beside a project. None of them is the default of a framework
/// for web applications.
const OTHER_PROGRAMS: [u16; 41] = [
    25, 465, 587, // mail
    1025, 1080, 8025, // mail catchers
    1234, 11434, 12434, // language models
    2375, 2376, // Docker
    2379, 8200, 8500, // etcd, Vault, Consul
    3306, 5432, 6379, 11211, 27017, // databases
    4222, 5672, 8222, 9092, 15672, // brokers
    4317, 4318, 9411, 14268, 16686, // traces
    4444, 9222, 9229, // browsers and debuggers
    4566, // AWS
    5601, 6333, 7700, 8108, 9200, // search
    8983, 54321, 54322, // search, Supabase
];

/// Ends of names of variables that contain the URL of the application itself.
const APPLICATION: [&str; 5] = [
    "APP_URL",
    "APPLICATION_URL",
    "BASE_URL",
    "ROOT_URL",
    "SITE_URL",
];

/// Returns the port of the application whose URL the variable `name` of the service `owner` contains, and why. The
/// URL has no port, as behind a web server that no service of the plan is.
pub(super) fn application<'a>(
    name: &str,
    owner: &str,
    endpoints: &'a [Endpoint],
) -> Option<(&'a Endpoint, String)> {
    let is_it = |end: &str| {
        let prefix = name.strip_suffix(end);
        prefix.is_some_and(|prefix| ["", "VITE_", "NEXT_PUBLIC_", "PUBLIC_"].contains(&prefix))
    };
    if !APPLICATION.iter().any(|end| is_it(end)) {
        return None;
    }
    let is_main = |one: &&Endpoint| one.name.is_none() && one.container.is_none();
    let of_kind = |kind: Kind| {
        endpoints
            .iter()
            .filter(is_main)
            .filter(move |one| one.kind == kind)
    };
    let own = || of_kind(Kind::Http).find(|one| one.service == owner);
    let only = |kind| {
        let mut all = of_kind(kind);
        all.next().filter(|_| all.next().is_none())
    };
    let has_backend = of_kind(Kind::Http).next().is_some();
    let found = match has_backend {
        true => own().or_else(|| only(Kind::Http)),
        false => only(Kind::Frontend),
    }?;
    Some((
        found,
        format!("named after the application, which is {}", found.label()),
    ))
}

/// Returns the only port that the name of the variable `name` of the service `owner` means, and why. `fits` is
/// whether the value can be an address of a port.
pub(super) fn endpoint<'a>(
    name: &str,
    port: u16,
    owner: &str,
    endpoints: &'a [Endpoint],
    fits: impl Fn(&Endpoint) -> bool,
) -> Option<(&'a Endpoint, String)> {
    let (role, named) = hint::meant(name, endpoints)?;
    let is_other_program =
        |one: &Endpoint| OTHER_PROGRAMS.contains(&port) && one.kind.usual_port() != Some(port);
    let mut others = named
        .into_iter()
        .filter(|one| one.service != owner && fits(one) && !is_other_program(one));
    let only = others.next()?;
    if others.next().is_some() {
        return None;
    }
    let service = only.label();
    let meaning = match role {
        Role::Service => format!("named after {service}"),
        Role::Kind(what) => format!("named as {what}, and {service} is the only one"),
    };
    Some((only, meaning))
}

#[cfg(test)]
mod tests {
    use super::super::tests::endpoint as service;
    use super::*;

    fn meant(name: &str, port: u16, owner: &str, services: &[Endpoint]) -> Option<String> {
        endpoint(name, port, owner, services, |_| true)
            .map(|(one, meaning)| format!("{}: {meaning}", one.service))
    }

    #[test]
    fn a_name_means_the_only_other_service_of_its_role() {
        let services = [
            service("server", Kind::Http, &[4100]),
            service("web", Kind::Frontend, &[5173]),
            service("store", Kind::Postgres, &[5432]),
        ];
        for (name, expected) in [
            (
                "API_URL",
                "server: named as an API, and `server` is the only one",
            ),
            (
                "VITE_API_URL",
                "server: named as an API, and `server` is the only one",
            ),
            (
                "NEXT_PUBLIC_API",
                "server: named as an API, and `server` is the only one",
            ),
            ("SERVER_URL", "server: named after `server`"),
            (
                "DATABASE_URL",
                "store: named as a database, and `store` is the only one",
            ),
            (
                "PG_URL",
                "store: named as PostgreSQL, and `store` is the only one",
            ),
        ] {
            let found = meant(name, 7000, "web", &services);
            assert_eq!(found.as_deref(), Some(expected), "{name}");
        }
        assert_eq!(
            meant("FRONTEND_URL", 7000, "server", &services).as_deref(),
            Some("web: named as a page, and `web` is the only one")
        );
    }

    #[test]
    fn a_url_of_the_application_without_a_port_is_that_of_its_server() {
        let server = service("server", Kind::Http, &[8000]);
        let page = service("assets", Kind::Frontend, &[5173]);
        let other = service("other", Kind::Http, &[9000]);
        let found = |name: &str, owner: &str, services: &[&Endpoint]| {
            let all: Vec<Endpoint> = services.iter().map(|one| (*one).clone()).collect();
            application(name, owner, &all).map(|(one, _)| one.service.clone())
        };
        let expected = Some("server".to_owned());
        assert_eq!(found("APP_URL", "assets", &[&page, &server]), expected);
        assert_eq!(found("VITE_APP_URL", "queue", &[&page, &server]), expected);
        assert_eq!(found("SITE_URL", "server", &[&other, &server]), expected);
        assert_eq!(found("SITE_URL", "assets", &[&other, &server]), None);
        assert_eq!(found("MAIL_APP_URL", "server", &[&server]), None);
        assert_eq!(found("API_HOST", "server", &[&server]), None);
        let page_only = found("BASE_URL", "x", &[&page]);
        assert_eq!(page_only.as_deref(), Some("assets"));
    }

    #[test]
    fn a_name_that_may_mean_another_program_means_no_service() {
        let services = [
            service("api", Kind::Http, &[4100]),
            service("next", Kind::Frontend, &[3000]),
            service("db", Kind::Postgres, &[5432]),
        ];
        for (name, port, owner) in [
            // The owner does not call itself.
            ("API_URL", 7000, "api"),
            ("BACKEND_URL", 7000, "api"),
            // More than a role.
            ("AUTH_API_URL", 7000, "next"),
            ("PDF_API_URL", 7000, "next"),
            ("OLLAMA_SERVER_URL", 7000, "next"),
            // Prefixes of frameworks say nothing.
            ("NEXT_PUBLIC_X", 7000, "api"),
            ("NEXT_TELEMETRY", 7000, "api"),
            ("PUBLIC_SENTRY", 7000, "next"),
            // Numbers of well-known programs.
            ("API_URL", 11434, "next"),
            ("DATABASE_URL", 6379, "next"),
        ] {
            assert_eq!(meant(name, port, owner, &services), None, "{name}={port}");
        }
        let several = [
            service("users", Kind::Http, &[4100]),
            service("orders", Kind::Http, &[4200]),
            service("web", Kind::Frontend, &[3000]),
        ];
        assert_eq!(meant("API_URL", 7000, "web", &several), None);
        assert!(meant("API_URL", 7000, "users", &several).is_some());
        assert!(meant("USERS_SERVICE_URL", 7000, "web", &several).is_some());
    }
}
