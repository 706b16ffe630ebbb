//! The flake of Nix, which installs the archive of a platform.

use std::path::{Path, PathBuf};

use super::{Download, template, write};

/// Writes the flake if there is an archive for macOS or Linux, and returns its file.
pub(super) fn write_flake(
    downloads: &[Download<'_>],
    out: &Path,
) -> Result<Option<PathBuf>, String> {
    let systems: Vec<String> = downloads.iter().filter_map(system).collect();
    if systems.is_empty() {
        return Ok(None);
    }
    let file = out.join("nix/flake.nix");
    let flake = template::fill("nix/flake.nix", &[("SYSTEMS", &systems.join("\n"))])?;
    write(&file, flake.as_bytes(), 0o644)?;
    Ok(Some(file))
}

fn system(download: &Download<'_>) -> Option<String> {
    let system = download.platform.nix.as_ref()?;
    let (url, sum) = (&download.url, &download.sha256);
    Some(format!(
        "        {system} = {{\n          url = \"{url}\";\n          sha256 = \"{sum}\";\n        }};"
    ))
}
