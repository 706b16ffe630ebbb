mod indirection;
mod managers;
mod members;
mod own_file;
mod parts;
mod ports;
mod whole;

use crate::fixture::{checkout, only};
use crate::{DetectedPort, DetectedService, Detection};
use portway_project::kind::Kind;

const NPM: &[&str] = &["npm", "node"];

/// Returns the only service of a package with these scripts and dependencies.
#[track_caller]
fn package(scripts: &str, dependencies: &[&str], files: &[(&str, &str)]) -> DetectedService {
    let text = manifest(scripts, dependencies);
    let mut all = vec![("package.json", text.as_str())];
    all.extend_from_slice(files);
    only(&all, NPM)
}

fn manifest(scripts: &str, dependencies: &[&str]) -> String {
    let dependencies: Vec<String> = dependencies
        .iter()
        .map(|name| format!("\"{name}\": \"*\""))
        .collect();
    format!(
        "{{\"scripts\": {{{scripts}}}, \"dependencies\": {{{}}}}}",
        dependencies.join(", ")
    )
}

fn names(detection: &Detection) -> Vec<&str> {
    detection
        .services
        .iter()
        .map(|service| service.name.as_str())
        .collect()
}

#[test]
fn builds_the_command_of_every_dev_server() {
    for (script, dependency, framework, command, port) in [
        (
            "vite",
            "vite",
            "vite",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "vite dev",
            "@sveltejs/kit",
            "sveltekit",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "tsc -b && vite",
            "vite",
            "vite",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "NODE_ENV=x vite --open",
            "vite",
            "vite",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "next dev --turbo",
            "next",
            "next",
            "npm run dev -- --port {port}",
            3000,
        ),
        (
            "nuxt dev",
            "nuxt",
            "nuxt",
            "npm run dev -- --port {port}",
            3000,
        ),
        (
            "astro dev",
            "astro",
            "astro",
            "npm run dev -- --port {port}",
            4321,
        ),
        (
            "ng serve",
            "@angular/cli",
            "angular",
            "npm run dev -- --port {port}",
            4200,
        ),
        (
            "react-router dev",
            "x",
            "react-router",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "remix vite:dev",
            "x",
            "remix",
            "npm run dev -- --port {port} --strictPort",
            5173,
        ),
        (
            "react-scripts start",
            "x",
            "create-react-app",
            "npm run dev",
            3000,
        ),
        (
            "expo start",
            "expo",
            "expo",
            "npm run dev -- --port {port}",
            8081,
        ),
        (
            "nest start --watch",
            "@nestjs/core",
            "nest",
            "npm run dev",
            3000,
        ),
        (
            "wrangler dev",
            "wrangler",
            "wrangler",
            "npm run dev -- --port {port}",
            8787,
        ),
        // Scripts that set a port run without the script.
        (
            "vite --port 3000",
            "vite",
            "vite",
            "npm exec -- vite --port {port} --strictPort",
            3000,
        ),
        (
            "A=1 next dev -p 3001 -H x",
            "next",
            "next",
            "A=1 npm exec -- next dev -H x --port {port}",
            3001,
        ),
        (
            "PORT=3005 react-scripts start",
            "x",
            "create-react-app",
            "npm exec -- react-scripts start",
            3005,
        ),
    ] {
        let found = package(&format!("\"dev\": \"{script}\""), &[dependency], &[]);
        assert_eq!(found.command, command, "{script}");
        assert_eq!(
            (found.framework, found.prefers()),
            (framework, Some(port)),
            "{script}"
        );
        let install = "npm install --no-save --no-audit --no-fund";
        assert_eq!(found.prepare.as_deref(), Some(install));
        found.has_evidence("the script `dev` in package.json");
    }
}

#[test]
fn detects_servers_by_library_or_source() {
    let reads = "require('express')().listen(process.env.PORT || 4000)";
    let literal = "serve({\n  fetch: app.fetch,\n  port: 3000\n})";
    let http = "require('http').createServer().listen(process.env.PORT)";
    for (script, library, file, source, framework, port) in [
        (
            "node ./bin/www",
            "express",
            "bin/www",
            reads,
            "express",
            DetectedPort::Preferred(4000),
        ),
        (
            "tsx watch src/index.ts",
            "hono",
            "src/index.ts",
            literal,
            "hono",
            DetectedPort::Fixed(3000),
        ),
        (
            "nodemon",
            "express",
            "index.js",
            reads,
            "express",
            DetectedPort::Preferred(4000),
        ),
        (
            "nodemon --exec 'ts-node src/a.ts'",
            "koa",
            "src/a.ts",
            reads,
            "koa",
            DetectedPort::Preferred(4000),
        ),
        (
            "node --watch server",
            "x",
            "server.js",
            http,
            "node",
            DetectedPort::Preferred(3000),
        ),
        (
            "ts-node -P tsconfig.json src/a.ts",
            "koa",
            "src/a.ts",
            reads,
            "koa",
            DetectedPort::Preferred(4000),
        ),
        (
            "bun run --hot src/index.ts",
            "elysia",
            "src/index.ts",
            "",
            "elysia",
            DetectedPort::Preferred(3000),
        ),
    ] {
        let found = package(
            &format!("\"dev\": \"{script}\""),
            &[library],
            &[(file, source)],
        );
        assert_eq!(
            (found.framework, found.port),
            (framework, Some(port)),
            "{script}"
        );
        assert_eq!(
            (found.command.as_str(), found.kind),
            ("npm run dev", Kind::Http)
        );
    }
    let found = package(
        "\"dev\": \"tsx watch src/index.ts\"",
        &["hono"],
        &[("src/index.ts", literal)],
    );
    found.has_evidence("src/index.ts:3 requires port 3000");
}

#[test]
fn ignores_what_does_not_serve() {
    for (scripts, files) in [
        (
            "\"dev\": \"vite build --watch\", \"build\": \"vite build\"",
            &[][..],
        ),
        ("\"dev\": \"tsc -w\", \"test\": \"jest\"", &[]),
        (
            "\"start\": \"node cli.js\"",
            &[("cli.js", "console.log(1)")],
        ),
        ("\"start\": \"node dist/main.js\"", &[]),
        ("\"dev\": \"turbo run dev\"", &[]),
        ("\"dev\": \"pnpm -r dev\"", &[]),
        ("\"dev\": \"npm run dev\"", &[]),
        (
            "\"dev\": \"npm run start\", \"start\": \"npm run dev\"",
            &[],
        ),
        ("\"dev\": 3, \"start\": null", &[]),
        ("\"dev\": \"\"", &[]),
    ] {
        let text = manifest(scripts, &["lodash"]);
        let mut all = vec![("package.json", text.as_str())];
        all.extend_from_slice(files);
        let detection = checkout(&all, NPM);
        assert!(detection.services.is_empty(), "{scripts} {detection:#?}");
    }
}

#[test]
fn follows_scripts_that_start_others() {
    let scripts = "\"dev\": \"concurrently -n a,b \\\"npm:server\\\" \\\"npm run client\\\" \\\"tsc -w\\\" \\\"maildev -v\\\"\", \
                   \"server\": \"node server.js\", \"client\": \"vite\"";
    let text = manifest(scripts, &["express", "vite"]);
    let server = ("server.js", "express().listen(process.env.PORT)");
    let detection = checkout(&[("package.json", &text), server], NPM);
    assert_eq!(names(&detection), ["backend", "frontend", "tsc"]);
    detection.services[0].has_evidence("`maildev -v`, which Portway does not start");
    let watcher = &detection.services[2];
    assert_eq!(
        (watcher.command.as_str(), watcher.port),
        ("npm exec -- tsc -w", None)
    );
    assert_eq!(detection.services[0].command, "npm run server");
    assert_eq!(
        detection.services[1].command,
        "npm run client -- --port {port} --strictPort"
    );
    let scripts =
        "\"dev\": \"run-p dev:*\", \"dev:shop\": \"vite\", \"dev:admin\": \"vite admin/\"";
    let detection = checkout(&[("package.json", &manifest(scripts, &["vite"]))], NPM);
    assert_eq!(names(&detection), ["shop", "admin"]);
    // Without a script, the package manager runs the command.
    let scripts =
        "\"dev\": \"concurrently 'cd client && npm start' 'PORT=4000 nodemon server.js'\"";
    let text = manifest(scripts, &["express"]);
    let detection = checkout(&[("package.json", &text), server], NPM);
    assert_eq!(names(&detection), ["backend"]);
    assert_eq!(
        detection.services[0].command,
        "npm exec -- nodemon server.js"
    );
    assert_eq!(detection.services[0].prefers(), Some(4000));
}

#[test]
fn follows_scripts_that_run_their_arguments() {
    let with_env = "\"with-env\": \"dotenv -e ../.env --\"";
    for (dev, command, port) in [
        (
            "pnpm with-env next dev",
            "npm run dev -- --port {port}",
            Some(3000),
        ),
        (
            "npm run with-env -- next dev -p 4000",
            "npm exec -- dotenv -e ../.env -- next dev --port {port}",
            Some(4000),
        ),
        (
            "dotenv -e .env next dev -p 4000",
            "npm exec -- dotenv -e .env next dev --port {port}",
            Some(4000),
        ),
        (
            "doppler run -- next dev -p 4000",
            "doppler run -- next dev --port {port}",
            Some(4000),
        ),
    ] {
        let scripts = format!("\"dev\": \"{dev}\", {with_env}");
        let found = package(&scripts, &["next"], &[]);
        assert_eq!((found.framework, found.command.as_str()), ("next", command));
        assert_eq!(found.prefers(), port, "{dev}");
    }
}

#[test]
fn detects_an_api_server_beside_the_frontend() {
    let scripts = "\"dev\": \"vite\", \"server\": \"node server.js\", \"build\": \"vite build\"";
    let server = ("server.js", "http.createServer(f).listen(8081)");
    let text = manifest(scripts, &["vite"]);
    let detection = checkout(&[("package.json", &text), server], NPM);
    assert_eq!(names(&detection), ["frontend", "backend"]);
    assert_eq!(detection.services[1].port, Some(DetectedPort::Fixed(8081)));
}

#[test]
fn detects_a_listening_file_without_a_script() {
    let found = package(
        "",
        &["express"],
        &[("index.js", "app.listen(process.env.PORT)")],
    );
    assert_eq!(found.command, "node index.js");
    found.has_evidence("no script starts it, and index.js listens");
    let library = manifest("", &["express"]);
    let files = [
        ("package.json", library.as_str()),
        ("index.js", "module.exports = 1"),
    ];
    assert!(checkout(&files, NPM).services.is_empty());
}
