//! What images are: releases of the project, tools that it needs, and servers that a Dockerfile installs.

use super::why;
use crate::fixture::checkout;
use crate::{DetectedService, Detection};

const VITE: &str = "{\"name\": \"shop\", \"scripts\": {\"dev\": \"vite\"}}";

fn service<'a>(detection: &'a Detection, name: &str) -> &'a DetectedService {
    let mut all = detection.services.iter();
    all.find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no {name} in {detection:#?}"))
}

#[test]
fn a_release_is_optional_wherever_its_compose_file_is() {
    let main = "package main\nfunc main() { http.ListenAndServe(\":8081\", nil) }";
    for (image, optional) in [
        ("owner/shop:stable", true),
        ("ghcr.io/owner/shop-backend", true),
        ("shop-backend", false),
        ("owner/other", false),
        ("owner/workshop", false),
    ] {
        let compose = format!("services: {{one: {{image: '{image}', ports: ['5230:5230']}}}}");
        let detection = checkout(
            &[
                ("go.mod", "module github.com/owner/shop/v2\n"),
                ("main.go", main),
                ("scripts/compose.yaml", &compose),
            ],
            &["go", "docker"],
        );
        assert_eq!(service(&detection, "one").optional, optional, "{image}");
    }
}

#[test]
fn the_file_for_development_replaces_one_that_starts_a_release() {
    let release =
        "services:\n  app: {image: 'owner/shop', ports: ['3000:3000']}\n  db: {image: postgres}\n";
    let infra = "services:\n  db: {image: postgres, ports: ['5433:5432']}\n  print: {image: 'x/print', ports: ['8080:3000']}\n";
    let without = "services:\n  print: {image: 'x/print', ports: ['8080:3000']}\n";
    let names = |usual: &str, development: &str| -> Vec<String> {
        let found = checkout(
            &[
                ("package.json", VITE),
                ("compose.yml", usual),
                ("compose.dev.yml", development),
            ],
            &["npm", "docker"],
        );
        let all = found.services.into_iter().map(|one| one.name);
        all.filter(|name| name != "frontend").collect()
    };
    assert_eq!(names(release, infra), ["db", "print"]);
    // The development file is no substitute, or only an addition to the usual one.
    assert_eq!(names(release, without), ["app", "db"]);
    let built = release.replace("image: 'owner/shop'", "build: .");
    assert_eq!(names(&built, infra), ["db"]);
}

#[test]
fn the_port_of_an_image_is_the_one_that_others_call() {
    let compose = "services:\n  print: {image: 'x/print'}\n  app: {image: 'x/y', ports: ['1234:1234'], \
                   environment: {PRINT_URL: 'ws://print:3000/x'}}\n";
    let detection = checkout(&[("compose.yml", compose)], &["docker"]);
    assert_eq!(service(&detection, "print").prefers(), Some(3000));
}

#[test]
fn a_dockerfile_without_code_is_a_server_of_its_own() {
    let compose = "services:\n  mail:\n    build: {context: ., dockerfile: mail.Dockerfile}\n    ports: ['1081:1080']\n  \
                   test: {build: {context: ., dockerfile: Dockerfile}, ports: ['1:1']}\n  \
                   web: {build: {context: ., dockerfile: Dockerfile.playwright}, ports: ['9323:9323']}\n  \
                   api:\n    build: .\n    ports: ['5174:5173']\n";
    let detection = checkout(
        &[
            ("package.json", VITE),
            ("compose.yml", compose),
            (
                "mail.Dockerfile",
                "FROM node\nRUN npm install -g maildev\nCOPY --from=x /a /b\n",
            ),
            ("Dockerfile", "FROM node\ncopy . .\n"),
        ],
        &["npm", "docker"],
    );
    let mail = service(&detection, "mail");
    assert_eq!(mail.prefers(), Some(1081));
    mail.has_evidence("`mail`, whose image contains no code of the project");
    service(&detection, "frontend").has_evidence("it is the service `api` in compose.yml");
}

#[test]
fn the_published_port_is_the_usual_one_of_code_that_runs_directly() {
    let server = "app.listen(process.env.PORT || 4000)";
    let package =
        "{\"scripts\": {\"start\": \"node server.js\"}, \"dependencies\": {\"express\": \"5\"}}";
    for (ports, dockerfile, env, expected) in [
        ("'8081:80'", "FROM node", "", 8081),
        ("'8081:80', '9229:9229'", "FROM node", "", 8081),
        ("'127.0.0.1:8081:4000', '9000:9000'", "FROM node", "", 8081),
        // Which port it is is not known, or the image runs something else.
        ("'8081:80', '8082:81'", "FROM node", "", 4000),
        ("'8081:80'", "FROM node AS build\nFROM nginx:1", "", 4000),
        ("'80:80'", "FROM node", "", 4000),
        ("'80'", "FROM node", "", 4000),
        // The project names the port of a server that runs directly.
        ("'8081:80'", "FROM node", "PORT=4100", 4100),
    ] {
        let compose = format!("services: {{api: {{build: ./api, ports: [{ports}]}}}}");
        let detection = checkout(
            &[
                ("compose.yml", &compose),
                ("api/Dockerfile", &format!("{dockerfile}\nCOPY . .\n")),
                ("api/package.json", package),
                ("api/server.js", server),
                ("api/.env.example", env),
            ],
            &["npm", "docker"],
        );
        assert_eq!(
            service(&detection, "api").prefers(),
            Some(expected),
            "{ports} {dockerfile} {env}"
        );
    }
}

#[test]
fn code_that_an_image_of_a_language_mounts_runs_directly() {
    let compose = "services:\n  web:\n    image: node:22\n    working_dir: /app\n    volumes: ['./:/app']\n    \
                   command: npm start\n    ports: ['3000:3000']\n  \
                   built: {build: ., image: shop-dev}\n  same: {image: shop-dev, ports: ['9:9']}\n  \
                   tool: {image: 'node:22', ports: ['3001:3000']}\n  edge: {image: 'traefik:3', ports: ['8080:80']}\n";
    let detection = checkout(
        &[("package.json", VITE), ("compose.yml", compose)],
        &["npm", "docker"],
    );
    let found: Vec<(&str, &str, bool)> = detection
        .services
        .iter()
        .map(|one| (one.name.as_str(), one.framework, one.optional))
        .collect();
    assert_eq!(
        found,
        [
            ("frontend", "vite", false),
            ("tool", "compose", false),
            ("edge", "traefik", true)
        ]
    );
    assert!(
        why(&detection, "compose.yml: services.web")
            .contains("runs code of the project in the image node:22"),
    );
}

#[test]
fn each_server_of_a_directory_is_its_own_compose_service() {
    let package = "{\"scripts\": {\"dev\": \"webpack serve\", \"server\": \"node server.js\"}, \
                   \"dependencies\": {\"express\": \"5\"}}";
    let compose =
        "services:\n  app: {build: ., ports: ['5001:5000']}\n  work: {build: ., command: x}\n";
    let detection = checkout(
        &[
            ("package.json", package),
            ("server.js", "app.listen(process.env.PORT || 5000)"),
            ("compose.yml", compose),
            ("Dockerfile", "FROM node\nCOPY . .\n"),
        ],
        &["npm", "docker"],
    );
    assert_eq!(service(&detection, "backend").prefers(), Some(5001));
    assert_eq!(service(&detection, "frontend").prefers(), Some(8080));
}

#[test]
fn the_port_of_a_mail_server_is_not_that_of_the_backend() {
    let compose = "services: {mail: {image: x/mailcatcher, ports: ['1080:1080', '1025:1025']}}";
    let detection = checkout(
        &[
            ("compose.yml", compose),
            ("api/requirements.txt", "flask\n"),
            (
                "api/app.py",
                "from flask import Flask\napp = Flask(__name__)\n",
            ),
            ("web/package.json", VITE),
            ("web/src/nav.js", "open('http://localhost:1080')"),
        ],
        &["npm", "python3", "docker"],
    );
    assert_eq!(service(&detection, "api").prefers(), Some(5000));
}

#[test]
fn a_second_database_for_tests_is_optional() {
    let optional = |rest: &str, name: &str| {
        let compose = format!(
            "services:\n  db: {{image: 'postgres:16', ports: ['5432:5432']}}\n{rest}  \
             cache: {{image: 'redis:7', ports: ['6379:6379']}}\n"
        );
        let files = [("compose.yml", compose.as_str())];
        let found = crate::fixture::checkout(&files, &["docker"]).services;
        let one = found.iter().find(|one| one.name == name);
        one.unwrap_or_else(|| panic!("no {name} in {found:#?}"))
            .optional
    };
    let test = "  db-test: {image: 'postgres:16', ports: ['5433:5432']}\n";
    assert!(optional(test, "db-test"));
    assert!(!optional(test, "db"));
    // Another service waits for it, or it is the only one with its image.
    let used = "  db_test: {image: 'postgres:16', ports: ['5433:5432']}\n  \
                mail: {image: 'axllent/mailpit', ports: ['8025:8025'], depends_on: [db_test]}\n";
    assert!(!optional(used, "db_test"));
    let only = "  test_mq: {image: 'rabbitmq:3', ports: ['5672:5672']}\n";
    assert!(!optional(only, "test_mq"));
}

#[test]
fn a_published_port_that_the_system_assigns_has_usual_ones_beside_it() {
    let compose = "services:\n  db: {image: 'postgres:16', ports: ['54321:5432']}\n";
    let found = crate::fixture::checkout(&[("compose.yml", compose)], &["docker"]);
    let manifest = found.manifest("shop");
    let line = "port = { prefer = 54321, range = [54321, \"5432-5531\"] }";
    assert!(manifest.contains(line), "{manifest}");
}

#[test]
fn a_database_that_a_dockerfile_extends_runs_in_its_container() {
    let api = "services:\n  api: {build: ./api, ports: ['5004:8000'], depends_on: [api-db], \
               environment: {DATABASE_URL: 'postgres://app:pw@api-db:5432/dev'}}\n";
    for (own, port) in [
        ("build: ./api/db, expose: [5432]", 5432),
        ("build: {context: api/db}, ports: ['5435:5432']", 5435),
        (
            "image: shop-db, build: ./api/db, volumes: ['data:/x'], command: postgres -c fsync=off",
            5432,
        ),
    ] {
        let compose = format!("{api}  api-db: {{{own}, environment: {{POSTGRES_PASSWORD: pw}}}}\n");
        let detection = checkout(
            &[
                ("compose.yml", &compose),
                ("api/requirements.txt", "fastapi\nuvicorn\n"),
                (
                    "api/main.py",
                    "from fastapi import FastAPI\napp = FastAPI()\n",
                ),
                ("api/Dockerfile", "FROM python:3.12\nCOPY . .\n"),
                (
                    "api/db/Dockerfile",
                    "FROM docker.io/library/postgres:17-alpine\nADD create.sql /docker-entrypoint-initdb.d\n",
                ),
                ("api/db/create.sql", "CREATE DATABASE dev;\n"),
            ],
            &["docker", "python3"],
        );
        let db = service(&detection, "api-db");
        assert_eq!(
            (db.framework, db.prefers()),
            ("postgres", Some(port)),
            "{own}"
        );
        db.has_evidence("whose Dockerfile extends the image docker.io/library/postgres:17-alpine");
        assert!(db.command.starts_with("portway compose run "), "{own}");
        let api = service(&detection, "api");
        assert_eq!(api.after[0].0, "api-db", "{own}");
    }
}
