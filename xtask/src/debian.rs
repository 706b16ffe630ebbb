//! Downloads and unpacks Debian packages without installing them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{output, run};

/// The keys with which Debian signs its releases.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Where apt finds packages.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// Options of apt.
    options: Vec<String>,
}

impl Sources {
    /// Another release of the distribution that this machine uses. Keeps its lists in `work`.
    pub(crate) fn release(work: &Path, release: &str) -> Result<Self, String> {
        let mirror = output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
            "Origin: Debian",
        ]))?;
        let mirror = mirror.lines().next().ok_or("apt has no mirror of Debian")?;
        create(&work.join("lists/partial"))?;
        create(&work.join("archives/partial"))?;
        let list = work.join("sources.list");
        let line = format!("deb [signed-by={KEYRING}] {mirror} {release} main\n");
        fs::write(&list, line).map_err(|error| format!("{}: {error}", list.display()))?;
        let work = work.display();
        let options = [
            format!("Dir::Etc::SourceList={work}/sources.list"),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={work}/lists"),
            format!("Dir::Cache={work}"),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        let sources = Self {
            options: options.into(),
        };
        run(sources.apt().args(["-qq", "update"]))?;
        Ok(sources)
    }

    fn apt(&self) -> Command {
        let mut command = Command::new("apt-get");
        // The user of apt cannot write to these directories.
        command.args(["-o", "APT::Sandbox::User=root"]);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }

    /// The names of packages and of those that they depend on, installed here or not.
    pub(crate) fn with_dependencies(&self, packages: &[&str]) -> Result<Vec<String>, String> {
        let mut command = self.apt();
        command.args(["-o", "Dir::State::Status=/dev/null", "--print-uris"]);
        command.args(["-qq", "-y", "--no-install-recommends", "install"]);
        let uris = output(command.args(packages))?;
        Ok(names(&uris))
    }

    /// Download packages. Returns the files.
    pub(crate) fn download(&self, packages: &[String], to: &Path) -> Result<Vec<PathBuf>, String> {
        let files = to.join("packages");
        create(&files)?;
        let mut command = self.apt();
        command.args(["-qq", "download"]).args(packages);
        let status = command.current_dir(&files).status();
        if !status.is_ok_and(|status| status.success()) {
            return Err(format!("failed: {command:?}\nhelp: run `apt-get update`"));
        }
        let entries = fs::read_dir(&files).map_err(|error| error.to_string())?;
        Ok(entries.flatten().map(|entry| entry.path()).collect())
    }
}

/// Create a directory and those above it.
pub(crate) fn create(directory: &Path) -> Result<(), String> {
    fs::create_dir_all(directory)
        .map_err(|error| format!("cannot create `{}`: {error}", directory.display()))
}

/// Unpack packages into a directory.
pub(crate) fn unpack(files: &[PathBuf], to: &Path) -> Result<(), String> {
    files
        .iter()
        .try_for_each(|file| run(Command::new("dpkg-deb").arg("--extract").arg(file).arg(to)))
}

/// The package names in the output of `apt-get --print-uris`: `'URI' NAME_VERSION_ARCH.deb SIZE HASH`.
fn names(uris: &str) -> Vec<String> {
    let file = |line: &str| Some(line.split(' ').nth(1)?.to_owned());
    uris.lines()
        .filter_map(file)
        .filter_map(|file| Some(file.split_once('_')?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn reads_the_names_of_packages() {
        let uris = "'http://mirror/pool/g/gcc-12-base_12.2.0-14_amd64.deb' \
                    gcc-12-base_12.2.0-14_amd64.deb 37596 MD5Sum:0\n\
                    'http://mirror/pool/l/libc6_2.36_amd64.deb' libc6_2.36_amd64.deb 1 MD5Sum:1\n";
        assert_eq!(names(uris), ["gcc-12-base", "libc6"]);
    }
}
