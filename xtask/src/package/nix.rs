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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{example_downloads, platforms, target_dir};
    use super::*;

    #[test]
    fn each_system_has_its_archive() {
        let list = platforms::read().unwrap();
        let downloads = example_downloads(&list);
        let dir = target_dir().join(format!("tmp/flake-{}", std::process::id()));
        let file = write_flake(&downloads, &dir).unwrap();
        let flake = fs::read_to_string(file.unwrap()).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        for name in ["x86_64-linux", "aarch64-linux", "aarch64-darwin"] {
            assert_eq!(flake.matches(&format!("{name} = {{")).count(), 1, "{flake}");
        }
        let archives = downloads.iter().filter(|one| flake.contains(&one.sha256));
        assert_eq!(archives.count(), 3);
    }
}
