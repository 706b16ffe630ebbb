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
    factory
        .filter(|_| makes)
        .map(|name| Object::Factory(name.to_owned()))
}

/// Returns whether a file imports a module or something from it.
pub(super) fn imports(text: &str, module: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        let rest = line
            .strip_prefix("from ")
            .or_else(|| line.strip_prefix("import "));
        let rest = rest
            .map(str::trim_start)
            .and_then(|r| r.strip_prefix(module));
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_')
        })
    })
}

/// Returns the number after `keyword=`, as in `app.run(port=8050)`.
pub(super) fn keyword_number(text: &str, keyword: &str) -> Option<(u16, usize)> {
    text.lines().enumerate().find_map(|(index, line)| {
        let (before, rest) = line.split_once(keyword)?;
        let is_code =
            !before.contains('#') && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit());
        let number = rest[..end.unwrap_or(rest.len())].parse().ok()?;
        (is_code && number > 0).then_some((number, index + 1))
    })
}

/// Parses `name = pkg.Callee(…` at the top level: the name and the last component of the callee.
fn assignment(line: &str) -> Option<(&str, &str)> {
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
    fn matches_imports_by_whole_names() {
        assert!(imports("import flask", "flask"));
        assert!(imports("from flask.views import X", "flask"));
        assert!(!imports("import flask_login", "flask"));
        assert!(!imports("x = 'import flask'", "flask"));
    }

    #[test]
    fn reads_numbers_after_a_keyword() {
        let number = |text| keyword_number(text, "port");
        assert_eq!(number("x\napp.run(port=8051)"), Some((8051, 2)));
        assert_eq!(number("app.run(port = 1)"), Some((1, 1)));
        for text in ["# port=1", "report=5", "port=PORT", "port=99999", "port=0"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
