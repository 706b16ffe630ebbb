//! PHP: Laravel, Symfony, and sites that PHP's built-in server serves.

use serde_json::Value;

use super::{DetectContext, DetectedPort, DetectedService, Dir, node};

/// Document roots: directories that usually hold a project's `index.php`.
const PUBLIC: [&str; 3] = ["public", "web", "webroot"];

/// Frameworks with a front controller, by their package.
const FRAMEWORKS: [(&str, &str); 6] = [
    ("symfony/framework-bundle", "symfony"),
    ("laravel/lumen-framework", "lumen"),
    ("slim/slim", "slim"),
    ("cakephp/cakephp", "cakephp"),
    ("codeigniter4/framework", "codeigniter"),
    ("laminas/laminas-mvc", "laminas"),
];

/// Detects the PHP services in `dir`.
pub(super) fn read(dir: &Dir<'_>, context: &DetectContext<'_>) -> Vec<DetectedService> {
    let composer = dir.json("composer.json");
    let found = laravel(dir, composer.as_ref(), context)
        .or_else(|| front_controller(dir, composer.as_ref(), context))
        .or_else(|| pages(dir, context));
    let Some(found) = found else {
        return Vec::new();
    };
    // All of them need the packages, so none starts before these are installed.
    let prepared = |found: DetectedService| match dir.has("composer.phar") {
        _ if !has_packages(composer.as_ref()) => found,
        true => found.with_prepare("php composer.phar install --no-interaction"),
        false => found
            .with_prepare("composer install --no-interaction")
            .requiring("composer", context),
    };
    let mut found = found.requiring("php", context);
    let script = format!("the script `dev` in {}", dir.path_of("composer.json"));
    let mut others = Vec::new();
    for part in left_out(composer.as_ref()) {
        match node::of_command(dir, &part, &format!("{script} starts"), context) {
            Some(server) => others.push(server),
            None => found.evidence.push(format!(
                "{script} also starts `{part}`, which Portway does not start"
            )),
        }
    }
    std::iter::once(found)
        .chain(workers(dir, composer.as_ref()))
        .map(prepared)
        .chain(others)
        .collect()
}

/// Workers that the script `dev` of `composer.json` starts beside the server: their names, commands of
/// `artisan`, and the arguments that set their port.
const WORKERS: [(&str, &str, &str); 5] = [
    ("queue", "queue:listen", ""),
    ("queue", "queue:work", ""),
    ("horizon", "horizon", ""),
    ("scheduler", "schedule:work", ""),
    ("reverb", "reverb:start", "--host={host} --port={port}"),
];

/// The commands of the script `dev` of `composer.json`.
fn dev_script(composer: Option<&Value>) -> Vec<String> {
    let script = composer.map(|composer| &composer["scripts"]["dev"]);
    let lines = script.map(crate::yaml::strings).unwrap_or_default();
    let single = script.and_then(Value::as_str).map(str::to_owned);
    lines.into_iter().chain(single).collect()
}

/// Returns the commands that `composer dev` starts beside the server, its workers and scripts of `package.json`.
fn left_out(composer: Option<&Value>) -> Vec<String> {
    const STARTED: [&str; 5] = ["npm ", "pnpm ", "yarn ", "bun ", "php artisan serve"];
    let script = dev_script(composer);
    let parts = script.iter().filter(|line| line.contains("concurrently "));
    let parts = parts.flat_map(|line| shlex::Shlex::new(line));
    let is_left_out = |part: &String| {
        let arguments = part.strip_prefix("php artisan ").unwrap_or("");
        let name = arguments.split(' ').next().unwrap_or("");
        part.contains(' ')
            && !part.starts_with('-')
            && !STARTED.iter().any(|known| part.starts_with(known))
            && !WORKERS.iter().any(|(_, known, _)| *known == name)
    };
    parts.filter(is_left_out).collect()
}

/// Builds the services of the workers that `composer dev` starts.
fn workers(dir: &Dir<'_>, composer: Option<&Value>) -> Vec<DetectedService> {
    let mut found: Vec<DetectedService> = Vec::new();
    for line in &dev_script(composer) {
        // `concurrently` takes commands as words.
        let words: Vec<String> = shlex::Shlex::new(line).collect();
        for part in words.iter().chain([line]) {
            let Some(arguments) = part
                .strip_prefix("php artisan ")
                .or(part.strip_prefix("@php artisan "))
            else {
                continue;
            };
            let known = WORKERS
                .iter()
                .find(|(_, name, _)| arguments.split(' ').next() == Some(name));
            let Some((name, _, flags)) =
                known.filter(|(name, ..)| found.iter().all(|one| one.name != *name))
            else {
                continue;
            };
            let command = format!("php artisan {} {flags}", super::shell::literal(arguments));
            let command = command.trim_end();
            let port = DetectedPort::Preferred(8080);
            let mut one = DetectedService::http(dir, "laravel", command, port);
            one.name = (*name).to_owned();
            if flags.is_empty() {
                one = one.without_port();
            }
            let file = dir.path_of("composer.json");
            found.push(one.with_evidence(format!("the script `dev` in {file} starts `{part}`")));
        }
    }
    found
}

/// Returns whether `composer.json` requires a package.
fn requires(composer: Option<&Value>, package: &str) -> bool {
    composer.is_some_and(|composer| composer["require"].get(package).is_some())
}

/// Returns whether there is anything to install besides PHP and its extensions.
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
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    if !dir.has("artisan") || !requires(composer, "laravel/framework") {
        return None;
    }
    let port = context.port("laravel", 8000);
    let command = "php artisan serve --host={host} --port={port} --no-reload";
    let file = dir.path_of("composer.json");
    let mut found = DetectedService::http(dir, "laravel", command, port)
        .with_evidence(format!(
            "`laravel/framework` is required in {file}, and {} exists",
            dir.path_of("artisan")
        ))
        .with_evidence("`--no-reload` passes on the variables that `artisan serve` would hide");
    if dir.has(".env.example") && !dir.has(".env") {
        found = found.with_evidence(
            "it has no `.env` yet: copy `.env.example` to `.env` and run `php artisan key:generate`",
        );
    }
    Some(
        found.with_evidence(
            "Portway does not touch its database: run `php artisan migrate` yourself",
        ),
    )
}

/// Builds the service of a project with a front controller in a document root.
fn front_controller(
    dir: &Dir<'_>,
    composer: Option<&Value>,
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    let public = PUBLIC.into_iter().find(|name| {
        let public = dir.sub(name);
        public.is_some_and(|public| serves(&public))
    })?;
    let framework = FRAMEWORKS
        .iter()
        .find(|(package, _)| requires(composer, package));
    let name = framework.map_or("php", |(_, name)| name);
    let port = context.port(name, 8000);
    let command = format!("php -S {{host}}:{{port}} -t {public}");
    let mut found = DetectedService::http(dir, name, command, port);
    if let Some((package, _)) = framework {
        let file = dir.path_of("composer.json");
        found = found.with_evidence(format!("`{package}` is required in {file}"));
    }
    Some(found.with_evidence(format!(
        "{} is the start page of PHP's built-in server",
        dir.path_of(&format!("{public}/index.php"))
    )))
}

/// Builds the service of a directory of PHP pages, including its subdirectories.
fn pages(dir: &Dir<'_>, context: &DetectContext<'_>) -> Option<DetectedService> {
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
    let port = context.port("php", 8000);
    let found = DetectedService::http(dir, "php", "php -S {host}:{port}", port);
    Some(found.with_evidence(format!(
        "{} is the start page of PHP's built-in server",
        dir.path_of("index.php")
    )))
}

/// Returns whether a directory has an `index.php` that does something; many only prevent a
/// directory listing.
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
    fn composer_starts_a_dev_server_of_node() {
        for (tool, framework) in [
            ("vp dev", "vite"),
            ("npx vite", "vite"),
            ("webpack serve", "webpack"),
        ] {
            let composer = format!(
                "{{\"require\": {{\"laravel/framework\": \"12\"}}, \"scripts\": {{\"dev\": [\"npx concurrently \\\"php artisan serve\\\" \\\"{tool}\\\" \\\"stripe listen\\\"\"]}}}}"
            );
            let detection = checkout(
                &[
                    ("composer.json", &composer),
                    ("artisan", ""),
                    ("package.json", "{\"scripts\": {\"build\": \"x\"}}"),
                ],
                &["php", "composer", "npm"],
            );
            let frameworks: Vec<&str> =
                detection.services.iter().map(|one| one.framework).collect();
            assert_eq!(frameworks, ["laravel", framework], "{tool}");
            detection.services[0].has_evidence("also starts `stripe listen`");
            detection.services[1].has_evidence("in composer.json starts");
        }
    }

    #[test]
    fn detects_laravel_by_artisan() {
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
        found.has_evidence("it has no `.env` yet");
        only(&files, &["php"]).has_evidence("it requires `composer`, which is not installed");
    }

    #[test]
    fn workers_of_the_script_dev_run_beside_the_server() {
        let composer = r##"{"require": {"laravel/framework": "^12.0"}, "scripts": {"dev": [
            "Composer\\Config::disableProcessTimeout",
            "npx concurrently -c \"#93c5fd\" \"php artisan serve\" \"php artisan queue:listen --tries=1\" \"php artisan pail\" \"npm run dev\" --names=server,queue"
        ]}}"##;
        let detection = checkout(&[("artisan", ""), ("composer.json", composer)], &["php"]);
        let commands: Vec<&str> = detection
            .services
            .iter()
            .map(|one| one.command.as_str())
            .collect();
        assert_eq!(commands[1..], ["php artisan queue:listen --tries=1"]);
        assert_eq!(detection.services[1].port, None);
        for service in &detection.services {
            let prepare = service.prepare.as_deref();
            assert_eq!(prepare, Some("composer install --no-interaction"));
        }
    }

    #[test]
    fn serves_a_front_controller() {
        let symfony = r#"{"require": {"symfony/framework-bundle": "7.*"}}"#;
        let found = only(&[("composer.json", symfony), INDEX], &[]);
        assert_eq!(found.command, "php -S {host}:{port} -t public");
        assert_eq!(found.framework, "symfony");
        found.has_evidence("it requires `php`, which is not installed");
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
    fn serves_pages_from_the_topmost_directory() {
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
    fn ignores_libraries() {
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

    #[test]
    fn names_what_composer_starts_and_portway_does_not() {
        let composer = r##"{"require": {"laravel/framework": "12"}, "scripts": {"dev": ["npx concurrently -c \"#1,#2\" \"php artisan serve\" \"php artisan queue:work\" \"php artisan tail --all\" \"npm run dev\" --names=a,b"]}}"##;
        let files = [("composer.json", composer), ("artisan", "")];
        let detection = checkout(&files, &["php", "composer"]);
        let sentences: Vec<&String> = detection.services[0]
            .evidence
            .iter()
            .filter(|one| one.contains("does not start"))
            .collect();
        assert_eq!(sentences.len(), 1, "{sentences:?}");
        assert!(
            sentences[0].contains("`php artisan tail --all`"),
            "{sentences:?}"
        );
    }
}
