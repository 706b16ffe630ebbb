//! Nx: the targets of `project.json` that serve, and the development servers that its plugins infer from
//! configuration files.

use serde_json::Value;

use super::configured;
use super::entry::Entry;
use super::manager::Managed;
use super::package::Package;
use super::script::Script;
use super::tools::{Tool, tool};
use super::{MAIN, Project};
use crate::{DetectContext, DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Names of targets that start a development server, the most likely first.
const TARGETS: [&str; 5] = ["serve", "dev", "start", "develop", "serve-dev"];

/// Executors by the end of their package and their name, with the tool and the default port.
const EXECUTORS: [(&[&str], &[&str], &str, u16); 8] = [
    (
        &["angular", "build", "build-angular"],
        &["dev-server", "module-federation-dev-server"],
        "ng serve",
        4200,
    ),
    (&["vite"], &["dev-server"], "vite", 5173),
    (
        &["webpack", "rspack", "web", "react"],
        &["dev-server", "module-federation-dev-server"],
        "webpack serve",
        4200,
    ),
    (&["next"], &["server"], "next dev", 4200),
    (&["remix"], &["serve"], "remix vite:dev", 4200),
    (&["nuxt"], &["serve"], "nuxt dev", 4200),
    (&["expo"], &["start"], "expo start", 8081),
    (&["storybook"], &["storybook"], "storybook dev", 4400),
];

/// Executors that run the program of a project with Node.
const NODE_EXECUTORS: [&str; 5] = [
    "js:node",
    "node:execute",
    "node:node",
    "nest:serve",
    "nestjs:serve",
];

/// Configuration files from which plugins infer a development server, with its command.
const INFERRED: [(&[&str], &str); 6] = [
    (
        &["next.config.js", "next.config.mjs", "next.config.ts"],
        "next dev",
    ),
    (
        &[
            "vite.config.ts",
            "vite.config.js",
            "vite.config.mts",
            "vite.config.mjs",
        ],
        "vite",
    ),
    (&["rsbuild.config.ts", "rsbuild.config.js"], "rsbuild dev"),
    (&["rspack.config.ts", "rspack.config.js"], "rspack serve"),
    (&["webpack.config.js", "webpack.config.ts"], "webpack serve"),
    (&["nuxt.config.ts", "nuxt.config.js"], "nuxt dev"),
];

/// Detects the service of the project of an Nx workspace in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
    // The directories above are read only where this one can be a project that serves: in a large workspace,
    // they have many entries.
    let has_config = || {
        INFERRED
            .iter()
            .any(|(files, _)| dir.first_of(files).is_some())
    };
    let can_be = dir.has("project.json") || (dir.has("package.json") && has_config());
    if !can_be {
        return None;
    }
    let root = dir.upwards().find(|at| at.has("nx.json"))?;
    let definition = dir.json("project.json").unwrap_or_default();
    let package = Package::read(&root)?;
    let managed = Managed::of(&root, &package, context);
    let project = Project {
        dir,
        package,
        managed,
        context,
    };
    let nx = Nx {
        name: definition["name"]
            .as_str()
            .or_else(|| dir.path().rsplit('/').next())
            .filter(|name| !name.is_empty())?
            .to_owned(),
        is_application: definition["projectType"] == "application",
        definition: &definition,
        project: &project,
        root: &root,
    };
    let found = nx.target().or_else(|| nx.inferred())?;
    Some(project.finish(found))
}

struct Nx<'n, 'd> {
    name: String,
    is_application: bool,
    definition: &'n Value,
    project: &'n Project<'n, 'd>,
    root: &'n Dir<'d>,
}

impl Nx<'_, '_> {
    /// Builds the service of a target of `project.json`.
    fn target(&self) -> Option<DetectedService> {
        let (target, value) = TARGETS.iter().find_map(|target| {
            let value = &self.definition["targets"][*target];
            value.is_object().then_some((*target, value))
        })?;
        let file = self.project.dir.path_of("project.json");
        let executor = value["executor"].as_str().unwrap_or("");
        let (package, name) = executor.split_once(':').unwrap_or((executor, ""));
        let package = package.rsplit('/').next().unwrap_or("");
        let command = value["command"]
            .as_str()
            .or_else(|| value["options"]["command"].as_str())
            .or_else(|| value["options"]["commands"][0].as_str())
            .or_else(|| value["options"]["commands"][0]["command"].as_str());
        let run = self.exec(&format!(
            "nx run {}",
            quote(&format!("{}:{target}", self.name))
        ));
        let evidence = match command {
            Some(command) => format!("the target `{target}` in {file} runs `{command}`"),
            None => format!("the target `{target}` in {file} has the executor `{executor}`"),
        };
        if let Some(command) = command {
            let simple = Script::parse(command)?.last;
            if let Some(tool) = tool(simple.program(), simple.arguments()) {
                let written = simple
                    .flag(&["--port", "-p"])
                    .and_then(|port| port.parse().ok());
                return self.served(tool, tool.port, &run, evidence, written);
            }
            let entry = Entry::of(self.root, &self.project.package, &simple, false)
                .or_else(|| Entry::of(self.project.dir, &self.project.package, &simple, false))?;
            return Some(self.program(Some(&entry), run, evidence));
        }
        if NODE_EXECUTORS.iter().any(|known| executor.ends_with(known)) {
            let files = [MAIN, "src/main.js", "src/index.ts", "src/server.ts"];
            let mut entries = files
                .iter()
                .filter_map(|file| Entry::at(self.project.dir, &self.project.package, file));
            return Some(self.program(entries.next().as_ref(), run, evidence));
        }
        let known = EXECUTORS
            .iter()
            .find(|(packages, names, ..)| packages.contains(&package) && names.contains(&name));
        let (_, _, command, port) = known?;
        let written = value["options"]["port"].as_u64();
        let written = written.and_then(|port| u16::try_from(port).ok());
        self.served(named(command)?, *port, &run, evidence, written)
    }

    /// Builds the service of a development server that a plugin infers.
    fn inferred(&self) -> Option<DetectedService> {
        let dir = self.project.dir;
        let (file, command) = INFERRED.iter().find_map(|(files, command)| {
            let file = files.iter().find(|file| dir.has(file))?;
            Some((*file, *command))
        })?;
        // Libraries have such files for their tests and builds.
        if !(self.is_application || dir.has("index.html") || command == "next dev") {
            return None;
        }
        let evidence = format!(
            "{} configures `{command}`, which Nx runs as well",
            dir.path_of(file)
        );
        let tool = named(command)?;
        self.served(tool, tool.port, &self.exec(command), evidence, None)
    }

    fn served(
        &self,
        tool: &Tool,
        port: u16,
        run: &str,
        evidence: String,
        written: Option<u16>,
    ) -> Option<DetectedService> {
        let dir = self.project.dir;
        let configured = configured::port(dir, tool, None);
        let usual = written.or(configured.as_ref().map(|(port, _)| *port));
        let preferred = self.project.context.port(tool.name, usual.unwrap_or(port));
        let command = format!("{run} {}", tool.flags);
        let mut found = DetectedService::http(dir, tool.name, command.trim_end(), preferred)
            .with_kind(tool.kind)
            .with_evidence(evidence);
        found.is_port_written = usual.is_some();
        self.name_root(&mut found);
        if let Some((port, file)) = configured.filter(|_| written.is_none()) {
            found = found.with_evidence(format!("{file} sets port {port}"));
        }
        Some(match tool.flags {
            "" => found,
            flags => found.with_evidence(format!("`{flags}` sets its port")),
        })
    }

    /// Builds the service of a program that Node runs.
    fn program(&self, entry: Option<&Entry>, run: String, evidence: String) -> DetectedService {
        let mut found = match entry {
            Some(entry) => {
                let found = self.project.entry(entry).with_evidence(evidence);
                self.project.listening(found, entry, None)
            }
            None => {
                DetectedService::http(self.project.dir, "node", "", DetectedPort::Preferred(3000))
                    .with_kind(Kind::Http)
                    .with_evidence(evidence)
                    .with_evidence("no file shows how it reads its port; Portway sets `PORT`")
            }
        };
        found.command = run;
        self.name_root(&mut found);
        found
    }

    /// A service in the root has no directory to be named after.
    fn name_root(&self, found: &mut DetectedService) {
        if self.project.dir.path().is_empty() {
            found.name.clone_from(&self.name);
        }
    }

    /// The command of a program of the workspace's packages.
    fn exec(&self, command: &str) -> String {
        format!("{} {command}", self.project.managed.exec())
    }
}

/// The tool of a command that is known to serve.
fn named(command: &str) -> Option<&'static Tool> {
    let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
    tool(&words[0], &words[1..])
}
