//! Finds a project's applications and how to import them.

use super::packages::Packages;
use super::source::{
    Object, imports, is_identifier, keyword_number, object, run_port, uvicorn_target,
};
use super::tables::{DIRS, FILES, FLASK_FINDS, FRAMEWORKS, Framework, Run, STANDARD, TOOL_DIRS};
use crate::Dir;
use crate::listens::Listens;
use portway_project::kind::Kind;
use portway_project::shell::quote;

/// Maximum numbers of directories of a project, and of files of a directory, that are searched.
const MAX_DIRS: usize = 150;
const MAX_FILES: usize = 40;

/// An application of a project.
pub(super) struct Application {
    pub(super) framework: &'static Framework,
    /// Its file, relative to the project.
    pub(super) file: String,
    /// Its module name, and the directory that must be in the module search path.
    module: String,
    pub(super) path: String,
    pub(super) object: Option<Object>,
    /// The port that its source requires, and the line.
    pub(super) port: Option<(u16, usize)>,
    /// The port with which its file runs it, and the line; an option of its server overrides it.
    pub(super) usual: Option<(u16, usize)>,
    /// Where a server of the standard library gets its port.
    pub(super) listens: Option<Listens>,
}

/// The directories that may contain the application, the project's own first.
pub(super) fn places<'a>(dir: &Dir<'a>) -> Vec<Dir<'a>> {
    let rank = |dir: &Dir<'_>| {
        let known = DIRS.iter().position(|name| *name == dir.name());
        known.unwrap_or(DIRS.len())
    };
    let below = |dir: &Dir<'a>| {
        let is_part = |sub: &Dir<'a>| Packages::read(sub).is_none();
        let mut subs: Vec<Dir<'a>> = dir.subs().filter(is_part).collect();
        subs.sort_by_key(rank);
        subs.truncate(MAX_DIRS);
        subs
    };
    let first = below(dir);
    let second: Vec<Dir<'a>> = first.iter().take(MAX_DIRS / 3).flat_map(below).collect();
    // `src` is a level of its own: packages are below it.
    let is_in_src = |below: &&Dir<'a>| within(dir, below.path()).starts_with("src/");
    let third: Vec<Dir<'a>> = second.iter().filter(is_in_src).flat_map(below).collect();
    let own = dir.upwards().next();
    let all = own.into_iter().chain(first).chain(second).chain(third);
    let mut all: Vec<Dir<'a>> = all.collect();
    all.truncate(MAX_DIRS);
    all
}

/// Returns a path relative to the project.
pub(super) fn within<'t>(project: &Dir<'_>, path: &'t str) -> &'t str {
    let below = path.strip_prefix(project.path()).unwrap_or(path);
    below.trim_start_matches('/')
}

/// Returns every application of the project, the most likely first.
pub(super) fn applications(
    project: &Dir<'_>,
    packages: Option<&Packages>,
    places: &[Dir<'_>],
) -> Vec<Application> {
    let mut all: Vec<Application> = packages.and_then(entry_point).into_iter().collect();
    all.extend(runner(project));
    for place in places {
        let mut files: Vec<&str> = FILES.into_iter().filter(|name| place.has(name)).collect();
        let others = place.files().filter(|name| {
            name.ends_with(".py") && !FILES.contains(name) && !name.starts_with("test")
        });
        files.extend(others.take(MAX_FILES));
        for file in files {
            let text = place.read(file).filter(|text| !is_migration(text));
            let Some(text) = text else {
                continue;
            };
            let made = FRAMEWORKS.iter().find_map(|framework| {
                let is_tool = !FILES.contains(&file) || TOOL_DIRS.contains(&place.name());
                if framework.name == STANDARD && is_tool {
                    return None;
                }
                let known = packages.is_some_and(|all| all.has(framework.name));
                Some((framework, is_made_with(framework, &text, known)?))
            });
            if let Some((framework, object)) = made {
                all.push(Application::new(
                    framework, project, place, file, &text, object,
                ));
            }
        }
    }
    // Beside an application of a framework, a server of the standard library is a tool.
    if all.iter().any(|one| one.listens.is_none()) {
        all.retain(|one| one.listens.is_none());
    }
    all.retain(|one| one.listens != Some(Listens::Unknown));
    all
}

/// Returns whether a file belongs to Alembic, which creates the application only to migrate its database.
fn is_migration(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_end() == "from alembic import context")
}

/// Returns the application that a file in `dir` runs by name with uvicorn.
pub(super) fn runner(dir: &Dir<'_>) -> Option<Application> {
    FILES.iter().find_map(|file| {
        let text = dir.read(file)?;
        let (module, object) = uvicorn_target(&text)?;
        let (place, name) = module.rsplit_once('.').unwrap_or(("", module));
        let source = dir
            .below(&place.replace('.', "/"))?
            .read(&format!("{name}.py"))?;
        let is_asgi = |one: &&Framework| matches!(one.run, Run::Asgi);
        let framework = FRAMEWORKS
            .iter()
            .filter(is_asgi)
            .find(|framework| imports(&source, framework.name))?;
        Some(Application {
            framework,
            file: format!("{}.py", module.replace('.', "/")),
            module: module.to_owned(),
            path: String::new(),
            object: Some(Object::Variable(object.to_owned())),
            port: None,
            usual: run_port(&text),
            listens: None,
        })
    })
}

/// Returns the application that `tool.fastapi` in `pyproject.toml` names.
fn entry_point(packages: &Packages) -> Option<Application> {
    let tool = packages.pyproject.as_ref()?.get("tool")?;
    let entry = tool.get("fastapi")?.get("entrypoint")?.as_str()?;
    let (module, object) = entry.split_once(':')?;
    let is_module = module.split('.').all(is_identifier);
    (is_module && is_identifier(object)).then(|| Application {
        framework: &FRAMEWORKS[0],
        file: format!("{}.py", module.replace('.', "/")),
        module: module.to_owned(),
        path: String::new(),
        object: Some(Object::Variable(object.to_owned())),
        port: None,
        usual: None,
        listens: None,
    })
}

/// Returns the object that a file's application is, if it uses the framework; `known` means that
/// the framework is a dependency.
fn is_made_with(framework: &Framework, text: &str, known: bool) -> Option<Option<Object>> {
    let imported = imports(text, framework.name);
    match framework.run {
        Run::Asgi | Run::Program(_) => {
            let object = object(text, framework.constructor, known)?;
            (imported || known).then_some(Some(object))
        }
        Run::Page(_) | Run::Script(_) => {
            let called = format!("{}(", framework.constructor);
            (imported && text.contains(&called)).then_some(None)
        }
    }
}

impl Application {
    fn new(
        framework: &'static Framework,
        project: &Dir<'_>,
        place: &Dir<'_>,
        file: &str,
        text: &str,
        object: Option<Object>,
    ) -> Self {
        let dir = within(project, place.path());
        let stem = file.trim_end_matches(".py");
        let parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
        // `src` is in the module search path and not part of names, unless the file imports it by
        // name.
        let is_src = parts.first() == Some(&"src") && !imports(text, "src");
        let (src, rest) = parts.split_at(usize::from(is_src));
        // A file that imports its siblings by bare name runs in its own directory.
        let imports_neighbours = || {
            let files = place.files().filter_map(|name| name.strip_suffix(".py"));
            let mut siblings = files.chain(place.dirs()).filter(|name| *name != stem);
            siblings.any(|name| imports(text, name))
        };
        let is_package = rest.iter().all(|part| is_identifier(part))
            && (place.has("__init__.py") || !imports_neighbours());
        let (path, mut module) = if is_package {
            (src, rest.to_vec())
        } else {
            (&parts[..], Vec::new())
        };
        if stem != "__init__" {
            module.push(stem);
        }
        let keyword = match framework.name {
            "gradio" => "server_port",
            _ => "port",
        };
        let is_standard = framework.name == STANDARD;
        let is_script = matches!(framework.run, Run::Script(_)) && !is_standard;
        let listens = || Listens::of(&[(place.path_of(file), text.to_owned())]);
        Self {
            framework,
            file: within(project, &place.path_of(file)).to_owned(),
            module: module.join("."),
            path: path.join("/"),
            object,
            port: keyword_number(text, keyword).filter(|_| is_script),
            usual: run_port(text).filter(|_| framework.kind == Kind::Http && !is_standard),
            listens: is_standard.then(listens),
        }
    }

    /// Inserts the application into a command's arguments.
    pub(super) fn fill(&self, arguments: &str) -> String {
        let (object, makes) = match &self.object {
            Some(Object::Variable(name)) => (name.as_str(), false),
            Some(Object::Factory(name)) => (name.as_str(), true),
            None => ("", false),
        };
        let target = format!("{}:{object}", self.module);
        let target = match (makes, arguments.contains("--bind")) {
            (false, _) => target,
            (true, false) => format!("--factory {target}"),
            // Hypercorn's syntax.
            (true, true) => quote(&format!("{target}()")).into_owned(),
        };
        let at = match self.path.is_empty() {
            true => self.module.as_str().into(),
            false => quote(&self.file),
        };
        let app = match FLASK_FINDS.contains(&object) {
            true => at.into_owned(),
            false => format!("{at}:{object}"),
        };
        arguments
            .replace("TARGET", &target)
            .replace("APP", &app)
            .replace("FILE", &quote(&self.file))
    }
}
