//! Usual ports: the port numbers under which the project's own files know its services.
//!
//! Source files, `.env` files and configuration name ports literally, such as
//! `http://localhost:8000`. This module says which service such a number means, whatever port the
//! service has in an instance.

use indexmap::IndexMap;
use portway_ports::Protocol;

use super::{Plan, PlannedPort, PlannedService};

/// One port of a service of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServicePort<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The index into [`PlannedService::ports`].
    pub index: usize,
}

/// How certainly a number means a port. A stronger claim takes precedence over a weaker one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// The program listens on it unless told otherwise, or the user prefers it to the port in the
    /// project's files.
    Default,
    /// The manifest or the project's files name it.
    Written,
}

/// Words of commands that identify a program, and the port on which it listens by default. The
/// first program whose words all occur applies.
const PROGRAMS: [(&[&str], u16); 34] = [
    (&["vite", "preview"], 4173),
    (&["vite"], 5173),
    (&["next"], 3000),
    (&["nuxt"], 3000),
    (&["nuxi"], 3000),
    (&["astro"], 4321),
    (&["ng", "serve"], 4200),
    (&["vue-cli-service", "serve"], 8080),
    (&["react-scripts", "start"], 3000),
    (&["webpack", "serve"], 8080),
    (&["webpack-dev-server"], 8080),
    (&["parcel"], 1234),
    (&["gatsby", "develop"], 8000),
    (&["docusaurus", "start"], 3000),
    (&["storybook", "dev"], 6006),
    (&["wrangler", "dev"], 8787),
    (&["ember", "serve"], 4200),
    (&["nest", "start"], 3000),
    (&["manage.py", "runserver"], 8000),
    (&["uvicorn"], 8000),
    (&["hypercorn"], 8000),
    (&["gunicorn"], 8000),
    (&["granian"], 8000),
    (&["daphne"], 8000),
    (&["fastapi", "dev"], 8000),
    (&["fastapi", "run"], 8000),
    (&["flask", "run"], 5000),
    (&["streamlit", "run"], 8501),
    (&["http.server"], 8000),
    (&["rails", "server"], 3000),
    (&["rails", "s"], 3000),
    (&["artisan", "serve"], 8000),
    (&["phx.server"], 4000),
    (&["hugo", "server"], 1313),
];

/// Returns the port on which the program of a command listens by default.
fn default_port(command: &str) -> Option<u16> {
    let words: Vec<&str> = command
        .split_whitespace()
        .map(|word| word.rsplit('/').next().unwrap_or(word))
        .collect();
    let runs = |(names, _): &&(&[&str], u16)| names.iter().all(|name| words.contains(name));
    PROGRAMS.iter().find(runs).map(|(_, port)| *port)
}

impl PlannedPort {
    /// The numbers that the project's own files may use for this port, the likeliest first.
    /// `service` is the service that has it, with this port at `index`.
    fn claims(&self, service: &PlannedService, index: usize) -> Vec<(u16, Claim)> {
        let prefer = self.spec.prefer;
        let mut claims = match self.spec.usual {
            Some(usual) => vec![(usual, Claim::Written), (prefer, Claim::Default)],
            None => vec![(prefer, Claim::Written)],
        };
        if index == 0 {
            let default = default_port(&service.command).or(service.kind.usual_port());
            claims.extend(default.map(|port| (port, Claim::Default)));
        }
        claims
    }
}

impl Plan {
    /// The usual ports of the enabled services: which port of which service a number in the
    /// project's own files means. A number that could mean two of them is left out. UDP ports are
    /// left out too.
    ///
    /// A number can be the usual port of one service and, in an instance, the actual port of
    /// another. In the project's files it means the first.
    pub fn usual_ports(&self) -> IndexMap<u16, ServicePort<'_>> {
        let certain = self
            .usual_candidates()
            .into_iter()
            .filter_map(|(number, candidates)| match candidates[..] {
                [only] => Some((number, only)),
                _ => None,
            });
        certain.collect()
    }

    /// All ports that a number in the project's own files can mean: several if nothing says which of them
    /// it means.
    pub(crate) fn usual_candidates(&self) -> IndexMap<u16, Vec<ServicePort<'_>>> {
        let mut claims: IndexMap<u16, Vec<(Claim, ServicePort<'_>)>> = IndexMap::new();
        for (name, service) in &self.services {
            for (index, port) in service.ports.iter().enumerate() {
                if port.protocol != Protocol::Tcp {
                    continue;
                }
                let own = ServicePort {
                    service: name,
                    index,
                };
                for (number, claim) in port.claims(service, index) {
                    claims.entry(number).or_default().push((claim, own));
                }
            }
        }
        let resolved = claims.into_iter().map(|(number, claims)| {
            let strongest = claims.iter().map(|(claim, _)| *claim).max();
            let mut ports: Vec<ServicePort<'_>> = Vec::new();
            for (claim, port) in claims {
                if Some(claim) == strongest && !ports.contains(&port) {
                    ports.push(port);
                }
            }
            (number, ports)
        });
        resolved.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Manifest, Plan};

    fn usual(text: &str) -> Vec<(u16, String, usize)> {
        let manifest = Manifest::parse(Path::new("/shop/portway.toml"), text).unwrap();
        let plan = Plan::new(&manifest, &[]).unwrap();
        let mut all: Vec<_> = plan
            .usual_ports()
            .into_iter()
            .map(|(number, port)| (number, port.service.to_owned(), port.index))
            .collect();
        all.sort_unstable();
        all
    }

    #[track_caller]
    fn assert_usual(text: &str, expected: &[(u16, &str, usize)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(number, service, index)| (*number, (*service).to_owned(), *index))
            .collect();
        assert_eq!(usual(text), expected, "{text}");
    }

    #[test]
    fn are_the_preferred_port_and_the_default_of_the_program() {
        assert_usual(
            "[services.api]\nport = 8000\ncommand = 'serve'",
            &[(8000, "api", 0)],
        );
        assert_usual(
            "[services.api]\nport = '9000-9099'\ncommand = 'python manage.py runserver {port}'",
            &[(8000, "api", 0), (9000, "api", 0)],
        );
        assert_usual(
            "[services.db]\nport = 15432\nkind = 'postgres'\ncommand = 'postgres -p {port}'",
            &[(5432, "db", 0), (15432, "db", 0)],
        );
        assert_usual("[services.worker]\ncommand = 'uvicorn app:app'", &[]);
    }

    #[test]
    fn can_be_declared_for_each_port() {
        assert_usual(
            "[services.api]\nport = { range = '9000-9099', usual = 8080 }\ncommand = 'serve'",
            &[(8080, "api", 0), (9000, "api", 0)],
        );
        assert_usual(
            "[services.api]\ncommand = 'serve'\n[services.api.ports]\nhttp = 8000\n\
             admin = { prefer = 9100, usual = 8001 }\ndns = { prefer = 53, protocol = 'udp' }",
            &[(8000, "api", 0), (8001, "api", 1), (9100, "api", 1)],
        );
    }

    #[test]
    fn never_mean_two_services() {
        assert_usual(
            "[services.one]\nport = 8000\ncommand = 'one'\n\
             [services.two]\nport = { prefer = 8100, usual = 8000 }\ncommand = 'two'",
            &[(8100, "two", 0)],
        );
        // What a manifest says is more certain than the default of a program.
        assert_usual(
            "[services.shop]\nport = 3000\ncommand = 'next dev -p {port}'\n\
             [services.admin]\nport = 3001\ncommand = 'next dev -p {port}'",
            &[(3000, "shop", 0), (3001, "admin", 0)],
        );
        assert_usual(
            "[services.shop]\nport = 3100\ncommand = 'next dev -p {port}'\n\
             [services.admin]\nport = 3001\ncommand = 'next dev -p {port}'",
            &[(3001, "admin", 0), (3100, "shop", 0)],
        );
    }
}
