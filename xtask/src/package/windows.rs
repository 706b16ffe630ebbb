//! The manifests of winget and Scoop, which install the archive for Windows.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::platforms::Platform;
use super::{Download, HOMEPAGE, SUMMARY, VERSION, template, write};

/// The manifests of winget: their templates, which are their file names after the name of the package.
const WINGET: [&str; 3] = [".yaml", ".installer.yaml", ".locale.en-US.yaml"];

/// Writes the manifests if there is an archive for Windows, and returns their files.
pub(super) fn write_manifests(
    downloads: &[Download<'_>],
    out: &Path,
) -> Result<Vec<PathBuf>, String> {
    let downloads: Vec<&Download<'_>> = downloads
        .iter()
        .filter(|download| download.platform.windows.is_some())
        .collect();
    if downloads.is_empty() {
        return Ok(Vec::new());
    }
    let installers: Vec<String> = downloads.iter().filter_map(|one| winget(one)).collect();
    let mut files = Vec::new();
    for name in WINGET {
        let file = format!("winget/Portway.Portway{name}");
        let values = [("INSTALLERS", &*installers.join("\n"))];
        let text = template::fill(&file, &values)?;
        write(&out.join(&file), text.as_bytes(), 0o644)?;
        files.push(out.join(file));
    }
    let file = out.join("scoop/portway.json");
    let text = format!("{:#}\n", scoop(&downloads));
    write(&file, text.as_bytes(), 0o644)?;
    files.push(file);
    Ok(files)
}

/// The part of the manifest for one archive.
fn winget(download: &Download<'_>) -> Option<String> {
    let Platform {
        binary, windows, ..
    } = download.platform;
    let lines = [
        format!("- Architecture: {}", windows.as_ref()?.winget),
        format!("  InstallerUrl: {}", download.url),
        format!("  InstallerSha256: {}", download.sha256.to_uppercase()),
        "  NestedInstallerFiles:".to_owned(),
        format!(
            "  - RelativeFilePath: {}\\{binary}",
            download.platform.archive_directory()
        ),
        "    PortableCommandAlias: portway".to_owned(),
    ];
    Some(lines.join("\n"))
}

fn scoop(downloads: &[&Download<'_>]) -> Value {
    let (mut architectures, mut updates) = (Map::new(), Map::new());
    for download in downloads {
        let platform = download.platform;
        let Some(windows) = &platform.windows else {
            continue;
        };
        let directory = platform.archive_directory();
        let url = download.url.replace(VERSION, "$version");
        architectures.insert(
            windows.scoop.clone(),
            json!({ "url": download.url, "hash": download.sha256, "extract_dir": directory }),
        );
        updates.insert(
            windows.scoop.clone(),
            json!({ "url": url, "extract_dir": directory.replace(VERSION, "$version") }),
        );
    }
    json!({
        "version": VERSION,
        "description": SUMMARY,
        "homepage": HOMEPAGE,
        "license": "MIT|Apache-2.0",
        "architecture": architectures,
        "bin": "portway.exe",
        "checkver": "github",
        "autoupdate": { "architecture": updates, "hash": { "url": "$url.sha256" } },
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{example_downloads, platforms, sha256, target_dir};
    use super::*;

    /// The manifests for all platforms of the list, each as it is parsed.
    fn manifests() -> Vec<Value> {
        let list = platforms::read().unwrap();
        let downloads = example_downloads(&list);
        let dir = target_dir().join(format!("tmp/manifests-{}", std::process::id()));
        let files = write_manifests(&downloads, &dir).unwrap();
        let parse = |file: &PathBuf| {
            let text = fs::read_to_string(file).unwrap();
            // JSON is YAML.
            serde_saphyr::from_str(&text).unwrap()
        };
        let values = files.iter().map(parse).collect();
        fs::remove_dir_all(&dir).unwrap();
        values
    }

    #[test]
    fn the_manifests_name_the_archive() {
        let manifests = manifests();
        let [version, installer, locale, scoop] = &manifests[..] else {
            panic!("{manifests:?}");
        };
        for manifest in [version, installer, locale] {
            assert_eq!(manifest["PackageIdentifier"], "Portway.Portway");
            assert_eq!(manifest["PackageVersion"], VERSION);
            assert_eq!(manifest["ManifestVersion"], "1.10.0");
        }
        let url = format!("https://host/portway-{VERSION}-x86_64-pc-windows-msvc.zip");
        let directory = format!("portway-{VERSION}-x86_64-pc-windows-msvc");
        let archives = installer["Installers"].as_array().unwrap();
        assert_eq!(archives.len(), 1);
        assert_eq!(archives[0]["InstallerUrl"], url);
        let sum = sha256(b"x86_64-pc-windows-msvc");
        assert_eq!(archives[0]["InstallerSha256"], sum.to_uppercase());
        assert_eq!(
            archives[0]["NestedInstallerFiles"][0]["RelativeFilePath"],
            format!("{directory}\\portway.exe")
        );
        let archive = &scoop["architecture"]["64bit"];
        assert_eq!(
            (&archive["url"], &archive["hash"]),
            (&url.into(), &sum.into())
        );
        assert_eq!(archive["extract_dir"], directory);
        let updated = &scoop["autoupdate"]["architecture"]["64bit"]["url"];
        assert_eq!(
            updated,
            "https://host/portway-$version-x86_64-pc-windows-msvc.zip"
        );
    }

    #[test]
    fn no_archive_gives_no_manifest() {
        let dir = target_dir().join("tmp/no-manifests");
        assert_eq!(write_manifests(&[], &dir).unwrap(), [] as [PathBuf; 0]);
        assert!(!dir.exists());
    }
}
