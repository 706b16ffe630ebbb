//! Which services of a compose file nothing needs by default: those of inactive profiles, and databases that
//! only they use.

use super::{File, Service, images};

impl File<'_> {
    /// Returns whether a service starts without naming it or one of its profiles.
    pub(super) fn is_active(&self, service: &Service) -> bool {
        let is_active = |profile: &String| profile == "*" || self.profiles.contains(profile);
        service.profiles.is_empty()
            || self.profiles.iter().any(|one| one == "*")
            || service.profiles.iter().any(is_active)
    }

    /// Returns why nothing needs a service by default, as a main clause.
    pub(super) fn why_unused(&self, name: &str, service: &Service) -> Option<String> {
        if !self.is_active(service) {
            let profiles = service.profiles.join(", ");
            return Some(format!("it belongs to the profile {profiles}"));
        }
        let services = &self.compose.services;
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
}

impl Service {
    fn is_tool(&self) -> bool {
        self.image.as_deref().is_some_and(images::is_tool)
    }
}

/// Returns whether a value contains a name as a word, such as a host.
fn has_word(value: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    value.split(|c| !is_part(c)).any(|word| word == name)
}
