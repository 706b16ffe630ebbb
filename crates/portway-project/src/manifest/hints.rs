//! Hints for keys of other tools in `portway.toml`: docker compose, foreman, pm2, process-compose,
//! mprocs and tilt. They change only the help of the error for an unknown key.

/// Keys of other tools, the table of Portway's key, and a line with it. A line that is empty means the
/// table itself. A key of Portway is its own hint where it is in the wrong table.
const KEYS: &[(&[&str], &str, &str)] = &[
    (
        &["processes", "process", "procs", "apps", "tasks", "programs"],
        SERVICE,
        "",
    ),
    (
        &[
            "after",
            "depends_on",
            "needs",
            "requires",
            "deps",
            "resource_deps",
            "wait_for",
        ],
        SERVICE,
        r#"after = ["db"]"#,
    ),
    (
        &[
            "dir",
            "cwd",
            "working_dir",
            "working_directory",
            "workdir",
            "directory",
            "chdir",
        ],
        SERVICE,
        r#"dir = "backend""#,
    ),
    (
        &[
            "command",
            "cmd",
            "script",
            "run",
            "shell",
            "entrypoint",
            "serve_cmd",
        ],
        SERVICE,
        r#"command = "npm run dev""#,
    ),
    (
        &["env", "environment", "env_vars", "variables"],
        SERVICE,
        r#"env = { LOG_LEVEL = "debug" }"#,
    ),
    (
        &["env_file", "env_files", "envfile", "dotenv"],
        SERVICE,
        r#"env_file = ".env""#,
    ),
    (
        &["restart", "restart_policy", "availability", "autorestart"],
        SERVICE,
        r#"restart = "always""#,
    ),
    (
        &["ready", "readiness_probe", "readiness", "healthcheck"],
        SERVICE,
        r#"ready = { http = "/health" }"#,
    ),
    (
        &["liveness", "liveness_probe"],
        SERVICE,
        r#"liveness = { http = "/health" }"#,
    ),
    (
        &["prepare", "setup", "install", "pre_start"],
        SERVICE,
        r#"prepare = "npm ci""#,
    ),
    (
        &["port", "expose", "app_port", "listen"],
        SERVICE,
        "port = 8000",
    ),
    (
        &["optional", "disabled", "autostart", "profiles"],
        SERVICE,
        "optional = true",
    ),
    (
        &[
            "stop",
            "stop_signal",
            "stop_grace_period",
            "kill_signal",
            "kill_timeout",
            "shutdown",
        ],
        SERVICE,
        r#"stop = { signal = "INT", grace = "5s" }"#,
    ),
    (&["tty", "is_tty", "stdin_open"], SERVICE, "tty = true"),
    (
        &["image", "container_name", "volumes"],
        SERVICE,
        r#"command = "portway compose run db""#,
    ),
    (
        &["http_get"],
        "[services.NAME.ready]",
        r#"http = "/health""#,
    ),
    (
        &["period_seconds"],
        "[services.NAME.liveness]",
        r#"interval = "10s""#,
    ),
    (
        &["failure_threshold", "retries"],
        "[services.NAME.liveness]",
        "failures = 3",
    ),
    (
        &["timeout_seconds"],
        "[services.NAME.liveness]",
        r#"timeout = "5s""#,
    ),
];

const SERVICE: &str = "[services.NAME]";

/// The help for an unknown key, if another tool or another table has it. `known` are the keys of the
/// table with the unknown one. A hint either names one of them, or another table from the root of the
/// manifest or a service.
pub(super) fn find(unknown: &str, known: &[&str]) -> Option<String> {
    let (_, table, line) = KEYS.iter().find(|(words, ..)| words.contains(&unknown))?;
    let is_root = known.contains(&"services");
    let is_service = known.contains(&"after");
    if line.is_empty() {
        return (is_root || is_service)
            .then(|| format!("define each service in a table `{table}`"));
    }
    let key = line.split(" = ").next().unwrap_or(line);
    if known.contains(&key) {
        Some(format!("use `{key}`, such as `{line}`"))
    } else if is_root || is_service {
        Some(format!("use `{key}` in `{table}`, such as `{line}`"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::super::Manifest;
    use super::*;
    use crate::diagnostic::Diagnostic;

    fn parse(text: &str) -> Result<Manifest, Diagnostic> {
        Manifest::parse(Path::new("portway.toml"), text)
    }

    #[test]
    fn every_suggested_line_is_accepted_in_its_table() {
        for (_, table, line) in KEYS {
            let table = table.replace("NAME", "api");
            let command = match line.starts_with("command") {
                true => "",
                false => "services.api.command = 'run'",
            };
            // A dotted key must not define a table that a header defines.
            let text = match table == "[services.api]" {
                true => format!("{table}\n{}\n{line}", command.replace("services.api.", "")),
                false => format!("[services.api]\ncommand = 'run'\n{table}\nhttp = '/'\n{line}")
                    .replace("http = '/'\nhttp", "http"),
            };
            parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        }
    }

    #[test]
    fn every_key_is_unknown_and_gets_its_hint() {
        let mut all = HashSet::new();
        for (words, table, line) in KEYS {
            let key = line.split(" = ").next().unwrap();
            for word in *words {
                assert!(all.insert(*word), "`{word}` is in the table twice");
                let error = parse(&format!("{word} = 1")).unwrap_err();
                assert_eq!(error.message, format!("unknown key `{word}`"));
                let help = error.help.unwrap();
                assert!(help.contains(table) && help.contains(line), "{help}");
                if *word == key {
                    continue;
                }
                let error = parse(&format!("[services.a]\n{word} = 1")).unwrap_err();
                assert_eq!(error.message, format!("unknown key `{word}`"));
                let help = error.help.unwrap();
                assert!(help.contains(line), "{help}");
                let is_elsewhere = line.is_empty() || *table != SERVICE;
                assert_eq!(help.contains(table), is_elsewhere, "{help}");
            }
        }
    }

    #[test]
    fn a_table_without_the_key_suggests_its_own_keys() {
        let service = "[services.a]\ncommand = 'run'\n";
        let help = |text: &str| parse(&format!("{service}{text}")).unwrap_err().help;
        let start = |text: &str| help(text).unwrap_or_default();
        assert!(start("[services.a.windows]\ncmd = 'x'").starts_with("use `command`, such as"));
        assert!(!start("[services.a.windows]\ndepends_on = 'x'").contains("after"));
        assert!(start("ready = { http_get = '/' }").starts_with("use `http`, such as"));
        assert!(!start("ready = { period_seconds = 3 }").contains("interval"));
    }
}
