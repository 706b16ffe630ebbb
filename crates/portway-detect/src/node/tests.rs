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
fn runs_a_script_that_passes_port_unchanged() {
    for script in ["next dev -p $PORT", "tsc && vite --port ${PORT:-5173}"] {
        let found = package(&format!("\"dev\": \"{script}\""), &["x"], &[]);
        assert_eq!(found.command, "npm run dev");
        assert!(found.prefers().is_some());
    }
}

#[test]
fn keeps_a_port_that_cannot_be_set() {
    for (script, port) in [
        ("vite & tsc -w; wait", None),
        ("tsc && vite --port 4000", Some(4000)),
        ("vite ./ > log", Some(5173)),
    ] {
        let text = manifest(&format!("\"dev\": \"{script}\""), &["vite"]);
        let detection = checkout(&[("package.json", &text)], NPM);
        let found = detection.services.first();
        assert_eq!(
            found.and_then(|found| found.port),
            port.map(DetectedPort::Fixed),
            "{script}"
        );
        if let Some(found) = found {
            assert_eq!(found.command, "npm run dev");
        }
    }
}

#[test]
fn reads_the_preferred_port_from_configuration_and_script() {
    let config = "export default defineConfig({\n  server: {\n    port: 3100,\n  },\n})";
    let found = package(
        "\"dev\": \"vite\"",
        &["vite"],
        &[("vite.config.ts", config)],
    );
    assert_eq!(found.prefers(), Some(3100));
    found.has_evidence("vite.config.ts sets port 3100");
    let angular =
        "{\"projects\": {\"a\": {\"architect\": {\"serve\": {\"options\": {\n\"port\": 4300}}}}}}";
    let found = package(
        "\"start\": \"ng serve\"",
        &["@angular/cli"],
        &[("angular.json", angular)],
    );
    assert_eq!(found.prefers(), Some(4300));
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
fn detects_a_fixed_port_of_a_nest_application() {
    for (source, port) in [
        (
            "await app.listen(process.env.PORT ?? 3000);",
            DetectedPort::Preferred(3000),
        ),
        ("await app.listen(3333);", DetectedPort::Fixed(3333)),
    ] {
        let found = package(
            "\"start:dev\": \"nest start --watch\"",
            &["@nestjs/core"],
            &[("src/main.ts", source)],
        );
        assert_eq!(
            (found.port, found.command.as_str()),
            (Some(port), "npm run start:dev")
        );
    }
}

#[test]
fn finds_the_port_in_another_file() {
    let found = package(
        "\"dev\": \"node src/main.js\"",
        &["fastify"],
        &[
            ("src/main.js", "app.listen({ port: config.port })"),
            (
                "src/config/env.js",
                "export const port = Number(process.env.PORT ?? 8123)",
            ),
        ],
    );
    assert_eq!(found.prefers(), Some(8123));
    found.has_evidence("src/config/env.js reads `PORT`");
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
    let scripts = "\"dev\": \"concurrently -n a,b \\\"npm:server\\\" \\\"npm run client\\\" \\\"tsc -w\\\"\", \
                   \"server\": \"node server.js\", \"client\": \"vite\"";
    let text = manifest(scripts, &["express", "vite"]);
    let server = ("server.js", "express().listen(process.env.PORT)");
    let detection = checkout(&[("package.json", &text), server], NPM);
    assert_eq!(names(&detection), ["backend", "frontend"]);
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

#[test]
fn detects_managers_by_lock_file_and_declaration() {
    for (file, text, programs, command, prepare) in [
        (
            "package-lock.json",
            "",
            &["npm"][..],
            "npm run dev -- --port {port} --strictPort",
            "npm install --no-save --no-audit --no-fund",
        ),
        (
            "pnpm-lock.yaml",
            "",
            &["pnpm"],
            "pnpm run dev --port {port} --strictPort",
            "pnpm install --frozen-lockfile",
        ),
        (
            "yarn.lock",
            "",
            &["yarn"],
            "yarn run dev --port {port} --strictPort",
            "yarn install --frozen-lockfile",
        ),
        (
            "bun.lock",
            "",
            &["bun"],
            "bun run dev --port {port} --strictPort",
            "bun install --frozen-lockfile",
        ),
        (
            "pnpm-lock.yaml",
            "",
            &["corepack"],
            "corepack pnpm run dev --port {port} --strictPort",
            "corepack pnpm install --frozen-lockfile",
        ),
    ] {
        let package = manifest("\"dev\": \"vite\"", &["vite"]);
        let found = only(&[("package.json", &package), (file, text)], programs);
        assert_eq!(
            (found.command.as_str(), found.prepare.as_deref()),
            (command, Some(prepare))
        );
        found.has_evidence(&format!("{file} exists"));
    }
    let declared = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"8\"}, \"packageManager\": \"yarn@4.1.0+sha\"}";
    let found = only(&[("package.json", declared), ("yarn.lock", "")], &["yarn"]);
    assert_eq!(found.prepare.as_deref(), Some("yarn install --immutable"));
    let found = only(&[("package.json", declared)], &[]);
    found.has_evidence("`packageManager` in package.json is yarn@4.1.0+sha");
    found.has_evidence("`yarn` is not installed");
}

#[test]
fn installs_workspace_members_at_the_root() {
    let web = manifest("\"dev\": \"vite\"", &["vite"]);
    let api = manifest("\"dev\": \"tsx src/a.ts\"", &["express"]);
    let npm = (
        "package.json",
        "{\"workspaces\": [\"apps/*\"], \"scripts\": {\"dev\": \"turbo dev\"}}",
    );
    let pnpm = ("pnpm-workspace.yaml", "packages: ['apps/*']");
    for (root, programs, prepare) in [
        (
            npm,
            &["npm"][..],
            "npm install --no-save --no-audit --no-fund",
        ),
        (pnpm, &["pnpm"], "pnpm install --no-lockfile"),
    ] {
        let lock = match root == pnpm {
            true => ("package.json", "{\"packageManager\": \"pnpm@9\"}"),
            false => ("package-lock.json", "{}"),
        };
        let files = [
            root,
            lock,
            ("apps/web/package.json", web.as_str()),
            ("apps/api/package.json", api.as_str()),
            ("apps/api/src/a.ts", ""),
        ];
        let detection = checkout(&files, programs);
        assert_eq!(names(&detection), ["api", "web"]);
        for found in &detection.services {
            assert_eq!(found.prepare.as_deref(), Some(prepare));
            assert_eq!(found.prepare_dir.as_deref(), Some(""));
            found.has_evidence(&format!("it is a member of the workspace of {}", root.0));
        }
        let text = detection.manifest("p");
        let line = format!("prepare = {{ command = \"{prepare}\", dir = \".\" }}");
        assert_eq!(text.matches(&line).count(), 2, "{text}");
    }
}

#[test]
fn reports_a_broken_package_and_finds_the_rest() {
    for (broken, why) in [
        ("{\"scripts\": ", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ("\"x\"", "is not a JSON object"),
    ] {
        let good = manifest("\"dev\": \"vite\"", &["vite"]);
        let files = [
            ("web/package.json", good.as_str()),
            ("api/package.json", broken),
        ];
        let detection = checkout(&files, NPM);
        assert_eq!(names(&detection), ["web"]);
        assert_eq!(detection.skipped.len(), 1, "{detection:#?}");
        assert_eq!(detection.skipped[0].file, "api/package.json");
        assert!(detection.skipped[0].why.contains(why), "{detection:#?}");
    }
    for odd in [
        "{\"scripts\": [1], \"dependencies\": 3, \"workspaces\": {\"packages\": 3}, \"packageManager\": 1, \"main\": []}",
        "{\"scripts\": {\"dev\": [1]}, \"workspaces\": [1, null, \"**/**/**/**/**/**/**/**/**/*\"]}",
        "{}",
    ] {
        assert!(checkout(&[("package.json", odd)], NPM).services.is_empty());
    }
}
