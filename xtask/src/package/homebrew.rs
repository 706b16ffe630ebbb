//! The formula of Homebrew, for a tap.

use std::path::{Path, PathBuf};

use super::documents::Documents;
use super::{Download, template, write};

/// Writes the formula if there is an archive for macOS or Linux, and returns its file.
pub(super) fn write_formula(
    downloads: &[Download<'_>],
    documents: &Documents,
    out: &Path,
) -> Result<Option<PathBuf>, String> {
    let platforms: Vec<String> = downloads.iter().filter_map(platform).collect();
    if platforms.is_empty() {
        return Ok(None);
    }
    let mut install = vec!["bin.install \"portway\"".to_owned()];
    if !documents.man.is_empty() {
        install.push("man1.install Dir[\"man/*.1\"]".to_owned());
    }
    for (name, method) in [
        (
            "portway.bash",
            "bash_completion.install \"completions/portway.bash\" => \"portway\"",
        ),
        (
            "_portway",
            "zsh_completion.install \"completions/_portway\"",
        ),
        (
            "portway.fish",
            "fish_completion.install \"completions/portway.fish\"",
        ),
    ] {
        if documents.completions.iter().any(|one| one.name == name) {
            install.push(method.to_owned());
        }
    }
    let values = [
        ("PLATFORMS", &*platforms.join("\n")),
        ("INSTALL", &install.join("\n    ")),
    ];
    let file = out.join("homebrew/portway.rb");
    let formula = template::fill("homebrew/portway.rb", &values)?;
    write(&file, formula.as_bytes(), 0o644)?;
    Ok(Some(file))
}

fn platform(download: &Download<'_>) -> Option<String> {
    let platform = download.platform.homebrew.as_ref()?;
    let (os, cpu) = (&platform.os, &platform.cpu);
    let (url, sum) = (&download.url, &download.sha256);
    Some(format!(
        "  on_{os} do\n    on_{cpu} do\n      url \"{url}\"\n      sha256 \"{sum}\"\n    end\n  end\n"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{documents, example_downloads, platforms, target_dir};
    use super::*;

    #[test]
    fn each_platform_has_its_archive() {
        let list = platforms::read().unwrap();
        let downloads = example_downloads(&list);
        let dir = target_dir().join(format!("tmp/formula-{}", std::process::id()));
        let file = write_formula(&downloads, &documents::examples(), &dir).unwrap();
        let formula = fs::read_to_string(file.unwrap()).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        for download in &downloads {
            let part = platform(download).unwrap_or_default();
            let is_unix = download.platform.windows.is_none();
            assert_eq!(!part.is_empty(), is_unix, "{}", download.platform.target);
            assert!(formula.contains(&part), "{formula}");
        }
        let arm = "  on_macos do\n    on_arm do\n      url \"https://host/portway-";
        assert!(formula.contains(arm), "{formula}");
        for document in [
            "man1.install",
            "bash_completion",
            "zsh_completion",
            "fish_completion",
        ] {
            assert!(formula.contains(document), "{formula}");
        }
    }
}
