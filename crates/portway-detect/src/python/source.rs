//! What a Python file tells without being run: line by line, at the margin.

/// Functions that by custom make an application.
const FACTORIES: [&str; 6] = [
    "create_app",
    "make_app",
    "get_app",
    "build_app",
    "create_application",
    "get_application",
];

/// An application in a file: the name it has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// A variable.
    Variable(String),
    /// A function that makes one.
    Factory(String),
}

/// The application that a file makes with `constructor`; `known` says that the framework is a
/// dependency, so that what a factory elsewhere makes counts too.
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

/// Whether a file imports a module or something of it.
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

/// The number behind `keyword=`, as in `app.run(port=8050)`.
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

/// `name = pkg.Callee(…` at the margin: the name and the last part of the callee.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.split(':').next()?.trim_end();
    let callee = value.trim_start().split_once('(')?.0.trim_end();
    let callee = callee.rsplit('.').next()?;
    (is_identifier(name) && is_identifier(callee)).then_some((name, callee))
}

/// `def name(` at the margin.
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let name = line.strip_prefix("def ")?.split_once('(')?.0.trim();
    is_identifier(name).then_some(name)
}

/// Whether this can be the name of a variable or a module.
pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applications_are_found_at_the_margin() {
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
    fn imports_are_of_whole_names() {
        assert!(imports("import flask", "flask"));
        assert!(imports("from flask.views import X", "flask"));
        assert!(!imports("import flask_login", "flask"));
        assert!(!imports("x = 'import flask'", "flask"));
    }

    #[test]
    fn numbers_are_read_behind_their_keyword() {
        let number = |text| keyword_number(text, "port");
        assert_eq!(number("x\napp.run(port=8051)"), Some((8051, 2)));
        assert_eq!(number("app.run(port = 1)"), Some((1, 1)));
        for text in ["# port=1", "report=5", "port=PORT", "port=99999", "port=0"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
