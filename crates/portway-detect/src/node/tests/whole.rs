//! Nothing of a script is lost: what it runs before a server, its arguments, its variables and its pipes.

use super::{NPM, manifest, package};
use crate::fixture::{checkout, only};
use crate::{DetectedPort, Detection};

/// The commands of the services of a package with these scripts.
fn all(scripts: &str, dependencies: &[&str], files: &[(&str, &str)]) -> Detection {
    let text = manifest(scripts, dependencies);
    let mut all = vec![("package.json", text.as_str())];
    all.extend_from_slice(files);
    checkout(&all, NPM)
}

const SERVER: (&str, &str) = (
    "app.js",
    "http.createServer(f).listen(process.env.PORT || 4100)",
);

#[test]
fn what_runs_before_the_server_still_runs() {
    for (scripts, command) in [
        // The port reaches the server through the environment.
        (
            "\"dev\": \"node make.js && npm run web\", \"web\": \"node app.js\"",
            "npm run dev",
        ),
        (
            "\"dev\": \"prisma generate && pnpm run web\", \"web\": \"nodemon app.js | pino-pretty\"",
            "npm run dev",
        ),
        (
            "\"dev\": \"yarn run clean && yarn web -- --inspect\", \"clean\": \"rimraf x\", \"web\": \"node app.js\"",
            "npm run dev",
        ),
        (
            "\"dev\": \"run-s make web\", \"make\": \"x\", \"web\": \"node app.js\"",
            "npm run dev",
        ),
        (
            "\"dev\": \"LOG=1 npm run web\", \"web\": \"node app.js\"",
            "npm run dev",
        ),
        (
            "\"predev\": \"node make.js\", \"dev\": \"npm run web\", \"web\": \"node app.js\"",
            "npm run dev",
        ),
        // Nothing is lost if the inner script runs.
        (
            "\"dev\": \"npm run web\", \"web\": \"node app.js\"",
            "npm run web",
        ),
        // A port in the inner script is removed, and the rest is kept.
        (
            "\"dev\": \"node make.js && npm run web\", \"web\": \"PORT=4100 node app.js --log\"",
            "node make.js && node app.js --log",
        ),
        (
            "\"dev\": \"npm run make && npm run web -- --log\", \"make\": \"x\", \"web\": \"rimraf x; PORT=4100 node app.js\"",
            "npm run make && npm exec -- rimraf x; node app.js --log",
        ),
        (
            "\"predev\": \"x\", \"dev\": \"PORT=4100 node app.js\"",
            "npm run predev && node app.js",
        ),
        ("\"dev\": \"bash -c \\\"node app.js\\\"\"", "npm run dev"),
        (
            "\"dev\": \"sh -c 'PORT=4100 node app.js 2>&1 | tee log'\"",
            "node app.js 2>&1 | tee log",
        ),
    ] {
        let found = package(scripts, &["nodemon", "rimraf", "pino-pretty"], &[SERVER]);
        assert_eq!(found.command, command, "{scripts}");
        assert_eq!(found.prefers(), Some(4100), "{scripts}");
    }
}

#[test]
fn arguments_with_the_port_pass_through_scripts() {
    for (scripts, command) in [
        (
            "\"dev\": \"node make.js && pnpm web\", \"web\": \"vite --open\"",
            "npm run dev -- --port {port} --strictPort",
        ),
        (
            "\"dev\": \"node make.js && npm run web -- --open\", \"web\": \"vite\"",
            "npm run dev -- --port {port} --strictPort",
        ),
        // Here npm would consume them.
        (
            "\"dev\": \"tsc -b && npm run web\", \"web\": \"vite --open\"",
            "npm exec -- tsc -b && npm exec -- vite --open --port {port} --strictPort",
        ),
        (
            "\"dev\": \"vite 2>&1 | tee log\"",
            "npm exec -- vite --port {port} --strictPort 2>&1 | tee log",
        ),
        (
            "\"dev\": \"dotenv -e a.env -- npm run web\", \"web\": \"vite\"",
            "npm exec -- dotenv -e a.env -- vite --port {port} --strictPort",
        ),
        (
            "\"dev\": \"vite --host $HOST --port 4000\"",
            "npm exec -- vite --host \"$HOST\" --port {port} --strictPort",
        ),
    ] {
        let found = package(scripts, &["vite", "typescript"], &[]);
        assert_eq!(found.command, command, "{scripts}");
        assert!(found.prefers().is_some(), "{scripts}");
    }
    // `generate` may belong to a package or to the machine.
    let found = package("\"dev\": \"generate && vite --port 4000\"", &["vite"], &[]);
    assert_eq!(
        (found.command.as_str(), found.port),
        ("npm run dev", Some(DetectedPort::Fixed(4000)))
    );
}

#[test]
fn a_server_that_reads_port_keeps_its_pipe() {
    let found = package("\"dev\": \"A=1 next dev | pino-pretty\"", &["next"], &[]);
    assert_eq!(
        (found.command.as_str(), found.prefers()),
        ("npm run dev", Some(3000))
    );
    found.has_evidence("`next` reads `PORT`");
    let found = package("\"dev\": \"next dev --port ${PORT:-3010}\"", &["next"], &[]);
    assert_eq!(
        (found.command.as_str(), found.prefers()),
        ("npm run dev", Some(3010))
    );
}

#[test]
fn what_runs_before_several_commands_is_a_service_that_ends() {
    let scripts = "\"dev\": \"npm run make && LOG=1 concurrently 'npm:web -- --open' 'node app.js'\", \
                   \"make\": \"x\", \"web\": \"vite\"";
    let detection = all(scripts, &["vite"], &[SERVER]);
    let found: Vec<(&str, &str)> = detection
        .services
        .iter()
        .map(|one| (one.name.as_str(), one.command.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("before-make", "npm run make"),
            (
                "frontend",
                "LOG=1 npm run web -- --open --port {port} --strictPort"
            ),
            ("backend", "LOG=1 node app.js"),
        ]
    );
    for one in &detection.services[1..] {
        assert_eq!(one.after, [("before-make".to_owned(), "completed")]);
    }
    assert_eq!(detection.services[0].port, None);
}

#[test]
fn an_address_that_a_script_waits_for_is_mapped() {
    let scripts = "\"dev\": \"wait-on http://localhost:4100 && vite\", \"api\": \"node app.js\"";
    let detection = all(scripts, &["vite", "wait-on"], &[SERVER]);
    assert_eq!(
        detection.services[0].command,
        "npm exec -- wait-on http://localhost:{backend.port} && npm exec -- vite --port {port} --strictPort"
    );
    let scripts = "\"dev\": \"start-server-and-test api http://localhost:4100 vite\", \"api\": \"node app.js\"";
    let detection = all(scripts, &["vite"], &[SERVER]);
    let commands: Vec<&str> = detection
        .services
        .iter()
        .map(|one| one.command.as_str())
        .collect();
    assert_eq!(
        commands,
        ["npm run api", "npm exec -- vite --port {port} --strictPort"]
    );
}

#[test]
fn a_part_in_another_directory_is_found_there() {
    let root = "{\"scripts\": {\"dev\": \"concurrently 'vite' 'cd api && go run .' '(cd jobs && ./run)'\"}, \
                \"devDependencies\": {\"vite\": \"7\"}}";
    let go =
        "package main\nimport \"net/http\"\nfunc main() { http.ListenAndServe(\":8080\", nil) }\n";
    let files = [
        ("package.json", root),
        ("api/go.mod", "module api\n"),
        ("api/main.go", go),
        ("jobs/run", ""),
    ];
    let detection = checkout(&files, &["npm", "go"]);
    let web = &detection.services[0];
    let left_out: Vec<&String> = web
        .evidence
        .iter()
        .filter(|one| one.contains("does not start"))
        .collect();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert!(left_out[0].contains("`cd jobs && ./run`"), "{left_out:?}");
    assert!(detection.services.iter().any(|one| one.dir == "api"));
}

#[test]
fn what_a_build_makes_is_found_by_its_source() {
    let source = (
        "src/main.ts",
        "app.listen(Number(process.env.API_PORT) || 4200)",
    );
    for script in [
        "tsup --watch --onSuccess \\\"node dist/main.js\\\"",
        "tsc-watch --onSuccess 'node ./out/main.js'",
        "tsc-watch -p src/tsconfig.json --onsuccess 'node out/main.js'",
        "nodemon --watch src --exec 'tsx src/main.ts'",
        "esbuild src/main.ts --bundle --outfile=dist/app.js && node dist/app.js",
        "npm run build && node dist/main.js",
    ] {
        let scripts = format!("\"dev\": \"{script}\", \"build\": \"tsc\"");
        let found = package(&scripts, &["fastify"], &[source]);
        assert_eq!(
            (found.command.as_str(), found.prefers()),
            ("npm run dev", Some(4200)),
            "{script}"
        );
        assert_eq!(found.env["API_PORT"], "{port}");
    }
}

#[test]
fn pnpm_passes_arguments_on() {
    let text = manifest(
        "\"dev\": \"pnpm run web --open\", \"web\": \"vite\"",
        &["vite"],
    );
    let found = only(
        &[("package.json", &text), ("pnpm-lock.yaml", "")],
        &["pnpm"],
    );
    assert_eq!(found.command, "pnpm run dev --port {port} --strictPort");
}

#[test]
fn a_short_flag_with_a_port_is_replaced() {
    let found = package(
        "\"dev\": \"node app.js -p 4020\"",
        &[],
        &[("app.js", "http.createServer(f).listen(port)")],
    );
    assert_eq!(
        (found.command.as_str(), found.prefers()),
        ("node app.js -p {port}", Some(4020))
    );
    let text = manifest("\"dev\": \"vite --port $WEB_PORT\"", &["vite"]);
    let found = only(&[("package.json", &text), (".env", "WEB_PORT=4015\n")], NPM);
    assert_eq!(found.prefers(), Some(4015));
}

#[test]
fn every_part_runs_that_is_written_as_another_script() {
    let scripts = "\"dev\": \"vite & npm run ws\", \"ws\": \"tsx ws.ts\"";
    let detection = all(scripts, &["vite"], &[("ws.ts", "connect()")]);
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|one| (one.command.as_str(), one.port.is_some()))
        .collect();
    assert_eq!(
        found,
        [
            ("npm exec -- vite --port {port} --strictPort", true),
            ("npm run ws", false)
        ]
    );
}

#[test]
fn programs_of_other_languages_serve() {
    let scripts = "\"dev\": \"run-p web api\", \"web\": \"vite\", \"api\": \"python3 -m http.server 5013 --directory public\"";
    let detection = all(scripts, &["vite"], &[]);
    let found = detection.commands();
    assert_eq!(
        found,
        [
            ("npm run web -- --port {port} --strictPort", Some(5173)),
            (
                "python3 -m http.server {port} --directory public",
                Some(5013)
            ),
        ]
    );
}

#[test]
fn containers_that_a_script_starts_are_left_to_portway() {
    let compose = "services:\n  db:\n    image: postgres:17\n    ports: ['5432:5432']\n";
    for (scripts, command) in [
        (
            "\"dev\": \"docker compose up -d db && wait-on tcp:5432 && npm run migrate && next dev\", \"migrate\": \"x\"",
            "npm run migrate && npm exec -- next dev --port {port}",
        ),
        (
            "\"dev\": \"npm run db && next dev\", \"db\": \"docker-compose up -d\"",
            "npm exec -- next dev --port {port}",
        ),
    ] {
        let detection = all(scripts, &["next"], &[("compose.yaml", compose)]);
        assert_eq!(detection.services[0].command, command);
        detection.services[0].has_evidence("starts containers, which Portway does itself");
    }
    let scripts = "\"dev\": \"docker compose up -d && next dev\"";
    let found = package(scripts, &["next"], &[]);
    assert_eq!(found.command, "npm run dev -- --port {port}");
}

#[test]
fn the_entry_of_a_package_below_is_not_a_server_of_this_one() {
    let root = "{\"main\": \"server/index.js\", \"scripts\": {\"dev\": \"npm-run-all --parallel dev:*\", \
                \"dev:web\": \"cd web && npm run dev\", \"dev:server\": \"cd server && npm run dev\"}}";
    let server = "{\"scripts\": {\"dev\": \"nodemon\"}, \"dependencies\": {\"express\": \"5\"}}";
    let detection = crate::fixture::checkout(
        &[
            ("package.json", root),
            ("server/package.json", server),
            ("server/index.js", SERVER.1),
            ("web/package.json", "{\"scripts\": {\"dev\": \"vite\"}}"),
        ],
        &["npm"],
    );
    let found: Vec<&str> = detection
        .services
        .iter()
        .map(|one| one.dir.as_str())
        .collect();
    assert_eq!(found, ["server", "web"]);
    // Without a package, it belongs to this one.
    let alone = crate::fixture::checkout(
        &[
            ("package.json", "{\"main\": \"server/index.js\"}"),
            ("server/index.js", SERVER.1),
        ],
        &["npm"],
    );
    assert_eq!(alone.services.len(), 1);
}
