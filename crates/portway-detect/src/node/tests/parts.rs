//! Parts of scripts: databases, commands after a build, configuration files that a command names, and
//! scripts that start the members of a workspace.

use crate::DetectedService;
use crate::fixture::{checkout, only};
use portway_project::kind::Kind;

fn package(script: &str, more: &str) -> String {
    format!(
        "{{\"scripts\": {{\"dev\": \"{script}\"{more}}}, \"dependencies\": {{\"express\": \"5\"}}}}"
    )
}

#[test]
fn a_database_in_a_parallel_script_is_a_service_that_the_others_wait_for() {
    let package = package(
        "run-p db-server:file dev:*",
        ", \"dev:next\": \"next dev\", \"db-server:file\": \"pglite-server --db=x.db --run 'npm run migrate'\"",
    );
    let found = checkout(&[("package.json", &package)], &["npm"]).services;
    let named = |name: &str| -> &DetectedService {
        let mut all = found.iter();
        all.find(|one| one.name == name)
            .unwrap_or_else(|| panic!("no {name} in {found:#?}"))
    };
    let (db, web) = (named("db"), named("frontend"));
    assert_eq!(db.command, "npm run db-server:file -- --port={port}");
    assert_eq!((db.kind, db.prefers()), (Kind::Postgres, Some(5432)));
    assert_eq!(web.after, [("db".to_owned(), "ready")]);
}

#[test]
fn a_server_of_the_machine_does_not_come_from_a_package() {
    let package = package("concurrently 'redis-server --port 6380' 'vite'", "");
    let found = checkout(&[("package.json", &package)], &["npm"]).services;
    let commands: Vec<&str> = found.iter().map(|one| one.command.as_str()).collect();
    assert_eq!(
        commands,
        [
            "redis-server --port {port}",
            "npm exec -- vite --port {port} --strictPort"
        ]
    );
    assert_eq!(found[0].prefers(), Some(6380));
}

#[test]
fn what_runs_after_a_build_is_the_server() {
    for script in [
        "tsdown --watch --onSuccess 'node --env-file=.env .'",
        "tsup src/lib.ts --watch --onSuccess='node dist/start.js'",
    ] {
        let package =
            package(script, "").replace("{\"scripts", "{\"main\": \"./dist/start.mjs\", \"scripts");
        let found = only(
            &[
                ("package.json", &package),
                ("src/lib.ts", "export const x = 1"),
                ("src/start.ts", "import { app } from './server'"),
                ("src/server.ts", "app.listen(env.PORT || 3000)"),
                (".env.example", "PORT=3100\n"),
            ],
            &["npm"],
        );
        assert_eq!(
            (found.command.as_str(), found.prefers()),
            ("npm run dev", Some(3100))
        );
    }
}

#[test]
fn the_configuration_that_a_command_names_sets_the_port() {
    let config = "export default { server: { port: 3050 } }";
    for (script, files) in [
        (
            "vite --config ./config/vite.config.js",
            vec![("config/vite.config.js", config)],
        ),
        ("vite -c config/dev.ts", vec![("config/dev.ts", config)]),
        ("vite ./site", vec![("site/vite.config.ts", config)]),
        (
            "vite --config=dev.ts",
            vec![
                ("dev.ts", config),
                ("vite.config.ts", "server: { port: 1 }"),
            ],
        ),
        (
            "wrangler dev",
            vec![("wrangler.toml", "name = \"x\"\n[dev]\nport = 3050\n")],
        ),
        (
            "wrangler dev",
            vec![("wrangler.jsonc", "{ // x\n \"dev\": {\"port\": 3050} }")],
        ),
    ] {
        let package = package(script, "");
        let mut files = files;
        files.push(("package.json", &package));
        let found = only(&files, &["npm"]);
        assert_eq!(found.prefers(), Some(3050), "{script}");
        found.has_evidence("sets port 3050");
    }
}

#[test]
fn a_file_that_a_command_reads_sets_the_port() {
    let server = "export default app;\n";
    for script in [
        "bun run --watch --env-file ../../.env ./dev.ts",
        "node --env-file=../../.env dev.ts",
        "dotenv -e ../../.env -- tsx watch dev.ts",
    ] {
        let package = package(script, "");
        let found = only(
            &[
                ("package.json", "{\"workspaces\": [\"apps/*\"]}"),
                (".env", "PORT=8787\n"),
                ("apps/api/package.json", &package),
                ("apps/api/dev.ts", server),
            ],
            &["npm", "bun"],
        );
        assert_eq!(found.prefers(), Some(8787), "{script}");
        found.has_evidence(".env sets `PORT` to 8787");
    }
}

#[test]
fn a_root_that_starts_its_members_serves_no_build_itself() {
    let site = "{\"scripts\": {\"dev\": \"vite\"}}";
    for dev in [
        "pnpm -r dev",
        "turbo dev",
        "pnpm --filter=web dev",
        "nx run-many -t serve",
    ] {
        let root = package(dev, ", \"start\": \"http-server web/dist -p 3000\"");
        let found = checkout(
            &[
                ("package.json", &root),
                ("pnpm-workspace.yaml", "packages: [web]"),
                ("web/package.json", site),
            ],
            &["pnpm"],
        );
        let dirs: Vec<&str> = found.services.iter().map(|one| one.dir.as_str()).collect();
        assert_eq!(dirs, ["web"], "{dev}");
    }
}

#[test]
fn a_program_may_have_a_version() {
    let package = package("npx vite@latest --host", "");
    let found = only(&[("package.json", &package)], &["npm"]);
    assert_eq!(found.framework, "vite");
}

#[test]
fn concurrently_runs_scripts_of_every_manager_by_name() {
    let more = ", \"web\": \"vite\", \"api\": \"mise exec -- node server.js\"";
    for script in [
        "concurrently pnpm:web yarn:api",
        "concurrently 'bun:web' 'node:api'",
    ] {
        let package = package(script, more);
        let files = [
            ("package.json", package.as_str()),
            ("server.js", "app.listen(process.env.PORT)"),
        ];
        let found = checkout(&files, &["npm"]).services;
        let names: Vec<&str> = found.iter().map(|one| one.framework).collect();
        assert_eq!(names, ["vite", "express"], "{script}");
    }
}

#[test]
fn nitro_is_not_left_to_ask_for_a_date() {
    let package =
        "{\"scripts\": {\"dev\": \"nitropack dev\"}, \"devDependencies\": {\"nitropack\": \"2\"}}";
    let date = |files: &[(&str, &str)]| {
        let mut all = vec![("package.json", package)];
        all.extend(files);
        only(&all, &["npm"]).env.get("COMPATIBILITY_DATE").cloned()
    };
    assert_eq!(date(&[]).as_deref(), Some("2024-04-03"));
    let config = "export default defineNitroConfig({ compatibilityDate: '2025-01-01' })";
    assert_eq!(date(&[("nitro.config.ts", config)]), None);
}

#[test]
fn npx_runs_a_package_with_a_scope_by_its_name() {
    for (script, framework, port) in [
        ("npx @11ty/eleventy --serve --quiet", "eleventy", 8080),
        ("npx @11ty/eleventy@3 --serve", "eleventy", 8080),
        ("npx @angular/cli serve", "angular", 4200),
        ("next-remote-watch ./content", "next", 3000),
    ] {
        let found = only(&[("package.json", &package(script, ""))], &["npm"]);
        let described = (found.framework, found.prefers());
        assert_eq!(described, (framework, Some(port)), "{script}");
    }
}

#[test]
fn a_server_of_files_says_its_port_with_flags_of_its_own() {
    for script in [
        "serve public -l 5000 -s",
        "serve -s public --listen 5000",
        "serve -p 5000 public",
    ] {
        let found = only(&[("package.json", &package(script, ""))], &["npm"]);
        assert_eq!(found.prefers(), Some(5000), "{script}");
        assert!(
            found.command.ends_with("--listen {port}"),
            "{}",
            found.command
        );
        assert!(!found.command.contains("5000"), "{}", found.command);
    }
}

#[test]
fn a_script_with_a_name_of_its_own_starts_the_server() {
    let found = |scripts: &str| {
        let package =
            format!("{{\"scripts\": {{{scripts}}}, \"dependencies\": {{\"express\": \"5\"}}}}");
        let server = (
            "src/server.js",
            "require('express')().listen(process.env.PORT || 3000)",
        );
        let files = [("package.json", package.as_str()), server];
        let services = checkout(&files, &["npm"]).services;
        let commands: Vec<String> = services.into_iter().map(|one| one.command).collect();
        commands
    };
    let watch =
        "\"build\": \"tsc\", \"watch-server\": \"nodemon --watch src --exec node src/server.js\"";
    assert_eq!(found(watch), ["npm run watch-server"]);
    let both = "\"server-start\": \"node src/server.js\", \"run-dev\": \"nodemon src/server.js\"";
    assert_eq!(found(both), ["npm run run-dev"]);
    let usual = "\"watch-server\": \"nodemon src/server.js\", \"start\": \"node src/server.js\"";
    assert_eq!(found(usual), ["npm run start"]);
}
