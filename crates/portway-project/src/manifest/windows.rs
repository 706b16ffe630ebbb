//! What is different for a service on Windows: its programs have other paths and its shell another syntax.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Prepare, Service};
use crate::diagnostic::Text;

/// The keys of a service that have other values on Windows. Keys that are missing have the same values
/// there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnWindows {
    /// The command.
    #[schemars(with = "Option<String>")]
    pub command: Option<Text>,
    /// The prepare step.
    pub prepare: Option<Prepare>,
    /// Environment variables, in addition to those in `env`.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, String>")]
    pub env: IndexMap<String, Text>,
}

/// Uses the values for Windows.
pub(super) fn apply(service: &mut Service) {
    let OnWindows {
        command,
        prepare,
        env,
    } = service.windows.clone();
    if let Some(command) = command {
        service.command = command;
    }
    service.prepare = prepare.or(service.prepare.take());
    service.env.extend(env);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Manifest;
    use super::*;

    const TEXT: &str = r#"
        [services.api]
        command = ".venv/bin/uvicorn app:app --port {port}"
        prepare = "python3 -m venv .venv"
        env = { A = "1", B = "1" }
        [services.api.windows]
        command = '.venv\Scripts\uvicorn app:app --port {port}'
        env = { B = "2" }
    "#;

    #[test]
    fn replaces_what_is_different() {
        let mut manifest = Manifest::parse(Path::new("portway.toml"), TEXT).unwrap();
        let service = &mut manifest.services["api"];
        if !cfg!(windows) {
            assert_eq!(
                service.command.get_ref(),
                ".venv/bin/uvicorn app:app --port {port}"
            );
            apply(service);
        }
        assert_eq!(
            service.command.get_ref(),
            ".venv\\Scripts\\uvicorn app:app --port {port}"
        );
        let prepare = service.prepare.as_ref().unwrap();
        assert_eq!(prepare.command.get_ref(), "python3 -m venv .venv");
        let env: Vec<&str> = service
            .env
            .values()
            .map(|text| text.get_ref().as_str())
            .collect();
        assert_eq!(env, ["1", "2"]);
    }
}
