//! Why a package has no service.

use super::package::Package;
use crate::Dir;

/// Returns why the package in `dir` has no service; `None` if it is no package.
pub(crate) fn reason(dir: &Dir<'_>) -> Option<String> {
    let package = Package::read(dir)?;
    if !package.workspaces.is_empty() || dir.has("pnpm-workspace.yaml") {
        return None;
    }
    let dev = ["dev", "start", "serve", "develop"];
    let script = dev
        .iter()
        .find_map(|name| package.scripts.get_key_value(*name));
    Some(match script {
        Some((name, text)) => {
            let text: String = text.chars().take(MAX_SHOWN).collect();
            format!("has the script `{name}` (`{text}`), which starts no server that Portway knows")
        }
        // Its `project.json` has targets instead.
        None if package.scripts.is_empty() && dir.has("project.json") => return None,
        None if package.scripts.is_empty() => "has no scripts".to_owned(),
        None => "has no script that starts a server".to_owned(),
    })
}

/// Maximum number of characters of a script that are shown.
const MAX_SHOWN: usize = 80;
