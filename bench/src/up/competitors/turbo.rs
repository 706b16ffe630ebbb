//! turbo: an npm workspace in which each package has a script `dev`.

use std::path::Path;

use serde_json::json;

use super::{Competitor, HOME, competitor, write};
use crate::Result;
use crate::env::BenchEnv;
use crate::peers;

/// The native binary, without the Node program that usually starts it.
pub(super) fn turbo(dir: &Path) -> Result<Competitor> {
    let packages = dir.join("node_modules/@turbo");
    let program = peers::find_entry(&packages, &["linux"])?.join("bin/turbo");
    let prepare = move |env: &BenchEnv, services: &[String], _: &[u16]| {
        let dir = env.empty_dir("up-turbo")?;
        for (name, text) in workspace(services) {
            let parent = dir.join(&name);
            let parent = parent.parent().unwrap_or(&dir);
            std::fs::create_dir_all(parent)
                .map_err(|error| format!("{}: {error}", parent.display()))?;
            write(&dir, &name, &text)?;
        }
        let mut command = env.child_command(&program, HOME);
        command
            .args(["run", "dev", "--ui=stream", "--concurrency"])
            .arg((services.len() + 1).to_string())
            .env("TURBO_TELEMETRY_DISABLED", "1")
            .env("DO_NOT_TRACK", "1")
            .env("TURBO_NO_UPDATE_NOTIFIER", "1")
            .env("NPM_CONFIG_UPDATE_NOTIFIER", "false")
            .env("NPM_CONFIG_OFFLINE", "true")
            .current_dir(dir);
        Ok(command)
    };
    Ok(competitor("turbo", Box::new(prepare)))
}

/// The files of the workspace: paths and contents.
fn workspace(services: &[String]) -> Vec<(String, String)> {
    let names: Vec<String> = (0..services.len())
        .map(|index| format!("s{index}"))
        .collect();
    let packages: serde_json::Map<_, _> = names
        .iter()
        .flat_map(|name| {
            let link = json!({ "resolved": name, "link": true });
            let package = json!({ "name": name, "version": "0.0.0" });
            [
                (name.clone(), package),
                (format!("node_modules/{name}"), link),
            ]
        })
        .collect();
    let mut files = vec![
        (
            "package.json".to_owned(),
            json!({
                "name": "root", "private": true, "packageManager": "npm@10.0.0",
                "workspaces": names,
            }),
        ),
        (
            "package-lock.json".to_owned(),
            json!({ "name": "root", "lockfileVersion": 3, "packages": packages }),
        ),
        (
            "turbo.json".to_owned(),
            json!({
                "tasks": { "dev": { "cache": false, "persistent": true } },
                // For the variable that keeps npm offline.
                "globalPassThroughEnv": ["NPM_CONFIG_*"],
            }),
        ),
    ];
    files.extend(names.iter().zip(services).map(|(name, line)| {
        let package = json!({
            "name": name, "version": "0.0.0", "scripts": { "dev": format!("exec {line}") },
        });
        (format!("{name}/package.json"), package)
    }));
    files
        .into_iter()
        .map(|(name, json)| (name, json.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declares_a_package_for_each_service() {
        let files = workspace(&["a 1".to_owned(), "b 2".to_owned()]);
        let text = |path: &str| &files.iter().find(|(name, _)| name == path).unwrap().1;
        assert!(text("s1/package.json").contains("exec b 2"));
        assert!(text("package.json").contains(r#"["s0","s1"]"#));
        assert!(text("package-lock.json").contains("node_modules/s1"));
    }
}
