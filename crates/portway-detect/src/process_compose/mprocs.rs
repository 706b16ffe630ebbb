//! `mprocs.yaml`: the processes of mprocs, which have the same parts as those of process-compose.

use serde_json::{Map, Value, json};

use super::{Project, Source, service};
use crate::yaml::{scalar, strings};
use crate::{DetectContext, DetectedService, Dir};
use portway_project::shell::quote;

const FILES: [&str; 2] = ["mprocs.yaml", "mprocs.yml"];

/// Stands for the directory of the file.
const CONFIG_DIR: &str = "<CONFIG_DIR>";

/// Detects the services of the file of mprocs in the root.
pub(super) fn read(root: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let Some(file) = root.first_of(&FILES) else {
        return Vec::new();
    };
    if root.has("Procfile.dev") {
        root.pass_over(
            file,
            "describes processes, as `Procfile.dev` does, which is used",
        );
        return Vec::new();
    }
    let Some(value) = root.yaml(file) else {
        return Vec::new();
    };
    let Some(processes) = value.get("procs").and_then(Value::as_object) else {
        root.skip(file, "has no usable processes: `procs` is not a mapping");
        return Vec::new();
    };
    let processes: Map<String, Value> = processes
        .iter()
        .map(|(name, process)| (name.clone(), converted(process)))
        .collect();
    let source = Source {
        file,
        framework: "mprocs",
    };
    // It expands no variables itself.
    match Project::new(json!({ "processes": processes, "disable_env_expansion": true })) {
        Ok(project) => service::services(root, &source, &project, context),
        Err(error) => {
            root.skip(file, format!("has no usable processes: {error}"));
            Vec::new()
        }
    }
}

/// Returns a process in the form of process-compose.
fn converted(process: &Value) -> Value {
    let command = match process {
        Value::String(command) => Some(command.clone()),
        Value::Array(_) => Some(words(process)),
        process => process
            .get("shell")
            .and_then(scalar)
            .or_else(|| process.get("cmd").map(words)),
    };
    let mut converted = json!({ "command": command.unwrap_or_default() });
    let cwd = process.get("cwd").and_then(scalar);
    if let Some(cwd) = cwd {
        let cwd = cwd.strip_prefix(CONFIG_DIR).unwrap_or(&cwd);
        converted["working_dir"] = json!(cwd.trim_start_matches('/'));
    }
    if let Some(variables) = process.get("env").and_then(Value::as_object) {
        let set = variables.iter().filter(|(_, value)| !value.is_null());
        let set: Map<String, Value> = set
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        converted["environment"] = Value::Object(set);
    }
    if process.get("autostart") == Some(&Value::Bool(false)) {
        converted["disabled"] = json!(true);
    }
    if process.get("autorestart") == Some(&Value::Bool(true)) {
        converted["availability"] = json!({ "restart": "always" });
    }
    converted
}

fn words(value: &Value) -> String {
    let words = strings(value);
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::checkout;

    #[test]
    fn reads_the_processes_of_mprocs() {
        let text = "procs:\n  web:\n    shell: python3 -m http.server 8100\n    cwd: <CONFIG_DIR>/site\n  \
                    jobs:\n    cmd: [node, 'my jobs.js']\n    env: {A: '1', B: null}\n  api: node api.js\n  \
                    docs:\n    shell: x --port $PORT\n    autostart: false\n";
        let files = [
            ("mprocs.yaml", text),
            ("site/index.html", ""),
            ("api.js", "app.listen(process.env.API_PORT || 4100)"),
        ];
        let detection = checkout(&files, &["node"]);
        let found: Vec<_> = detection
            .services
            .iter()
            .map(|one| {
                (
                    one.command.as_str(),
                    one.dir.as_str(),
                    one.port.is_some(),
                    one.optional,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("python3 -m http.server {port}", "site", true, false),
                ("node 'my jobs.js'", "", false, false),
                ("node api.js", "", true, false),
                ("x --port $PORT", "", true, true),
            ]
        );
        assert_eq!(
            detection.services[0].port,
            Some(DetectedPort::Preferred(8100))
        );
        assert_eq!(detection.services[1].env.len(), 1);
        assert_eq!(detection.services[2].env["API_PORT"], "{port}");
        let files = [("mprocs.yaml", text), ("Procfile.dev", "web: x $PORT\n")];
        let detection = checkout(&files, &[]);
        assert_eq!(detection.services.len(), 1);
        assert_eq!(detection.passed_over[0].file, "mprocs.yaml");
        let broken = checkout(&[("mprocs.yaml", "procs: 1")], &[]);
        assert!(broken.skipped[0].why.contains("`procs` is not a mapping"));
    }
}
