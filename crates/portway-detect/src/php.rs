//! PHP: Laravel, Symfony, and pages that PHP's own server shows.

use serde_json::Value;

use super::{Dir, Found, Surroundings};

/// Directories in which a project's `index.php` lies, where it is not the project's own.
const PUBLIC: [&str; 3] = ["public", "web", "webroot"];

/// Frameworks with a front controller, by the package that names them.
const FRAMEWORKS: [(&str, &str); 6] = [
    ("symfony/framework-bundle", "symfony"),
    ("laravel/lumen-framework", "lumen"),
    ("slim/slim", "slim"),
    ("cakephp/cakephp", "cakephp"),
    ("codeigniter4/framework", "codeigniter"),
    ("laminas/laminas-mvc", "laminas"),
];

/// The PHP services in `dir`.
pub(super) fn read(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Vec<Found> {
    let composer = dir.json("composer.json");
    let found = laravel(dir, composer.as_ref(), surroundings)
        .or_else(|| front_controller(dir, composer.as_ref(), surroundings))
        .or_else(|| pages(dir, surroundings));
    let Some(found) = found else {
        return Vec::new();
    };
    let found = found.needing("php", surroundings);
    vec![
        match (has_packages(composer.as_ref()), dir.has("composer.phar")) {
            (false, _) => found,
            (true, true) => found.prepared("php composer.phar install --no-interaction"),
            (true, false) => found
                .prepared("composer install --no-interaction")
                .needing("composer", surroundings),
        },
    ]
}

/// Whether `composer.json` requires a package.
fn requires(composer: Option<&Value>, package: &str) -> bool {
    composer.is_some_and(|composer| composer["require"].get(package).is_some())
}

/// Whether there is something to install, beside PHP itself and its extensions.
fn has_packages(composer: Option<&Value>) -> bool {
    let lists = ["require", "require-dev"];
    lists.iter().any(|list| {
        let packages = composer.and_then(|composer| composer[*list].as_object());
        packages.is_some_and(|all| all.keys().any(|name| name.contains('/')))
    })
}

fn laravel(
    dir: &Dir<'_>,
    composer: Option<&Value>,
    surroundings: &Surroundings<'_>,
) -> Option<Found> {
    if !dir.has("artisan") || !requires(composer, "laravel/framework") {
        return None;
    }
    let port = surroundings.port("laravel", 8000);
    let command = "php artisan serve --host={host} --port={port} --no-reload";
    let file = dir.path_of("composer.json");
    let mut found = Found::http(dir, "laravel", command, port)
        .because(format!(
            "`laravel/framework` is required in {file}, and {} is there",
            dir.path_of("artisan")
        ))
        .because("with `--no-reload` it is told the variables that `artisan serve` would hide");
    if dir.has(".env.example") && !dir.has(".env") {
        found = found.because(
            "it has no .env yet: copy .env.example there and run `php artisan key:generate`",
        );
    }
    Some(found.because("its database is left alone: `php artisan migrate` is up to you"))
}

/// A project whose pages all come from one `index.php` in a directory of its own.
fn front_controller(
    dir: &Dir<'_>,
    composer: Option<&Value>,
    surroundings: &Surroundings<'_>,
) -> Option<Found> {
    let public = PUBLIC.into_iter().find(|name| {
        let public = dir.sub(name);
        public.is_some_and(|public| serves(&public))
    })?;
    let framework = FRAMEWORKS
        .iter()
        .find(|(package, _)| requires(composer, package));
    let name = framework.map_or("php", |(_, name)| name);
    let port = surroundings.port(name, 8000);
    let command = format!("php -S {{host}}:{{port}} -t {public}");
    let mut found = Found::http(dir, name, command, port);
    if let Some((package, _)) = framework {
        let file = dir.path_of("composer.json");
        found = found.because(format!("`{package}` is required in {file}"));
    }
    Some(found.because(format!(
        "{} is the page that PHP's own server begins with",
        dir.path_of(&format!("{public}/index.php"))
    )))
}

/// A directory of pages. Those in a directory below belong to it.
fn pages(dir: &Dir<'_>, surroundings: &Surroundings<'_>) -> Option<Found> {
    if !serves(dir) || PUBLIC.contains(&dir.name()) {
        return None;
    }
    let mut above = dir.upwards().skip(1);
    if above.any(|dir| {
        ["index.php", "composer.json", "artisan"]
            .iter()
            .any(|f| dir.has(f))
    }) {
        return None;
    }
    let port = surroundings.port("php", 8000);
    let found = Found::http(dir, "php", "php -S {host}:{port}", port);
    Some(found.because(format!(
        "{} is the page that PHP's own server begins with",
        dir.path_of("index.php")
    )))
}

/// Whether a directory has an `index.php` that does something; many only keep a directory's list
/// from being shown.
fn serves(dir: &Dir<'_>) -> bool {
    let text = dir.read("index.php").unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.any(|line| {
        let is_mark = ["<?php", "<?", "?>"].contains(&line);
        let rest = line.strip_prefix("<?php").unwrap_or(line).trim_start();
        !is_mark && !rest.is_empty() && !["//", "#", "/*", "*"].iter().any(|c| rest.starts_with(c))
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::{checkout, only};

    const INDEX: (&str, &str) = (
        "public/index.php",
        "<?php\nrequire '../vendor/autoload.php';\n",
    );

    #[test]
    fn laravel_is_known_by_artisan() {
        let files = [
            ("artisan", "#!/usr/bin/env php"),
            (
                "composer.json",
                r#"{"require": {"php": "^8.2", "laravel/framework": "^12.0"}}"#,
            ),
            (".env.example", "APP_KEY="),
            INDEX,
        ];
        let found = only(&files, &["php", "composer"]);
        assert_eq!(
            found.command,
            "php artisan serve --host={host} --port={port} --no-reload"
        );
        assert_eq!(
            found.prepare.as_deref(),
            Some("composer install --no-interaction")
        );
        assert_eq!((found.framework, found.prefers()), ("laravel", Some(8000)));
        found.says("it has no .env yet");
        only(&files, &["php"]).says("it needs `composer`, which is not on this machine");
    }

    #[test]
    fn one_index_php_serves_all_pages() {
        let symfony = r#"{"require": {"symfony/framework-bundle": "7.*"}}"#;
        let found = only(&[("composer.json", symfony), INDEX], &[]);
        assert_eq!(found.command, "php -S {host}:{port} -t public");
        assert_eq!(found.framework, "symfony");
        found.says("it needs `php`, which is not on this machine");
        let found = only(&[("composer.json", "{"), INDEX], &["php"]);
        assert_eq!((found.framework, found.prepare.as_deref()), ("php", None));
        let found = only(
            &[
                (
                    "a/composer.json",
                    r#"{"require": {"php": ">=8", "ext-json": "*"}}"#,
                ),
                ("a/public/index.php", INDEX.1),
            ],
            &["php"],
        );
        assert_eq!((found.dir.as_str(), found.prepare.as_deref()), ("a", None));
    }

    #[test]
    fn pages_are_served_from_where_they_begin() {
        let found = only(
            &[
                ("site/index.php", "<?php echo 1;"),
                ("site/shop/index.php", "<h1>x</h1>"),
            ],
            &["php"],
        );
        assert_eq!(found.command, "php -S {host}:{port}");
        assert_eq!(found.dir, "site");
    }

    #[test]
    fn a_library_is_no_service() {
        for files in [
            &[
                ("composer.json", r#"{"require": {"slim/slim": "4"}}"#),
                ("src/App.php", "<?php"),
            ][..],
            &[("index.php", "<?php\n// Silence is golden.\n")],
            &[("composer.json", "[]"), ("artisan", "")],
            &[
                ("composer.json", r#"{"require": 1}"#),
                ("public/index.php/x", ""),
            ],
        ] {
            let detection = checkout(files, &[]);
            assert!(detection.services.is_empty(), "{detection:#?}");
        }
        let broken = checkout(&[("composer.json", "{"), ("artisan", "")], &[]);
        assert_eq!(broken.skipped[0].file, "composer.json");
    }
}
