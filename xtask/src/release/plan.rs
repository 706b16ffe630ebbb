//! What the owner publishes, and in which order.

use std::path::{Path, PathBuf};

use super::list;
use crate::package::{self, VERSION};

/// The files of a release, as their paths in the directory.
pub(super) struct Plan {
    files: Vec<String>,
    directory: PathBuf,
    /// All targets that have packages.
    targets: Vec<String>,
}

impl Plan {
    pub(super) fn new(files: &[PathBuf], out: &Path) -> Result<Self, String> {
        let name = |file: &PathBuf| {
            let name = file.strip_prefix(out).unwrap_or(file);
            name.to_string_lossy().into_owned()
        };
        Ok(Self {
            files: files.iter().map(name).collect(),
            directory: out.to_owned(),
            targets: package::targets()?,
        })
    }

    /// The platforms that the release lacks.
    pub(super) fn missing_platforms(&self) -> Option<String> {
        let has_archive = |target: &&String| {
            let start = format!("portway-{VERSION}-{target}.");
            self.files.iter().any(|file| file.starts_with(&start))
        };
        let missing: Vec<&str> = self
            .targets
            .iter()
            .filter(|target| !has_archive(target))
            .map(String::as_str)
            .collect();
        let names = missing.join("`, `");
        (!missing.is_empty()).then(|| {
            format!("there is no package for `{names}`: build them there, and add `--binary TARGET=FILE`")
        })
    }

    /// The whole summary.
    pub(super) fn text(&self, open: &[String]) -> String {
        let mut text = format!("# Portway {VERSION}\n\n");
        if !open.is_empty() {
            text += &format!("Before it can be published:\n\n{}\n", list(open));
        }
        let directory = self.directory.display();
        text += &format!("Publish the files in `{directory}` in this order:\n\n");
        let steps = self.steps();
        let steps = steps.into_iter().filter(|step| !step.commands.is_empty());
        for (number, step) in (1..).zip(steps) {
            text += &format!("{number}. {}\n\n", step.what);
            for command in step.commands {
                text += &format!("       {command}\n");
            }
            text.push('\n');
        }
        text
    }

    fn steps(&self) -> Vec<Step> {
        let tag = format!("v{VERSION}");
        let npm = |file: &str| file.ends_with(".tgz") && !file.starts_with("devcontainer");
        let main = format!("portway-{VERSION}.tgz");
        vec![
            Step {
                what: "The release. The workflow makes a draft with all files for the tag. \
                       Everything below downloads from it.",
                commands: vec![
                    format!("git tag {tag} && git push origin {tag}"),
                    format!("gh release edit {tag} --draft=false"),
                ],
            },
            Step {
                what: "npm: the packages with the binaries first, because `portway` names them.",
                commands: self
                    .each(
                        |file| npm(file) && file != main,
                        "npm publish --access public ./",
                    )
                    .chain(self.each(|file| file == main, "npm publish ./"))
                    .collect(),
            },
            Step {
                what: "PyPI.",
                commands: self
                    .each(|file| file.ends_with(".whl"), "python3 -m twine upload ")
                    .collect(),
            },
            Step {
                what: "A registry of images, for `COPY --from`; then one name for all architectures.",
                commands: self.images(),
            },
            Step {
                what: "The feature of dev containers, to a registry of images.",
                commands: self
                    .each(|file| file.starts_with("devcontainer"), "")
                    .map(|file| {
                        let kind = "application/vnd.devcontainers.layer.v1+tar";
                        format!("oras push REGISTRY/features/portway:{VERSION} {file}:{kind}")
                    })
                    .collect(),
            },
            Step {
                what: "The repositories of package managers, to which these files are copied.",
                commands: self.copies(),
            },
        ]
    }

    /// A command for each file that fits.
    fn each(&self, fits: impl Fn(&str) -> bool, command: &str) -> impl Iterator<Item = String> {
        let files = self.files.iter().filter(move |file| fits(file));
        files.map(move |file| format!("{command}{file}"))
    }

    fn images(&self) -> Vec<String> {
        let start = format!("portway-{VERSION}-image-");
        let architectures: Vec<&str> = self
            .files
            .iter()
            .filter_map(|file| file.strip_prefix(&start)?.strip_suffix(".tar"))
            .collect();
        let name = format!("REGISTRY/portway:{VERSION}");
        let copy =
            |one: &&str| format!("skopeo copy oci-archive:{start}{one}.tar docker://{name}-{one}");
        let mut commands: Vec<String> = architectures.iter().map(copy).collect();
        if !architectures.is_empty() {
            let names = architectures.iter().map(|one| format!(" {name}-{one}"));
            let names: String = names.collect();
            commands.push(format!(
                "docker buildx imagetools create --tag {name}{names}"
            ));
        }
        commands
    }

    fn copies(&self) -> Vec<String> {
        let winget = format!("winget-pkgs/manifests/p/Portway/Portway/{VERSION}/");
        [
            ("homebrew/", "homebrew-tap/Formula/"),
            ("nix/", "portway-nix/"),
            ("scoop/", "scoop-bucket/bucket/"),
            ("winget/", &winget),
        ]
        .into_iter()
        .flat_map(|(from, to)| {
            let files = self.files.iter().filter(move |file| file.starts_with(from));
            files.map(move |file| format!("cp {file} {to}"))
        })
        .collect()
    }
}

/// A part of publishing.
struct Step {
    what: &'static str,
    commands: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(files: &[&str]) -> Plan {
        Plan {
            files: files
                .iter()
                .map(|file| file.replace("VERSION", VERSION))
                .collect(),
            directory: "out".into(),
            targets: vec!["a-linux".into(), "b-windows".into()],
        }
    }

    #[test]
    fn what_others_need_is_published_first() {
        let plan = plan(&[
            "portway-VERSION.tgz",
            "portway-linux-x64-VERSION.tgz",
            "portway-VERSION-a-linux.tar.gz",
            "portway-VERSION-image-amd64.tar",
            "homebrew/portway.rb",
        ]);
        let text = plan.text(&["nothing is ready".to_owned()]);
        let position = |part: &str| {
            let part = part.replace("VERSION", VERSION);
            text.find(&part)
                .unwrap_or_else(|| panic!("{part} is not in {text}"))
        };
        let order = [
            "- nothing is ready",
            "1. The release",
            "npm publish --access public ./portway-linux-x64-VERSION.tgz",
            "npm publish ./portway-VERSION.tgz",
            "skopeo copy oci-archive:portway-VERSION-image-amd64.tar docker://REGISTRY/portway:VERSION-amd64",
            "4. The repositories",
            "cp homebrew/portway.rb homebrew-tap/Formula/",
        ];
        assert!(order.map(position).is_sorted(), "{text}");
        // Without a wheel, there is no step for it.
        assert!(!text.contains("PyPI"), "{text}");
    }

    #[test]
    fn names_platforms_without_a_package() {
        let one = plan(&["portway-VERSION-a-linux.tar.gz"]);
        let missing = one.missing_platforms().unwrap_or_default();
        assert!(missing.contains("`b-windows`") && !missing.contains("a-linux"));
        let all = plan(&[
            "portway-VERSION-a-linux.tar.gz",
            "portway-VERSION-b-windows.zip",
        ]);
        assert_eq!(all.missing_platforms(), None);
    }
}
