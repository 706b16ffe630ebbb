//! What services of a package get in addition: the step that installs packages, and variables that a framework
//! needs.

use super::{Project, generated, hashes};
use crate::DetectedService;

impl Project<'_, '_> {
    /// Returns whether the configuration of Nitro says which of its versions it is written for.
    fn has_compatibility_date(&self) -> bool {
        let mut files = self.dir.files();
        files.any(|name| {
            let is_config = name.starts_with("nitro.config.") || name == "package.json";
            let text = is_config.then(|| self.dir.read(name)).flatten();
            text.is_some_and(|text| text.contains("compatibilityDate"))
        })
    }

    /// Adds the prepare step and the manager's evidence.
    pub(super) fn finish(&self, mut found: DetectedService) -> DetectedService {
        if found.framework == "create-react-app" {
            found = found.with_env("BROWSER", "none");
        }
        if let Some((bundler, major)) = hashes::old_bundler(&self.package)
            && (self.context.node_major)().is_some_and(|node| node >= hashes::FIRST_NODE)
        {
            found = found
                .with_env("NODE_OPTIONS", hashes::OPTION)
                .with_evidence(format!(
                    "`{bundler}` {major} uses hashes that Node {} and newer need `{}` for",
                    hashes::FIRST_NODE,
                    hashes::OPTION
                ));
        }
        if found.framework == "nitro" && !self.has_compatibility_date() {
            // Otherwise, Nitro asks for it, and waits. This is the date that it uses if the answer is no.
            found = found.with_env("COMPATIBILITY_DATE", "2024-04-03");
        }
        if self.package.needs_packages() {
            let mut prepare = self.managed.install();
            if let Some((command, why)) = generated::command(self.dir, &self.package, &self.managed)
            {
                prepare = format!("{prepare} && {command}");
                found = found.with_evidence(why);
            }
            found.prepare = Some(prepare);
            found.prepare_dir =
                (self.managed.root != self.dir.path()).then(|| self.managed.root.clone());
        }
        found.evidence.extend(self.managed.evidence.iter().cloned());
        found
    }
}
