//! Which service the name of a variable means although the number in its value is no usual port.
//!
//! Such a number may belong to a program that Portway does not know. So the whole name must stand for the
//! service, the service must be another one than the owner of the variable, and the number must not be that
//! of a well-known program.

use super::Endpoint;
use super::hint::{self, Role};

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
    use crate::kind::Kind;

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
