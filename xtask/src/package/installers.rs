//! Scripts that download, check and install an archive, and the feature of dev containers.

use std::path::PathBuf;

use serde_json::json;

use super::platforms::Platform;
use super::{HOMEPAGE, Output, SUMMARY, VERSION, archive, template, write};

/// The installer in the feature of dev containers.
const INSTALLER: &str = "install-portway.sh";

/// Writes the scripts and the feature, and returns their files.
pub(super) fn write_installers(
    list: &[Platform],
    url: &str,
    output: &Output<'_>,
) -> Result<Vec<PathBuf>, String> {
    let values = [("URL", url), ("TARGETS", &shell_cases(list))];
    let shell = template::fill("install/install.sh", &values)?;
    let mut written = Vec::new();
    let mut add = |name: &str, text: &str| {
        let file = output.out.join(name);
        write(&file, text.as_bytes(), 0o755)?;
        written.push(file);
        Ok::<(), String>(())
    };
    add("install.sh", &shell)?;
    if let Some(windows) = list.iter().find(|platform| platform.windows.is_some()) {
        let values = [("URL", url), ("TARGET", &windows.target)];
        add(
            "install.ps1",
            &template::fill("install/install.ps1", &values)?,
        )?;
    }
    written.push(write_feature(&shell, output)?);
    Ok(written)
}

/// The cases of a shell that find the target of the machine.
fn shell_cases(list: &[Platform]) -> String {
    let cases = list.iter().filter(|platform| !platform.uname.is_empty());
    let lines = cases.map(|platform| {
        let names = platform.uname.iter().map(|name| format!("\"{name}\""));
        let names = names.collect::<Vec<_>>().join(" | ");
        format!("        {names}) echo {} ;;", platform.target)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes the feature, packed as registries of containers store it.
fn write_feature(installer: &str, output: &Output<'_>) -> Result<PathBuf, String> {
    let name = "devcontainer-feature-portway";
    let dir = output.stage.join(name);
    let manifest = json!({
        "id": "portway",
        "version": VERSION,
        "name": "Portway",
        "description": SUMMARY,
        "documentationURL": HOMEPAGE,
        "licenseURL": format!("{HOMEPAGE}/blob/v{VERSION}/LICENSE-MIT"),
        "options": {
            "downloadUrl": {
                "type": "string",
                "default": "",
                "description": "The directory that contains the archives, if not the release",
            },
        },
        // It brings curl.
        "installsAfter": ["ghcr.io/devcontainers/features/common-utils"],
    });
    let manifest = format!("{manifest:#}\n");
    write(
        &dir.join("devcontainer-feature.json"),
        manifest.as_bytes(),
        0o644,
    )?;
    let script = template::fill("devcontainer/install.sh", &[])?;
    write(&dir.join("install.sh"), script.as_bytes(), 0o755)?;
    write(&dir.join(INSTALLER), installer.as_bytes(), 0o755)?;
    let file = output.out.join(format!("{name}.tgz"));
    archive::tar_gz(&dir, ".", &file, output.level)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::platforms;
    use super::*;

    #[test]
    fn the_shell_knows_each_platform_that_has_one() {
        let cases = shell_cases(&platforms::read().unwrap());
        assert!(cases.starts_with("        \"Linux x86_64\") echo x86_64-unknown-linux-gnu ;;\n"));
        assert!(cases.contains("\"Linux aarch64\" | \"Linux arm64\") echo aarch64-"));
        assert!(!cases.contains("windows"));
    }
}
