//! Scripts that reach a server through wrappers, starters and other tools.

use super::{NPM, manifest, names, package};
use crate::fixture::checkout;
use crate::{DetectedPort, DetectedService, Detection};
use portway_project::kind::Kind;

#[test]
fn follows_wrappers_to_the_server() {
    for (scripts, command) in [
        (
            "\"dev\": \"pnpm with-env next dev\", \"with-env\": \"dotenv -e ../.env --\"",
            "npm run dev -- --port {port}",
        ),
        (
            "\"dev\": \"op run --env-file=.env -- next dev\"",
            "npm run dev -- --port {port}",
        ),
        ("\"dev\": \"pnpm next dev\"", "npm run dev -- --port {port}"),
        (
            "\"dev\": \"bun --bun run next dev\"",
            "npm run dev -- --port {port}",
        ),
        (
            "\"dev\": \"corepack pnpm exec next dev\"",
            "npm run dev -- --port {port}",
        ),
        (
            "\"dev\": \"node --run web\", \"web\": \"next dev\"",
            "npm run web -- --port {port}",
        ),
        (
            "\"dev\": \"node --inspect node_modules/next/dist/bin/next dev\"",
            "npm run dev -- --port {port}",
        ),
        // It chooses a port itself.
        (
            "\"dev\": \"portless shop next dev\"",
            "npm exec -- next dev --port {port}",
        ),
        (
            "\"dev\": \"portless run --name shop -- next dev\"",
            "npm exec -- next dev --port {port}",
        ),
    ] {
        let found = package(scripts, &["next"], &[]);
        assert_eq!(found.command, command, "{scripts}");
        assert_eq!(found.prefers(), Some(3000));
    }
}

fn of(scripts: &str, dependencies: &[&str], files: &[(&str, &str)]) -> Detection {
    let text = manifest(scripts, dependencies);
    let mut all = vec![("package.json", text.as_str())];
    all.extend_from_slice(files);
    checkout(&all, NPM)
}

fn commands(detection: &Detection) -> Vec<&str> {
    let services = detection.services.iter();
    services.map(|one| one.command.as_str()).collect()
}

#[test]
fn every_part_of_a_script_that_runs_at_the_same_time_is_started() {
    let server = ("server.js", "require('express')().listen(process.env.PORT)");
    let parts = [
        "vite & node server.js & tsc -w",
        "concurrently -k --restart-tries 3 'vite' 'node server.js' 'tsc -w'",
        "concurrently 'npm:dev:*'",
        "run-p dev:*",
        "npm-run-all --parallel dev:web dev:api dev:types",
        "npm-run-all2 -p 'dev:web -- --open' dev:api dev:types",
    ];
    for part in parts {
        let scripts = format!(
            "\"dev\": \"{part}\", \"dev:web\": \"vite\", \"dev:api\": \"node server.js\", \
             \"dev:types\": \"tsc -w\""
        );
        let detection = of(&scripts, &["vite", "express"], &[server]);
        let ports: Vec<bool> = detection
            .services
            .iter()
            .map(|one| one.port.is_some())
            .collect();
        assert_eq!(
            ports,
            [true, true, false],
            "{part}: {:?}",
            commands(&detection)
        );
    }
}

#[test]
fn the_first_command_of_a_pipe_serves() {
    let server = ("src/index.ts", "app.listen(process.env.PORT)");
    let found = package(
        "\"dev\": \"tsx watch src/index.ts | pino-pretty\"",
        &["express"],
        &[server],
    );
    assert_eq!(found.command, "npm run dev");
    found.has_evidence("`PORT`");
}

#[test]
fn workers_run_beside_the_server() {
    let files = [
        ("src/index.ts", "app.listen(process.env.PORT)"),
        ("src/worker.ts", "new Worker('mail', handle)"),
    ];
    let scripts = "\"dev\": \"tsx watch src/index.ts\", \"worker:dev\": \"tsx watch src/worker.ts\", \
                   \"worker\": \"node dist/worker.js\"";
    let detection = of(scripts, &["express", "bullmq"], &files);
    assert_eq!(commands(&detection), ["npm run dev", "npm run worker:dev"]);
    assert_eq!(detection.services[1].port, None);
    let both = "\"dev\": \"concurrently 'tsx watch src/index.ts' 'tsx watch src/worker.ts'\"";
    let detection = of(both, &["express", "bullmq"], &files);
    let ports: Vec<bool> = detection
        .services
        .iter()
        .map(|one| one.port.is_some())
        .collect();
    assert_eq!(ports, [true, false]);
    // A compiled worker needs a build that nothing starts.
    let built = "\"dev\": \"tsx watch src/index.ts\", \"worker\": \"node dist/worker.js\"";
    assert_eq!(commands(&of(built, &["express"], &files)), ["npm run dev"]);
}

#[test]
fn storybook_and_mock_servers_are_optional() {
    let scripts = "\"dev\": \"vite\", \"storybook\": \"storybook dev -p 6006\", \
                   \"mock\": \"tsx mock-server.ts\"";
    let mock = ("mock-server.ts", "app.listen(process.env.MOCK_PORT)");
    let detection = of(scripts, &["vite", "express"], &[mock]);
    assert_eq!(
        commands(&detection),
        [
            "npm run dev -- --port {port} --strictPort",
            "npm exec -- storybook dev --port {port} --ci",
            "npm run mock"
        ]
    );
    let optional: Vec<bool> = detection.services.iter().map(|one| one.optional).collect();
    assert_eq!(optional, [false, true, true]);
    assert_eq!(detection.services[1].prefers(), Some(6006));
    assert_eq!(detection.services[2].env["MOCK_PORT"], "{port}");
}

#[test]
fn a_client_of_grpc_serves_nothing() {
    let serves = "server.bindAsync('0.0.0.0:50051', credentials, () => {})";
    let found = package(
        "\"dev\": \"tsx server.ts\"",
        &["@grpc/grpc-js"],
        &[("server.ts", serves)],
    );
    assert_eq!(
        (found.kind, found.port),
        (Kind::Tcp, Some(DetectedPort::Fixed(50_051)))
    );
    let client = [("client.ts", "new Greeter('localhost:50051')")];
    assert!(
        of("\"dev\": \"tsx client.ts\"", &["@grpc/grpc-js"], &client)
            .services
            .is_empty()
    );
}

/// The services of an Nx workspace with these files.
fn nx(files: &[(&str, &str)]) -> Detection {
    let mut all = vec![
        ("nx.json", "{}"),
        (
            "package.json",
            "{\"scripts\": {\"start\": \"nx serve\"}, \"devDependencies\": {\"nx\": \"21\", \"express\": \"5\"}}",
        ),
    ];
    all.extend_from_slice(files);
    checkout(&all, NPM)
}

#[test]
fn targets_of_nx_serve() {
    let project = |name: &str, target: &str| {
        format!(
            "{{\"name\": \"{name}\", \"projectType\": \"application\", \"targets\": {{{target}}}}}"
        )
    };
    let web = project(
        "shop-web",
        "\"serve\": {\"executor\": \"@angular/build:dev-server\", \"options\": {\"port\": 4300}}",
    );
    let api = project("api", "\"serve\": {\"executor\": \"@nx/js:node\"}");
    let docs = project("docs-site", "\"serve\": {\"command\": \"astro dev\"}");
    let cart = project("cart", "\"build\": {}");
    let tests = project(
        "web-e2e",
        "\"e2e\": {\"executor\": \"@nx/cypress:cypress\"}",
    );
    let detection = nx(&[
        ("apps/shop/web/project.json", &web),
        ("apps/api/project.json", &api),
        (
            "apps/api/src/main.ts",
            "app.listen(process.env.PORT || 3333)",
        ),
        ("apps/site/project.json", &docs),
        ("apps/cart/project.json", &cart),
        (
            "apps/cart/rsbuild.config.ts",
            "export default { server: {\n port: 4201 } }",
        ),
        ("apps/web-e2e/project.json", &tests),
        (
            "libs/ui/project.json",
            "{\"name\": \"ui\", \"projectType\": \"library\"}",
        ),
        ("libs/ui/vite.config.ts", "export default {}"),
    ]);
    let find = |name: &str| -> &DetectedService {
        let mut services = detection.services.iter();
        services
            .find(|one| one.name == name)
            .unwrap_or_else(|| panic!("{name}: {:?}", names(&detection)))
    };
    assert_eq!(
        find("web").command,
        "npm exec -- nx run shop-web:serve --port {port}"
    );
    assert_eq!(find("web").prefers(), Some(4300));
    assert_eq!(find("web").prepare_dir.as_deref(), Some(""));
    assert_eq!(find("api").command, "npm exec -- nx run api:serve");
    assert_eq!(
        (find("api").framework, find("api").prefers()),
        ("express", Some(3333))
    );
    assert_eq!(
        find("site").command,
        "npm exec -- nx run docs-site:serve --port {port}"
    );
    assert_eq!(
        find("cart").command,
        "npm exec -- rsbuild dev --port {port}"
    );
    assert_eq!(find("cart").prefers(), Some(4201));
    assert_eq!(detection.services.len(), 4);
    let passed: Vec<&str> = detection
        .passed_over
        .iter()
        .map(|one| one.file.as_str())
        .collect();
    assert!(passed.contains(&"apps/web-e2e/project.json"), "{passed:?}");
}

#[test]
fn a_project_in_the_root_of_nx_has_its_name() {
    let root = "{\"name\": \"api\", \"targets\": {\"serve\": {\"executor\": \"@nx/js:node\"}}}";
    let detection = nx(&[
        ("project.json", root),
        ("src/main.ts", "app.listen(process.env.PORT || 3000)"),
    ]);
    assert_eq!(names(&detection), ["api"]);
    assert_eq!(
        detection.services[0].command,
        "npm exec -- nx run api:serve"
    );
}
