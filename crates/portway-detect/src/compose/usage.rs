//! Which services of a compose file nothing needs by default: those of inactive profiles, and databases that
//! only they use.

use super::direct::is_test;
use super::examples::beside;
use super::{File, Service, images};
use crate::DetectedService;

impl File<'_> {
    /// Returns whether a service starts without naming it or one of its profiles.
    pub(super) fn is_active(&self, service: &Service) -> bool {
        let is_active = |profile: &String| profile == "*" || self.profiles.contains(profile);
        service.profiles.is_empty()
            || self.profiles.iter().any(|one| one == "*")
            || service.profiles.iter().any(is_active)
    }

    /// Returns why nothing needs a service by default, as a main clause. `directly` are the services that run
    /// outside of containers.
    pub(super) fn why_unused(
        &self,
        name: &str,
        service: &Service,
        directly: &[DetectedService],
    ) -> Option<String> {
        if self.is_needed(name, service, directly) {
            return None;
        }
        if !self.is_active(service) {
            let profiles = service.profiles.join(", ");
            return Some(format!("it belongs to the profile {profiles}"));
        }
        let services = &self.compose.services;
        if self.is_only_for_tests(name, service) {
            return Some("its name says that it is for tests".into());
        }
        let users = services
            .values()
            .filter(|one| one.depends_on.contains_key(name));
        let users: Vec<&Service> = users.collect();
        let mut built = services.values().filter(|one| one.build.is_some());
        // Code that runs directly may use a database that its compose service does not name.
        let describes_code = services
            .values()
            .any(|one| one.build.is_some() && self.is_active(one));
        let is_used = users.is_empty()
            || users.iter().any(|one| self.is_active(one) || one.is_tool())
            || built.any(|one| {
                let mut values = one.environment.values();
                !one.env_files.is_empty() || values.any(|value| has_word(value, name))
            });
        if is_used || !describes_code {
            return None;
        }
        let mut profiles: Vec<&str> = Vec::new();
        for profile in users.iter().flat_map(|one| &one.profiles) {
            if !profiles.contains(&profile.as_str()) {
                profiles.push(profile);
            }
        }
        let profiles = profiles.join(", ");
        Some(format!("only services of the profile {profiles} use it"))
    }
    /// Returns whether a service is a second one beside one with the same image, has a name like `db_test`, and
    /// no service but tests waits for it.
    fn is_only_for_tests(&self, name: &str, service: &Service) -> bool {
        let image = |one: &Service| {
            let image = one.image.as_deref().map(images::last_component);
            image.map(str::to_owned)
        };
        let mut others = self.compose.services.iter().filter(|(one, _)| *one != name);
        let is_second = |(other, one): (&String, &Service)| {
            image(one).is_some() && image(one) == image(service) && !is_test(other, one)
        };
        let is_used = |(other, one): (&String, &Service)| {
            one.depends_on.contains_key(name) && !is_test(other, one)
        };
        is_test(name, service) && others.clone().any(is_second) && !others.any(is_used)
    }

    /// Returns whether code that runs directly needs a service, although its profiles are inactive: its own
    /// compose service waits for it, or a `.env` file or an example names its address.
    fn is_needed(&self, name: &str, service: &Service, directly: &[DetectedService]) -> bool {
        if directly.iter().all(|one| one.optional) || service.is_tool() {
            return false;
        }
        let users = self.compose.services.iter();
        let mut users = users.filter(|(_, one)| one.depends_on.contains_key(name));
        let runs = |user: &String| {
            let key = self.key(user);
            let mut all = directly.iter().filter(|one| !one.optional);
            all.any(|one| one.more.contains(&key))
        };
        users.any(|(user, _)| runs(user)) || self.is_addressed(name, service)
    }

    /// Returns whether a URL of a database in the `.env` file, or in its example, has the address of a service.
    fn is_addressed(&self, name: &str, service: &Service) -> bool {
        let known = service.image.as_deref().and_then(images::known);
        let Some((kind, usual)) =
            known.and_then(|known| Some((known.kind, known.kind.usual_port()?)))
        else {
            return false;
        };
        let port = service.ports.iter().find(|port| port.container == usual);
        let port = port.and_then(|port| port.host).unwrap_or(usual);
        let example = beside(&self.dir, ".env");
        let file = example.as_deref().unwrap_or(".env");
        let variables = self.dir.has(file).then(|| self.dir.dotenv(file)).flatten();
        let places = [
            format!("{name}:"),
            format!("localhost:{port}"),
            format!("127.0.0.1:{port}"),
        ];
        let is_it = |value: &String| {
            let Some((scheme, rest)) = value.split_once("://") else {
                return false;
            };
            let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
            let is_kind = scheme.starts_with(&kind.scheme()[..5.min(kind.scheme().len())]);
            is_kind && places.iter().any(|place| rest.starts_with(place.as_str()))
        };
        variables.is_some_and(|all| all.values().any(is_it))
    }
}

impl Service {
    fn is_tool(&self) -> bool {
        self.image.as_deref().and_then(images::tool).is_some()
    }
}

/// Returns whether a value contains a name as a word, such as a host.
fn has_word(value: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    value.split(|c| !is_part(c)).any(|word| word == name)
}
