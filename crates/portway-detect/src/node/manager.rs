//! The package manager: how it installs packages and runs scripts, and in which directory.

use std::borrow::Cow;

use super::package::Package;
use super::workspace::has_member;
use crate::{DetectContext, Dir};

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manager {
    Npm,
    Pnpm,
    /// Yarn 1.
    Yarn,
    /// Yarn 2 and later.
    Berry,
    Bun,
}

/// Lock files and their package managers.
const LOCKS: [(&str, Manager); 6] = [
    ("pnpm-lock.yaml", Manager::Pnpm),
    ("yarn.lock", Manager::Yarn),
    ("bun.lock", Manager::Bun),
    ("bun.lockb", Manager::Bun),
    ("package-lock.json", Manager::Npm),
    ("npm-shrinkwrap.json", Manager::Npm),
];

/// Versions of pnpm whose lock files newer versions reject.
const OLD_PNPM: [&str; 2] = ["@8", "@7"];

/// The package manager of a package.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) manager: Manager,
    /// Its command: `pnpm`, or `corepack pnpm` if only Corepack is installed.
    program: Cow<'static, str>,
    /// The directory to install in, relative to the root: the package's own or its workspace's.
    pub(super) root: String,
    /// Its command that installs packages, if another version than that of `program` does.
    installer: Option<String>,
    /// Whether a lock file exists.
    is_locked: bool,
    /// Whether any version of pnpm may install the packages.
    is_any_pnpm: bool,
    /// Whether npm 6 wrote the lock file.
    is_of_npm_6: bool,
    /// Sentences of evidence.
    pub(super) evidence: Vec<String>,
}

impl Managed {
    /// Returns the package manager of the package in `dir`.
    pub(super) fn of(dir: &Dir<'_>, package: &Package, context: &DetectContext<'_>) -> Self {
        let root = workspace_of(dir);
        let mut evidence = Vec::new();
        if let Some(root) = &root {
            let file = match root.has("pnpm-workspace.yaml") {
                true => "pnpm-workspace.yaml",
                false => "package.json",
            };
            evidence.push(format!(
                "it is a member of the workspace of {}",
                root.path_of(file)
            ));
        }
        let root_path = root
            .as_ref()
            .map_or(dir.path(), |root| root.path())
            .to_owned();
        // Without a lock file and a declaration, the parent directories decide.
        let places = dir.upwards().map(|at| {
            let declared = match at.path() == dir.path() {
                true => package.manager.clone(),
                false => Package::read(&at).and_then(|package| package.manager),
            };
            (at, declared)
        });
        let implied = places
            .into_iter()
            .find_map(|(at, declared)| implied_manager(&at, declared));
        let is_locked = dir
            .upwards()
            .find(|at| at.path() == root_path)
            .is_some_and(|at| LOCKS.iter().any(|(lock, _)| at.has(lock)));
        let manager = implied
            .as_ref()
            .map_or(Manager::Npm, |(manager, _)| *manager);
        let is_declared = implied
            .as_ref()
            .is_some_and(|(_, sentence)| sentence.starts_with("`packageManager`"));
        evidence.extend(implied.map(|(_, sentence)| sentence));
        let name = manager.name();
        // A version is only known if it is declared. Other versions may reject the lock file.
        let version = match is_declared {
            false if manager == Manager::Pnpm => lock_version(dir, &root_path),
            _ => "",
        };
        let mut installer = None;
        let program = if (context.has_program)(name) {
            if OLD_PNPM.contains(&version) && (context.has_program)("npx") {
                evidence.push(format!(
                    "`npx` downloads `{name}{version}`, which its lock file needs"
                ));
                installer = Some(format!("npx --yes {name}{version}"));
            }
            Cow::Borrowed(name)
        } else if manager.is_in_corepack() && (context.has_program)("corepack") {
            evidence.push(format!(
                "`{name}` is not installed, so `corepack` downloads `{name}{version}`"
            ));
            Cow::Owned(format!("corepack {name}{version}"))
        } else {
            evidence.push(format!("`{name}` is not installed"));
            Cow::Borrowed(name)
        };
        let is_fixed = match program == name {
            true => installer.is_some(),
            false => !version.is_empty(),
        };
        let is_any_pnpm = manager == Manager::Pnpm && !is_declared && !is_fixed;
        let is_of_npm_6 = manager == Manager::Npm && has_lock_of_npm_6(dir, &root_path);
        if is_of_npm_6 {
            evidence.push(
                "its lock file is of npm 6, which accepts packages that exclude each other, so `--legacy-peer-deps` does"
                    .to_owned(),
            );
        }
        Self {
            manager,
            program,
            root: root_path,
            installer,
            is_locked,
            is_any_pnpm,
            is_of_npm_6,
            evidence,
        }
    }

    /// The command that installs the packages from the lock file without changing it. If the lock file is not up
    /// to date, npm, Yarn 1 and Bun find the rest themselves; the others have no such option, and fail.
    pub(super) fn install(&self) -> String {
        let arguments = match (self.manager, self.is_locked) {
            (Manager::Npm, _) => "install --no-save --no-audit --no-fund",
            (Manager::Yarn, true) => "install --pure-lockfile",
            (Manager::Bun, true) => "install --no-save",
            (Manager::Berry, true) => "install --immutable",
            (Manager::Pnpm, true) => "install --frozen-lockfile",
            (Manager::Yarn, false) => "install --no-lockfile",
            (Manager::Pnpm, false) => "install --no-lockfile",
            (Manager::Berry | Manager::Bun, false) => "install",
        };
        // Since version 11, pnpm fails if a package has a build script that the project does not mention.
        let tolerant = match (self.is_any_pnpm, self.is_of_npm_6) {
            (true, _) => " --config.strict-dep-builds=false",
            (_, true) => " --legacy-peer-deps",
            (false, false) => "",
        };
        let program = self.installer.as_deref().unwrap_or(&self.program);
        format!("{program} {arguments}{tolerant}")
    }

    /// The command that runs a script with additional arguments.
    pub(super) fn run(&self, script: &str, arguments: &str) -> String {
        let mut command = format!("{} run {script}", self.program);
        if !arguments.is_empty() {
            // Only npm would consume the arguments itself.
            let between = if self.manager == Manager::Npm {
                " -- "
            } else {
                " "
            };
            command += between;
            command += arguments;
        }
        command
    }

    /// Whether it runs the script `predev` before `dev`.
    pub(super) fn runs_hooks(&self) -> bool {
        self.manager != Manager::Berry
    }

    /// Whether it skips the install scripts of packages, unless the project allows them.
    pub(super) fn skips_install_scripts(&self) -> bool {
        matches!(self.manager, Manager::Pnpm | Manager::Berry | Manager::Bun)
    }

    /// The prefix that runs a program of an installed package.
    pub(super) fn exec(&self) -> String {
        let between = match self.manager {
            Manager::Npm => "exec --",
            Manager::Pnpm => "exec",
            Manager::Yarn | Manager::Berry => "run",
            Manager::Bun => "x",
        };
        format!("{} {between}", self.program)
    }
}

impl Manager {
    fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn | Self::Berry => "yarn",
            Self::Bun => "bun",
        }
    }

    fn is_in_corepack(self) -> bool {
        matches!(self, Self::Pnpm | Self::Yarn | Self::Berry)
    }
}

/// Returns the root of the workspace of which `dir` is a member.
pub(super) fn workspace_of<'d>(dir: &Dir<'d>) -> Option<Dir<'d>> {
    dir.upwards().skip(1).find(|above| has_member(above, dir))
}

/// Returns the version of pnpm that wrote the lock file of the workspace, as a suffix of its name.
fn lock_version(dir: &Dir<'_>, root: &str) -> &'static str {
    let root = dir.upwards().find(|at| at.path() == root);
    let text = root
        .and_then(|root| root.read_start("pnpm-lock.yaml"))
        .unwrap_or_default();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("lockfileVersion:"));
    let version = line.unwrap_or("").trim().trim_matches(['\'', '"']);
    match version.split('.').next() {
        Some("9") => "@9",
        Some("6") => "@8",
        Some("5") => "@7",
        _ => "",
    }
}

/// Returns whether the directory in which packages are installed has a lock file of npm 6 or older.
fn has_lock_of_npm_6(dir: &Dir<'_>, root: &str) -> bool {
    let root = dir.upwards().find(|at| at.path() == root);
    let text = root.and_then(|root| root.read_start("package-lock.json"));
    let text = text.unwrap_or_default();
    let mut lines = text.lines().take(LOCK_LINES).map(str::trim);
    lines.any(|line| line == "\"lockfileVersion\": 1,")
}

/// How many lines of a lock file of npm are searched for its version.
const LOCK_LINES: usize = 6;

/// Returns the manager that the files in `at` imply, with the evidence.
fn implied_manager(at: &Dir<'_>, declared: Option<String>) -> Option<(Manager, String)> {
    let is_berry = at.has(".yarnrc.yml");
    let yarn = |later: bool| if later { Manager::Berry } else { Manager::Yarn };
    if let Some(declared) = declared {
        let (name, version) = declared.split_once('@').unwrap_or((&declared, ""));
        let major = version.split('.').next().unwrap_or("");
        let manager = match name {
            "npm" => Some(Manager::Npm),
            "pnpm" => Some(Manager::Pnpm),
            "yarn" => Some(yarn(is_berry || (major != "1" && !version.is_empty()))),
            "bun" => Some(Manager::Bun),
            _ => None,
        };
        if let Some(manager) = manager {
            let file = at.path_of("package.json");
            return Some((manager, format!("`packageManager` in {file} is {declared}")));
        }
    }
    let (lock, manager) = LOCKS.iter().find(|(lock, _)| at.has(lock))?;
    let manager = match manager {
        Manager::Yarn => yarn(is_berry),
        manager => *manager,
    };
    let (lock, name) = (at.path_of(lock), manager.name());
    Some((manager, format!("{lock} exists, so `{name}` runs it")))
}
