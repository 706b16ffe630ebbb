//! With which ports the services of a compose file call each other.

use super::environment::variables;
use super::{File, Service};

/// Lowest port of a host without a scheme that counts. Lower numbers are versions, as in `postgres:16`.
const MIN_BARE_PORT: u16 = 80;

/// Ends of names of variables with a host, whose port is in a variable of its own.
const HOSTS: [&str; 5] = ["HOST", "HOSTNAME", "SERVER", "ADDR", "ADDRESS"];

impl File<'_> {
    /// Returns the ports with which the variables of other services call the service `name`, in the order
    /// of the file: 3000 for `ws://chrome:3000`, 1025 for `SMTP_HOST: mail` and `SMTP_PORT: 1025`.
    ///
    /// `counts` decides whose variables are read.
    pub(super) fn called_ports(&self, name: &str, counts: impl Fn(&Service) -> bool) -> Vec<u16> {
        let mut ports = Vec::new();
        let others = self.compose.services.iter();
        let others = others.filter(|(other, service)| *other != name && counts(service));
        for (_, service) in others {
            let all = variables(self, service);
            let is_host = |prefix: &str| {
                let mut names = HOSTS.iter().map(|last| format!("{prefix}{last}"));
                names.any(|host| all.iter().any(|one| one.name == host && one.value == name))
            };
            for one in &all {
                ports.extend(in_addresses(&one.value, name));
                let prefix = one
                    .name
                    .strip_suffix("PORT")
                    .filter(|prefix| is_host(prefix));
                ports.extend(prefix.and_then(|_| one.value.trim().parse::<u16>().ok()));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        ports.retain(|port| *port > 0 && seen.insert(*port));
        ports
    }
}

/// Returns the ports of the addresses in a value whose host is `name`.
fn in_addresses(value: &str, name: &str) -> Vec<u16> {
    let host = format!("{name}:");
    let found = value.match_indices(&host).filter_map(|(at, host)| {
        let before = &value[..at];
        let rest = &value[at + host.len()..];
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let port: u16 = rest[..end].parse().ok()?;
        let is_bare = before.is_empty() || before.ends_with([',', ' ']);
        let is_host = is_bare || before.ends_with(['/', '@']);
        // `http://name:1234@host` names a user.
        let is_whole =
            !rest[end..].starts_with(|c: char| c.is_alphanumeric() || "@_.-".contains(c));
        (is_host && is_whole && (!is_bare || port >= MIN_BARE_PORT)).then_some(port)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    use super::*;

    #[test]
    fn addresses_name_ports() {
        for (value, ports) in [
            ("http://mail:1080/x", &[1080][..]),
            ("smtp://u:p@mail:25", &[25]),
            ("mail:1025", &[1025]),
            ("other:1,mail:1025,mail:1026", &[1025, 1026]),
            ("mail:16", &[]),
            ("mail:16-alpine", &[]),
            ("http://mail:1025@host", &[]),
            ("http://email:1025", &[]),
            ("http://mail:1025x", &[]),
            ("http://mail", &[]),
        ] {
            assert_eq!(in_addresses(value, "mail"), ports, "{value}");
        }
    }

    /// Returns the command of the service `one`, which has this definition, beside code that has these
    /// variables.
    fn command(one: &str, environment: &str, env_file: &str) -> Option<String> {
        let compose = format!(
            "services:\n  app: {{build: ., env_file: app.env, environment: {{{environment}}}}}\n  one: {{{one}}}\n"
        );
        let detection = checkout(
            &[
                ("compose.yml", &compose),
                ("app.env", env_file),
                ("Dockerfile", "FROM node\nCOPY . .\n"),
                (
                    "package.json",
                    "{\"scripts\": {\"dev\": \"node server.js\"}, \"dependencies\": {\"koa\": \"2\"}}",
                ),
                ("server.js", "app.listen(process.env.PORT || 4000)"),
            ],
            &["npm", "docker"],
        );
        let found = detection.services.into_iter().find(|one| one.name == "one");
        found.map(|one| format!("{} {}", one.command, one.more.join(" ")))
    }

    #[test]
    fn ports_that_code_calls_are_published_beside_the_others() {
        let mail = "image: maildev/maildev, ports: ['1080:1080']";
        for (one, environment, env_file, parts) in [
            (
                mail,
                "SMTP_HOST: one, SMTP_PORT: 1025",
                "",
                &[
                    "{ports.main}:1080",
                    "{ports.smtp}:1025",
                    "main = 1080, smtp = 1025",
                ][..],
            ),
            (
                "image: jaegertracing/all-in-one, ports: ['16687:16686']",
                "OTEL: 'http://one:4318'",
                "",
                &[
                    "{ports.main}:16686",
                    "{ports.p4318}:4318",
                    "main = 16687, p4318 = 4318",
                ],
            ),
            (
                mail,
                "A: b",
                "SMTP_URL=smtp://one:1025\n",
                &["{ports.smtp}:1025"],
            ),
            // Without ports, the first one that is called is the main port.
            ("image: x/temporal", "T: 'one:7233'", "", &["{port}:7233"]),
            (
                "image: x/mail",
                "M_HOST: one, M_PORT: 2525",
                "",
                &["{port}:2525"],
            ),
            (
                "image: maildev/maildev",
                "S: 'smtp://one:1025'",
                "",
                &["{ports.main}:1080", "{ports.smtp}:1025"],
            ),
            // The port of the host, and a broker that says itself where clients connect.
            (mail, "WEB: 'http://one:1080'", "", &["{port}:1080"]),
            (
                "image: x/y, ports: ['8180:8080']",
                "K: 'http://one:8180'",
                "",
                &["{port}:8080"],
            ),
            (
                "image: x/kafka, ports: ['9092:9092']",
                "K: 'one:29092'",
                "",
                &["{port}:9092"],
            ),
        ] {
            let command = command(one, environment, env_file).unwrap();
            for part in parts {
                assert!(command.contains(part), "no {part} in {command}");
            }
        }
    }
}
