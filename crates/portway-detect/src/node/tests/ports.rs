use super::*;

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
        ("tsc && vite --port 4000", Some(4000)),
        ("vite > $(date)", Some(5173)),
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
fn a_file_with_variables_sets_the_usual_port() {
    let server = ("server.js", "app.listen(process.env.PORT || 3000)");
    let scripts = "\"dev\": \"node server.js\"";
    for (file, port) in [
        (".env", 5000),
        (".env.example", 5000),
        (".env.production", 3000),
    ] {
        let found = package(scripts, &["express"], &[server, (file, "PORT=5000\n")]);
        assert_eq!(found.prefers(), Some(port), "{file}");
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
fn passes_the_port_in_the_variable_that_the_source_reads() {
    let source = "http.createServer(f).listen(process.env.SERVER_PORT || 8085)";
    for (script, command, port) in [
        ("node server.js", "npm run start", 8085),
        (
            "SERVER_PORT=4000 LOG=1 node server.js",
            "LOG=1 node server.js",
            4000,
        ),
    ] {
        let scripts = format!("\"start\": \"{script}\"");
        let found = package(&scripts, &[], &[("server.js", source)]);
        assert_eq!(found.command, command);
        assert_eq!(found.prefers(), Some(port));
        assert_eq!(found.env["SERVER_PORT"], "{port}");
        found.has_evidence("server.js reads `SERVER_PORT`");
    }
}

#[test]
fn a_variable_with_a_name_of_its_own_takes_precedence_over_port() {
    let found = only(
        &[
            (
                "package.json",
                "{\"scripts\": {\"start:dev\": \"nest start --watch\"}, \"dependencies\": {\"@nestjs/core\": \"11\"}}",
            ),
            (
                "src/main.ts",
                "await app.listen(config.getOrThrow('app.port'));",
            ),
            (
                "src/config/app.config.ts",
                "port: process.env.APP_PORT\n  ? parseInt(process.env.APP_PORT, 10)\n  : process.env.PORT\n    ? 1\n    : 3000,",
            ),
            ("env-example-relational", "APP_PORT=3001\n"),
        ],
        &["npm"],
    );
    assert_eq!(found.prefers(), Some(3001));
    assert_eq!(found.env["APP_PORT"], "{port}");
    found.has_evidence("env-example-relational sets `APP_PORT` to 3001");
}

#[test]
fn the_port_that_listens_may_be_declared_in_another_file() {
    for (ports, variable, port) in [
        (
            "export const pagePort = process.env.PORT\nexport const apiPort = process.env.SHOP_API_PORT || 4115",
            "SHOP_API_PORT",
            4115,
        ),
        (
            "export const pagePort = 4116\nexport const apiPort = Number(process.env.API_PORT ?? 4117);",
            "API_PORT",
            4117,
        ),
    ] {
        let found = package(
            "\"dev\": \"tsx src/app.ts\"",
            &["express"],
            &[
                (
                    "src/app.ts",
                    "import { apiPort } from './ports'\nimport express from 'express'\napp.listen(apiPort)",
                ),
                ("src/ports.ts", ports),
            ],
        );
        assert_eq!(found.prefers(), Some(port), "{ports}");
        assert_eq!(found.env[variable], "{port}");
    }
}

#[test]
fn a_configuration_may_read_the_port_from_a_file_with_variables() {
    let config =
        |port: &str| format!("export default ({{ server: {{ open: true, port: {port} }} }})");
    for (port, variables, expected) in [
        ("Number(env.VITE_PORT)", "VITE_PORT = 3100\n", 3100),
        ("VITE_DEV_PORT", "VITE_DEV_PORT=3200\n", 3200),
        ("+process.env.PORT", "PORT=3300\n", 3300),
        ("portOf(mode)", "VITE_PORT=3400\n", 3400),
        ("env.VITE_PORT", "OTHER=1\n", 5173),
        ("4000", "VITE_PORT=3500\n", 4000),
    ] {
        let config = config(port);
        let files = [("vite.config.ts", config.as_str()), (".env", variables)];
        let found = package("\"dev\": \"vite\"", &["vite"], &files);
        assert_eq!(found.prefers(), Some(expected), "{port}");
    }
    let files = [(".env.development", "VITE_PORT=5666\n")];
    let found = package("\"dev\": \"vite --mode development\"", &["vite"], &files);
    assert_eq!(found.prefers(), Some(5666));
}
