use crate::DetectedPort;
use crate::fixture::{checkout, only};
use portway_project::kind::Kind;

const SERVE: &str = "Deno.serve({ port: 8001 }, () => new Response('x'));\n";

#[test]
fn starts_tasks_that_serve() {
    for (config, file, text, framework, port) in [
        (
            "{\"tasks\": {\"dev\": \"deno run --watch -A ./main.ts\", /* x */}}",
            "main.ts",
            SERVE,
            "deno",
            8001,
        ),
        (
            r#"{"tasks": {"start": {"command": "deno serve -A src/app.ts"}}, "imports": {"hono": "jsr:@hono/hono@4"}}"#,
            "src/app.ts",
            "export default new Hono()",
            "hono",
            8000,
        ),
        (
            r#"{"tasks": {"dev": "deno run -A --watch=static/,routes/ dev.ts"}, "imports": {"fresh": "jsr:@fresh/core@2"}}"#,
            "dev.ts",
            "await builder.listen(() => import('./main.ts'))",
            "fresh",
            8000,
        ),
        (
            r#"{"tasks": {"dev": "deno run -A main.ts"}, "imports": {"oak": "jsr:@oak/oak@17"}}"#,
            "main.ts",
            "app.listen({ port: 8002 })",
            "oak",
            8002,
        ),
    ] {
        let found = only(&[("deno.jsonc", config), (file, text)], &["deno"]);
        assert!(found.command.starts_with("deno task "), "{}", found.command);
        assert_eq!((found.framework, found.prefers()), (framework, Some(port)));
        assert_eq!(found.env["DENO_SERVE_ADDRESS"], "tcp:{host}:{port}");
    }
    let vite = r#"{"tasks": {"dev": "vite"}, "imports": {"fresh": "jsr:@fresh/core@2"}}"#;
    let found = only(&[("web/deno.json", vite)], &[]);
    assert_eq!(
        found.command,
        "deno task dev --host {host} --port {port} --strictPort"
    );
    assert_eq!(found.kind, Kind::Frontend);
    found.has_evidence("it requires `deno`, which is not installed");
}

#[test]
fn runs_a_file_that_serves() {
    let found = only(&[("main.ts", SERVE)], &["deno"]);
    assert_eq!(found.command, "deno run -A --watch main.ts");
    found
        .has_evidence("main.ts serves")
        .has_evidence("all permissions");
    let found = only(
        &[
            ("deno.json", "{}"),
            ("server.ts", "export default { fetch() {} }"),
        ],
        &["deno"],
    );
    assert_eq!(
        found.command,
        "deno serve --host {host} --port {port} -A --watch server.ts"
    );
    let old = "import { serve } from 'https://deno.land/std@0.140.0/http/server.ts';\nserve(f, { port: 8003 });";
    let old = only(&[("main.ts", old)], &["deno"]);
    assert_eq!(old.port, Some(DetectedPort::Fixed(8003)));
    assert!(old.env.is_empty());
}

#[test]
fn ignores_node_projects_and_libraries() {
    for files in [
        &[
            ("deno.json", "{}"),
            ("package.json", r#"{"scripts": {"dev": "x"}}"#),
            ("main.ts", SERVE),
        ][..],
        &[("package.json", "{}"), ("main.ts", SERVE)],
        &[
            ("deno.json", r#"{"tasks": {"dev": "deno test"}}"#),
            ("mod.ts", "export const x = 1;"),
        ],
        &[
            ("deno.json", r#"{"tasks": [1], "imports": 2}"#),
            ("src/index.ts", "// Deno.serve(x)"),
        ],
        &[("functions/hello/index.ts", SERVE)],
        &[("src/main.ts", "export default { fetch() {} }")],
    ] {
        let detection = checkout(files, &[]);
        let found = detection
            .services
            .iter()
            .filter(|one| one.command.contains("deno"));
        assert_eq!(found.count(), 0, "{detection:#?}");
    }
    let broken = checkout(&[("deno.json", "{"), ("main.ts", SERVE)], &[]);
    assert_eq!(broken.services.len(), 1);
    assert_eq!(broken.skipped[0].file, "deno.json");
}
