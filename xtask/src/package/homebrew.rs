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
