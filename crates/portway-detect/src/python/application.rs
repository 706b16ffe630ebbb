//! Finds a project's applications and how to import them.

use super::calls::call;
use super::configured::run_port;
use super::hints::Hint;
use super::packages::Packages;
use super::port::{File, Told};
use super::source::{Object, imports, is_identifier, object, uvicorn_target};
use super::tables::{DIRS, FILES, FLASK_FINDS, FRAMEWORKS, Framework, Run};
use crate::Dir;
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
    pub(super) module: String,
    pub(super) path: String,
    pub(super) object: Option<Object>,
    /// The port that its source requires, and the line.
    pub(super) port: Option<(u16, usize)>,
    /// The port that files of the project name for it, and where; an option of its server overrides it.
    pub(super) usual: Option<(u16, String)>,
    /// The variable that its source reads the port from.
    pub(super) variable: Option<String>,
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
    // So is a directory in it that is no package, as in `src/py/shop/server`.
    let is_below_src = |below: &&Dir<'a>| {
        let mut parts = within(dir, below.path()).split('/');
        let place = parts.by_ref().nth(1).unwrap_or_default();
        !second
            .iter()
            .any(|one| one.name() == place && one.has("__init__.py"))
    };
    let fourth: Vec<Dir<'a>> = third.iter().filter(is_below_src).flat_map(below).collect();
    let own = dir.upwards().next();
    let all = own.into_iter().chain(first);
    let all = all.chain(second).chain(third).chain(fourth);
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
        let place = dir.below(&place.replace('.', "/"))?;
        let file_of_it = format!("{name}.py");
        let (source, end) = match place.has(&file_of_it) {
            true => (place.read(&file_of_it)?, ".py"),
            false => (place.sub(name)?.read("__init__.py")?, "/__init__.py"),
        };
        let is_asgi = |one: &&Framework| matches!(one.run, Run::Asgi);
        let framework = FRAMEWORKS
            .iter()
            .filter(is_asgi)
            .find(|framework| imports(&source, framework.module))?;
        Some(Application {
            framework,
            file: format!("{}{end}", module.replace('.', "/")),
            module: module.to_owned(),
            path: String::new(),
            object: Some(Object::Variable(object.to_owned())),
            port: None,
            usual: usual(&text, dir, file),
            variable: None,
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
        variable: None,
    })
}

/// Returns the object that a file's application is, if it uses the framework; `known` means that
/// the framework is a dependency.
fn is_made_with(framework: &Framework, text: &str, known: bool) -> Option<Option<Object>> {
    let imported = imports(text, framework.module);
    // Its name says too little: applications of both kinds have it.
    let known = known && framework.name != "falcon";
    match framework.run {
        Run::Asgi | Run::Wsgi | Run::Program(_) => {
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
        let (path, module) = module(project, place, file, text);
        let is_script = matches!(framework.run, Run::Script(_));
        let reader = File {
            text,
            dir: Some(place),
        };
        let (calls, keyword) = match framework.name {
            "gradio" => (["launch", "demo.launch"], "server_port"),
            _ => (["run", "run_server"], "port"),
        };
        let call = calls.iter().find_map(|name| call(text, name));
        let port = call.as_ref().filter(|_| is_script);
        let port = port.and_then(|call| Some((reader.port(call.keyword(keyword)?)?, call.line)));
        let told = port.as_ref().map(|(port, _)| port.told.clone());
        let number = port.and_then(|(port, line)| Some((port.usual?, line)));
        let named = |(port, line): (u16, usize)| (port, format!("{}:{line}", place.path_of(file)));
        let is_number = told == Some(Told::Number);
        let (variable, usual) = match told {
            Some(Told::Variable(name)) => (Some(name), number.map(named)),
            _ if framework.kind == Kind::Http => (None, usual(text, place, file)),
            _ => (None, None),
        };
        Self {
            framework,
            file: within(project, &place.path_of(file)).to_owned(),
            module,
            path,
            object,
            port: number.filter(|_| is_number),
            usual,
            variable,
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

/// Returns the port with which a file runs its application, and where.
fn usual(text: &str, place: &Dir<'_>, file: &str) -> Option<(u16, String)> {
    let (port, line) = run_port(text, Some(place))?;
    Some((port, format!("{}:{line}", place.path_of(file))))
}

/// Returns the directory that must be in the module search path, and the module name of a file.
fn module(project: &Dir<'_>, place: &Dir<'_>, file: &str, text: &str) -> (String, String) {
    let dir = within(project, place.path());
    let stem = file.trim_end_matches(".py");
    let parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
    // `src` is in the module search path and not part of names, unless the file imports it by
    // name.
    let is_src = parts.first() == Some(&"src") && !imports(text, "src");
    let has_init = |count: usize| {
        let place = project.below(&parts[..count].join("/"));
        place.is_some_and(|place| place.has("__init__.py"))
    };
    // `src/py` and the like are no packages, but contain some.
    let src = match is_src {
        true if parts.len() > 2 && !has_init(2) && has_init(3) => 2,
        is_src => usize::from(is_src),
    };
    let (src, rest) = parts.split_at(src);
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
    (path.join("/"), module.join("."))
}

/// Returns the arguments of the interpreter that run a file: as a module if it is part of a package.
pub(super) fn module_to_run(project: &Dir<'_>, place: &Dir<'_>, file: &str, text: &str) -> String {
    let (path, module) = module(project, place, file, text);
    match path.is_empty() && place.has("__init__.py") && module.contains('.') {
        true => format!("-m {module}"),
        false => quote(within(project, &place.path_of(file))).into_owned(),
    }
}

/// Puts the applications that scripts of the project start first, with the objects that they name.
pub(super) fn prefer(all: &mut [Application], hints: &[Hint]) {
    for hint in hints.iter().rev() {
        let fits = |one: &Application| match (&hint.target, &hint.file) {
            (Some((module, _)), _) => one.module == *module,
            (None, Some(file)) => one.file == *file,
            (None, None) => false,
        };
        let Some(at) = all.iter().position(fits) else {
            continue;
        };
        let one = &mut all[at];
        if let (Some((_, object)), Some(own)) = (&hint.target, &mut one.object) {
            match own {
                Object::Variable(name) if is_identifier(object) => name.clone_from(object),
                _ => {}
            }
        }
        let is_port_free = one.port.is_none() && one.variable.is_none();
        if let Some(port) = hint.port.filter(|_| is_port_free) {
            one.usual = Some((port, hint.place.clone()));
        }
        all[..=at].rotate_right(1);
    }
}
