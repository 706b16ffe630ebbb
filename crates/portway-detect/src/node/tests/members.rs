//! Scripts of a root that start its members, workers without a server, and what is said about the rest.

use super::{NPM, manifest, names, package};
use crate::Detection;
use crate::fixture::checkout;

const VITE: &str = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";

fn passed_over<'d>(detection: &'d Detection, file: &str) -> &'d str {
    let found = detection.passed_over.iter().find(|one| one.file == file);
    found.map_or("", |one| one.why.as_str())
}

#[test]
fn a_worker_without_a_server_is_a_service_without_a_port() {
    for (script, library, source) in [
        ("nodemon jobs.js", "bullmq", "new Worker('mail', send)"),
        (
            "tsx watch jobs.ts",
            "agenda",
            "const agenda = new Agenda({})",
        ),
        ("node jobs.js", "pg-boss", "await boss.work('mail', send)"),
        (
            "npm run x && tsx jobs.ts",
            "graphile-worker",
            "await run({ taskList })",
        ),
        (
            "ts-node jobs.ts",
            "amqplib",
            "channel.consume('mail', send)",
        ),
    ] {
        let file = if script.ends_with("ts") {
            "jobs.ts"
        } else {
            "jobs.js"
        };
        let found = package(
            &format!("\"dev\": \"{script}\""),
            &[library],
            &[(file, source)],
        );
        assert_eq!(
            (found.command.as_str(), found.port),
            ("npm run dev", None),
            "{script}"
        );
        found.has_evidence(&format!(
            "{file} works with `{library}` and does not listen"
        ));
    }
    let text = manifest("\"dev\": \"node jobs.js\"", &["bullmq"]);
    let files = [
        ("package.json", text.as_str()),
        ("jobs.js", "new Queue('mail')"),
    ];
    assert!(checkout(&files, NPM).services.is_empty());
}

#[test]
fn a_root_says_which_parts_of_its_script_are_services() {
    let root = "{\"scripts\": {\"dev\": \"concurrently 'npm run dev --prefix web' 'yarn --cwd ./admin dev' 'cd tool && npm run dev'\"}}";
    let tool = "{\"scripts\": {\"dev\": \"node x.js\"}}";
    let files = [
        ("package.json", root),
        ("web/package.json", VITE),
        ("admin/package.json", VITE),
        ("tool/package.json", tool),
    ];
    let detection = checkout(&files, NPM);
    assert_eq!(
        passed_over(&detection, "package.json"),
        "has the script `dev`, whose parts are the services `web`, `admin`, and `cd tool && npm run dev`, \
         which Portway does not start"
    );
    let long = format!("{{\"scripts\": {{\"dev\": \"./x {}\"}}}}", "y".repeat(200));
    let detection = checkout(&[("package.json", &long)], NPM);
    assert!(passed_over(&detection, "package.json").contains(&"y".repeat(200)));
}

#[test]
fn the_script_that_starts_more_is_used() {
    let scripts = "\"start:dev\": \"vite\", \"start\": \"npm-run-all -p start:dev start:mock\", \
                   \"start:mock\": \"json-server --watch db.json --port 3333\"";
    let text = manifest(scripts, &["vite", "json-server"]);
    let detection = checkout(&[("package.json", &text)], NPM);
    let found = detection.commands();
    assert_eq!(
        found,
        [
            (
                "npm run start:dev -- --port {port} --strictPort",
                Some(5173)
            ),
            (
                "npm exec -- json-server --watch db.json --port {port}",
                Some(3333)
            ),
        ]
    );
}

#[test]
fn a_member_that_the_workspace_excludes_is_no_service() {
    let pnpm = "packages:\n  - 'packages/*'\n  - '!packages/old'\n";
    let files = [
        ("package.json", "{}"),
        ("pnpm-workspace.yaml", pnpm),
        ("packages/new/package.json", VITE),
        ("packages/old/package.json", VITE),
        ("other/package.json", VITE),
    ];
    let detection = checkout(&files, &["pnpm"]);
    assert_eq!(names(&detection), ["other", "new"]);
    assert_eq!(
        passed_over(&detection, "packages/old/package.json"),
        "is not in the workspace because of `!packages/old` in pnpm-workspace.yaml; run \
         `portway -C packages/old plan` for it"
    );
    let root = "{\"workspaces\": [\"packages/*\", \"!packages/old\"]}";
    let files = [("package.json", root), files[2], files[3]];
    assert_eq!(names(&checkout(&files, NPM)), ["new"]);
}

#[test]
fn what_watches_in_members_runs_if_the_root_starts_all_of_them() {
    let ui = "{\"scripts\": {\"dev\": \"tsc -w\", \"storybook\": \"storybook dev -p 6006\"}}";
    for (dev, expected) in [
        ("turbo run dev", &["storybook", "ui", "web"][..]),
        ("npm run dev --workspaces", &["storybook", "ui", "web"]),
        ("turbo run dev --filter=web", &["ui", "web"]),
        ("npm run dev -w packages/web", &["ui", "web"]),
    ] {
        let root =
            format!("{{\"scripts\": {{\"dev\": \"{dev}\"}}, \"workspaces\": [\"packages/*\"]}}");
        let files = [
            ("package.json", root.as_str()),
            ("packages/ui/package.json", ui),
            ("packages/web/package.json", VITE),
        ];
        let detection = checkout(&files, NPM);
        let mut found = names(&detection);
        found.sort_unstable();
        assert_eq!(found, expected, "{dev}");
        let watchers = detection.services.iter().filter(|one| one.port.is_none());
        assert_eq!(watchers.count(), expected.len() - 2, "{dev}");
    }
}

#[test]
fn a_file_that_listens_is_said_to_be_started_by_no_known_script() {
    let listens = ("app.js", "http.createServer(f).listen(process.env.PORT)");
    let found = package(
        "\"dev\": \"pm2-dev start all.config.js\"",
        &["x"],
        &[listens],
    );
    assert_eq!(found.command, "node app.js");
    found.has_evidence(
        "the script `dev` (`pm2-dev start all.config.js`) starts no server that Portway knows, and app.js listens",
    );
    let found = package("\"dev\": \"pm2-dev start app.js\"", &["x"], &[listens]);
    assert_eq!(found.command, "npm run dev");
}

#[test]
fn a_part_that_another_reader_finds_is_not_said_to_be_left_out() {
    let scripts = "\"dev\": \"run-p web api other\", \"web\": \"vite\", \"api\": \"python3 api.py\", \
                   \"other\": \"python3 other.py\"";
    let text = manifest(scripts, &["vite"]);
    let flask = "from flask import Flask\napp = Flask(__name__)\napp.run(port=5000)\n";
    let files = [
        ("package.json", text.as_str()),
        ("requirements.txt", "flask\n"),
        ("api.py", flask),
        ("other.py", "work()"),
    ];
    let detection = checkout(&files, &["npm", "python3"]);
    let sentences: Vec<&String> = detection
        .services
        .iter()
        .flat_map(|one| &one.evidence)
        .filter(|one| one.contains("does not start"))
        .collect();
    assert!(
        sentences.iter().any(|one| one.contains("other.py")),
        "{sentences:?}"
    );
    let runs_api = |one: &crate::DetectedService| one.command.contains("api.py");
    if detection.services.iter().any(runs_api) {
        assert_eq!(sentences.len(), 1, "{sentences:?}");
    }
    let root = "{\"scripts\": {\"dev\": \"cd server && node app.js\"}}";
    let files = [("package.json", root), ("server/package.json", VITE)];
    let detection = checkout(&files, NPM);
    assert_eq!(
        passed_over(&detection, "package.json"),
        "has the script `dev`, which starts the service `server`"
    );
}

#[test]
fn a_root_starts_a_worker_by_its_name() {
    let files = |root: &str| {
        let root = format!("{{\"workspaces\": [\"apps/*\"], \"scripts\": {{{root}}}}}");
        let worker = "{\"name\": \"@shop/mailer\", \"scripts\": {\"dev\": \"tsx watch main.ts\"}}";
        let detection = checkout(
            &[
                ("package.json", &root),
                ("apps/web/package.json", VITE),
                ("apps/mailer/package.json", worker),
                ("apps/mailer/main.ts", "run()"),
            ],
            NPM,
        );
        names(&detection).join(" ")
    };
    for (root, expected) in [
        (
            "\"dev\": \"concurrently 'yarn workspace web dev' 'yarn workspace @shop/mailer dev'\"",
            "mailer web",
        ),
        (
            "\"start:dev\": \"npm run dev -w apps/web & npm run dev --workspace=./apps/mailer\"",
            "mailer web",
        ),
        ("\"dev\": \"yarn workspace web dev\"", "web"),
        (
            "\"test\": \"concurrently 'yarn workspace web dev' 'yarn workspace @shop/mailer dev'\"",
            "web",
        ),
    ] {
        assert_eq!(files(root), expected, "{root}");
    }
}

#[test]
fn a_script_has_a_variant_for_each_system() {
    let scripts = "\"start\": \"run-script-os\", \"start:windows\": \"vite --host %IP%\", \
                   \"start:default\": \"vite --host 0.0.0.0\"";
    let found = checkout(&[("package.json", &manifest(scripts, &["vite"]))], NPM);
    assert_eq!(
        found.services[0].command,
        "npm run start:default -- --port {port} --strictPort"
    );
}

#[test]
fn scripts_that_all_start_each_other_end() {
    let scripts: Vec<String> = (0..40)
        .map(|index| format!("\"dev:{index}\": \"run-p dev:*\""))
        .collect();
    let package = format!(
        "{{\"scripts\": {{\"dev\": \"run-p dev:*\", {}}}}}",
        scripts.join(", ")
    );
    let detection = crate::fixture::checkout(&[("package.json", &package)], &["npm"]);
    assert!(detection.services.is_empty(), "{detection:#?}");
}
