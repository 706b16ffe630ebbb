//! Templates of projects: what tools such as cookiecutter, copier, cargo-generate and Yeoman fill in. They
//! cannot run before that.

use super::{Dir, Skipped};

/// What opens a placeholder of Jinja, Handlebars, Liquid, EJS, ERB and giter8.
const OPENINGS: [&str; 4] = ["{{", "{%", "<%", "${"];

/// Manifests that a template contains with placeholders, or with an extension of its language.
const MANIFESTS: [&str; 8] = [
    "package.json",
    "pyproject.toml",
    "Cargo.toml",
    "go.mod",
    "composer.json",
    "Gemfile",
    "mix.exs",
    "deno.json",
];

/// Extensions of template languages.
const EXTENSIONS: [&str; 12] = [
    "ejs",
    "erb",
    "gotmpl",
    "handlebars",
    "hbs",
    "j2",
    "jinja",
    "jinja2",
    "liquid",
    "mustache",
    "tmpl",
    "tpl",
];

/// Maximum number of lines of a manifest that are searched.
const MAX_LINES: usize = 400;

/// Returns the record of `dir` if it is a template.
pub(super) fn of(dir: &Dir<'_>) -> Option<Skipped> {
    let creates = "it is a template, from which a tool such as cookiecutter creates projects";
    if is_placeholder(dir.name()) {
        return Some(Skipped {
            file: dir.path().to_owned(),
            why: format!("has a placeholder in its name: {creates}"),
        });
    }
    let unfilled = MANIFESTS.iter().find_map(|file| {
        let line = unfilled(&dir.read(file)?)?;
        Some(Skipped {
            file: dir.path_of(file),
            why: format!("has a placeholder in line {line}: {creates}"),
        })
    });
    unfilled.or_else(|| {
        let is_named = |file: &&str| {
            let (name, end) = file.rsplit_once('.').unwrap_or_default();
            EXTENSIONS.contains(&end) && MANIFESTS.contains(&name) && !dir.has(name)
        };
        let file = dir.files().find(is_named)?;
        Some(Skipped {
            file: dir.path_of(file),
            why: format!("has to be filled in: {creates}"),
        })
    })
}

/// Returns whether `dir` or a directory above it is a template.
pub(super) fn contains(dir: &Dir<'_>) -> bool {
    dir.upwards().any(|one| of(&one).is_some())
}

/// Returns whether a name has a placeholder: `{{cookiecutter.project_slug}}`.
fn is_placeholder(name: &str) -> bool {
    let is_giter8 = name.len() > 2 && name.starts_with('$') && name.ends_with('$');
    is_giter8 || OPENINGS.iter().any(|opening| name.contains(opening))
}

/// Returns the line of a manifest that has a placeholder where the name of the project is, or a statement of
/// a template language.
fn unfilled(text: &str) -> Option<usize> {
    let has_placeholder = |text: &str| OPENINGS.iter().any(|opening| text.contains(opening));
    let position = text.lines().take(MAX_LINES).position(|line| {
        let line = line.trim_start();
        let is_statement = line.starts_with("{%") || line.starts_with("<%");
        let name = line.trim_start_matches('"').strip_prefix("name");
        let name = name.map(|rest| rest.trim_start_matches('"').trim_start());
        let value = name.and_then(|rest| rest.strip_prefix([':', '=']));
        let value = value.or_else(|| line.strip_prefix("module "));
        is_statement || value.is_some_and(has_placeholder)
    })?;
    Some(position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::checkout;

    #[test]
    fn recognizes_placeholders_in_names() {
        for (name, expected) in [
            ("{{cookiecutter.project_slug}}", true),
            ("{{ name }}", true),
            ("{% if web %}web{% endif %}", true),
            ("<%= name %>", true),
            ("${{ values.name }}", true),
            ("$name$", true),
            ("[slug]", false),
            ("[[...rest]]", false),
            ("$id", false),
            ("(group)", false),
            ("web", false),
        ] {
            assert_eq!(is_placeholder(name), expected, "{name}");
        }
    }

    #[test]
    fn recognizes_manifests_that_are_not_filled_in() {
        for (text, line) in [
            ("{\n  \"name\": \"{{ name }}\"\n}", Some(2)),
            (
                "{\"name\": \"web\", \"message\": \"chore: {{currentTag}}\"}",
                None,
            ),
            (
                "{\n  \"releaseMessage\": \"chore: {{currentTag}}\"\n}",
                None,
            ),
            ("[package]\nname = \"{{project-name}}\"", Some(2)),
            ("[project]\nname = \"x\"\n{% if web %}\n", Some(3)),
            ("module {{ .Module }}\n", Some(1)),
            ("module example.com/x\n", None),
            ("{\n  \"name\": \"<%= name %>\"\n}", Some(2)),
            ("names = \"{{ x }}\"", None),
        ] {
            assert_eq!(unfilled(text), line, "{text}");
        }
    }

    #[test]
    fn templates_are_not_started() {
        let web = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
        let app = "from flask import Flask\napp = Flask(__name__)\n";
        let detection = checkout(
            &[
                ("{{ slug }}/web/package.json", web),
                (
                    "{{ slug }}/compose.yml",
                    "services: {db: {image: postgres}}",
                ),
                ("skeleton/pyproject.toml.jinja", ""),
                ("skeleton/requirements.txt", "flask\n"),
                ("skeleton/app.py", app),
                (
                    "starter/package.json",
                    &web.replace("{\"scr", "{\n\"name\": \"{{ n }}\", \"scr"),
                ),
                ("site/package.json", web),
                // This project is a template that runs as it is.
                ("copier.yml", "name: {type: str}\n"),
            ],
            &["npm", "python3", "docker"],
        );
        let dirs: Vec<&str> = detection
            .services
            .iter()
            .map(|one| one.dir.as_str())
            .collect();
        assert_eq!(dirs, ["site"]);
        let listed: Vec<String> = detection
            .passed_over
            .iter()
            .map(|one| format!("{} {}", one.file, one.why))
            .collect();
        assert_eq!(
            listed,
            [
                "skeleton/pyproject.toml.jinja has to be filled in: it is a template, from which a tool such as cookiecutter creates projects",
                "starter/package.json has a placeholder in line 2: it is a template, from which a tool such as cookiecutter creates projects",
                "{{ slug }} has a placeholder in its name: it is a template, from which a tool such as cookiecutter creates projects",
            ]
        );
    }

    #[test]
    fn a_root_that_is_a_template_is_not_started() {
        let detection = checkout(
            &[
                (
                    "Cargo.toml",
                    "[package]\nname = \"{{project-name}}\"\n[dependencies]\naxum = \"0.8\"\n",
                ),
                ("src/main.rs", "fn main() { axum::serve(listener, app) }"),
                (
                    "compose.yml",
                    "services: {db: {image: postgres, ports: ['5432:5432']}}",
                ),
                ("Procfile", "web: cargo run\n"),
            ],
            &["cargo", "docker"],
        );
        assert_eq!(detection.services, []);
        assert_eq!(detection.passed_over[0].file, "Cargo.toml");
    }
}
