//! Reads Python source without running it: line by line, at the top level.

/// Common names of application factories.
const FACTORIES: [&str; 6] = [
    "create_app",
    "make_app",
    "get_app",
    "build_app",
    "create_application",
    "get_application",
];

/// An application in a file, by its name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// A variable.
    Variable(String),
    /// A factory function.
    Factory(String),
}

/// Returns the application that a file creates with `constructor`; `known` means that the framework
/// is a dependency, so a factory in another file counts too.
pub(super) fn object(text: &str, constructor: &str, known: bool) -> Option<Object> {
    let makes = text.contains(&format!("{constructor}("));
    if !makes && !known {
        return None;
    }
    let mut assigned = text.lines().filter_map(assignment);
    let variable = assigned.find(|(_, callee)| {
        (makes && *callee == constructor) || (known && FACTORIES.contains(callee))
    });
    if let Some((name, _)) = variable {
        return Some(Object::Variable(name.to_owned()));
    }
    let mut functions = text.lines().filter_map(function);
    let factory = functions.find(|name| FACTORIES.contains(name));
    let factory = factory.or_else(|| annotated_factory(text, constructor));
    factory
        .filter(|_| makes)
        .map(|name| Object::Factory(name.to_owned()))
}

/// Returns the function at the top level that returns the application by its annotation, and needs no
/// arguments: `def start() -> FastAPI:`.
fn annotated_factory<'t>(text: &'t str, constructor: &str) -> Option<&'t str> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let signature = &text[start..];
        start += line.len();
        let name = function(line)?;
        let (parameters, rest) = signature.split_once('(')?.1.split_once(')')?;
        let result = rest.trim_start().strip_prefix("->")?.split_once(':')?.0;
        let is_given = |one: &str| {
            let one = one.trim();
            one.is_empty() || one.contains('=') || one.starts_with(['*', '/', '#'])
        };
        let is_it = result.trim().rsplit('.').next() == Some(constructor);
        (is_it && parameters.split(',').all(is_given)).then_some(name)
    })
}

/// Returns whether a file imports a module or something from it.
pub(super) fn imports(text: &str, module: &str) -> bool {
    let is_it = |name: &str| {
        let rest = name.trim_start().strip_prefix(module);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_')
        })
    };
    text.lines().any(|line| {
        let line = line.trim_start();
        match (line.strip_prefix("from "), line.strip_prefix("import ")) {
            (Some(name), _) => is_it(name),
            // `import a, b`
            (None, Some(names)) => names.split(',').any(is_it),
            (None, None) => false,
        }
    })
}

/// Returns the module and the object of `uvicorn.run("module:object", …)`.
pub(super) fn uvicorn_target(text: &str) -> Option<(&str, &str)> {
    let mut lines = text.lines().enumerate();
    let (index, _) = lines.find(|(_, line)| {
        let line = line.trim_start();
        !line.starts_with('#') && line.contains("uvicorn.run(")
    })?;
    // The target may be on the next line.
    let mut lines = text.lines().skip(index).take(2);
    let target = lines.find_map(|line| {
        let line = line
            .split_once("uvicorn.run(")
            .map_or(line, |(_, rest)| rest)
            .trim_start();
        let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        line[1..].split_once(quote).map(|(target, _)| target)
    })?;
    let (module, object) = target.split_once(':')?;
    let is_module = module.split('.').all(is_identifier);
    (is_module && is_identifier(object)).then_some((module, object))
}

/// Parses `name = pkg.Callee(…` at the top level: the name and the last component of the callee.
pub(super) fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.split(':').next()?.trim_end();
    let callee = value.trim_start().split_once('(')?.0.trim_end();
    let callee = callee.rsplit('.').next()?;
    (is_identifier(name) && is_identifier(callee)).then_some((name, callee))
}

/// Parses `def name(` at the top level.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("def ")?.split_once('(')?.0.trim();
    is_identifier(name).then_some(name)
}

/// Returns whether this is a valid name of a variable or module.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_applications_at_the_top_level() {
        let variable = |name: &str| Some(Object::Variable(name.into()));
        for (text, known, object_) in [
            ("app = FastAPI()", false, variable("app")),
            (
                "api: FastAPI = fastapi.FastAPI(\n  x=1)",
                false,
                variable("api"),
            ),
            ("    app = FastAPI()", false, None),
            (
                "def create_app() -> FastAPI:\n    app = FastAPI()",
                false,
                Some(Object::Factory("create_app".into())),
            ),
            (
                "import x\ndef start(*, debug: bool = True) -> fastapi.FastAPI:\n    return FastAPI()",
                false,
                Some(Object::Factory("start".into())),
            ),
            (
                "import x\ndef routes(\n    app: FastAPI,\n) -> FastAPI:\n    FastAPI()",
                false,
                None,
            ),
            ("app = create_app()", true, variable("app")),
            ("app = create_app()", false, None),
            ("def other():\n    FastAPI()", true, None),
            ("# app = FastAPI()", true, None),
            ("x == FastAPI()", false, None),
        ] {
            assert_eq!(object(text, "FastAPI", known), object_, "{text}");
        }
    }

    #[test]
    fn finds_how_a_file_runs_its_application() {
        let text = "if __name__ == '__main__':\n    uvicorn.run(\n        \"app.api:app\",\n        port=8010,\n    )";
        assert_eq!(uvicorn_target(text), Some(("app.api", "app")));
        for (text, target) in [
            ("uvicorn.run('main:app', port=8001)", Some(("main", "app"))),
            ("uvicorn.run(app, port=8002)", None),
            ("# uvicorn.run('main:app', port=1)", None),
        ] {
            assert_eq!(uvicorn_target(text), target, "{text}");
        }
    }

    #[test]
    fn matches_imports_by_whole_names() {
        assert!(imports("import flask", "flask"));
        assert!(imports("import os, flask as f", "flask"));
        assert!(imports("from flask.views import X", "flask"));
        assert!(!imports("import flask_login", "flask"));
        assert!(!imports("x = 'import flask'", "flask"));
    }
}
