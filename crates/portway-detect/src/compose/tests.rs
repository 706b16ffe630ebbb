use crate::fixture::{checkout, only};
use crate::{DetectedPort, Detection};
use portway_project::kind::Kind;

mod direct;
mod files;
mod images;

const DOCKER: &[&str] = &["docker"];

/// Why a file, or a part of it, is no service.
fn why<'a>(detection: &'a Detection, file: &str) -> &'a str {
    let mut skipped = detection.skipped.iter().chain(&detection.passed_over);
    let one = skipped.find(|skipped| skipped.file == file);
    one.map_or_else(|| panic!("{file} is not in {detection:#?}"), |one| &one.why)
}

#[test]
fn turns_a_database_into_a_service_with_a_container() {
    let found = only(
        &[(
            "compose.yaml",
            "services:\n  db:\n    image: postgres:16\n    ports: ['${PG_PORT:-5433}:5432']\n",
        )],
        DOCKER,
    );
    assert_eq!((found.name.as_str(), found.kind), ("db", Kind::Postgres));
    assert_eq!(found.prefers(), Some(5433));
    assert_eq!(
        found.command,
        "portway compose run --publish {host}:{port}:5432 db"
    );
    assert_eq!(found.prepare.as_deref(), Some("portway compose pull db"));
    assert!(
        found
            .more
            .iter()
            .any(|line| line.contains("portway compose exec pg_isready ")),
        "{:?}",
        found.more
    );
    assert!(!found.optional);
    found.has_evidence("compose.yaml has the service `db` with the image postgres:16");
}

#[test]
fn reads_the_env_file_and_the_override() {
    let found = only(
        &[
            (
                "docker-compose.yml",
                "services: {cache: {image: 'redis:$TAG'}}",
            ),
            (
                "docker-compose.override.yml",
                "services: {cache: {ports: ['6400:6379']}}",
            ),
            (".env", "TAG=7\n"),
        ],
        &["podman"],
    );
    assert_eq!((found.kind, found.prefers()), (Kind::Redis, Some(6400)));
    assert!(
        found.command.starts_with("portway compose run --publish"),
        "{}",
        found.command
    );
    found.has_evidence("the image redis:7");
}

#[test]
fn makes_containers_optional_without_an_engine_or_in_a_profile() {
    let file = "services: {db: {image: mysql}}";
    let without = only(&[("compose.yml", file)], &[]);
    assert!(without.optional);
    assert_eq!(without.prefers(), Some(3306));
    without.has_evidence("`docker` is not installed, so it is optional");
    let file = "services: {db: {image: mysql, profiles: [extra]}}";
    let in_profile = only(&[("compose.yml", file)], DOCKER);
    assert!(in_profile.optional);
    in_profile.has_evidence("the profile extra");
}

#[test]
fn says_once_what_containers_lack() {
    let file =
        "services: {db: {image: mysql}, cache: {image: redis}, x: {image: nginx, ports: ['80']}}";
    let found = checkout(&[("compose.yml", file)], &[]);
    assert!(found.services.iter().all(|one| one.optional));
    assert_eq!(
        found.warnings,
        [
            "`db`, `cache` run in containers, but `docker` is not installed, so they are optional, and variables that name them get `localhost`; install it"
        ]
    );
    assert_eq!(checkout(&[("compose.yml", file)], DOCKER).warnings, [""; 0]);
    let profile = "services: {db: {image: mysql, profiles: [x]}}";
    assert_eq!(checkout(&[("compose.yml", profile)], &[]).warnings, [""; 0]);
}

#[test]
fn runs_the_checkout_directly_and_after_its_database() {
    let detection = checkout(
        &[
            (
                "compose.yaml",
                "services:\n  api:\n    build: ./api\n    depends_on: [db]\n  db: {image: postgres}\n  worker: {build: {context: elsewhere}}\n",
            ),
            ("api/requirements.txt", "flask"),
            (
                "api/app.py",
                "from flask import Flask\napp = Flask(__name__)\n",
            ),
        ],
        DOCKER,
    );
    let names: Vec<&str> = detection.services.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["api", "db"]);
    assert_eq!(detection.services[0].after, [("db".to_owned(), "ready")]);
    detection.services[0].has_evidence("the service `api` in compose.yaml");
    assert!(why(&detection, "compose.yaml: services.worker").contains("found nothing to run"));
}

#[test]
fn orders_what_runs_directly_as_in_the_file() {
    let vite = "{\"scripts\": {\"dev\": \"vite\"}}";
    let detection = checkout(
        &[
            (
                "compose.yaml",
                "services:\n  page: {build: ./web, depends_on: {server: {condition: service_healthy}}}\n  \
                 server: {build: ./api, depends_on: [page, gone]}\n",
            ),
            ("api/requirements.txt", "flask"),
            (
                "api/app.py",
                "from flask import Flask\napp = Flask(__name__)\n",
            ),
            ("web/package.json", vite),
        ],
        DOCKER,
    );
    let after = |name: &str| {
        let service = detection.services.iter().find(|one| one.name == name);
        service.unwrap().after.clone()
    };
    assert_eq!(after("web"), [("api".to_owned(), "ready")]);
    // Compose rejects a circle, and so does Portway.
    assert_eq!(after("api"), []);
}

#[test]
fn databases_to_choose_from_are_optional() {
    for (after, optional) in [("", true), ("depends_on: [one]", false)] {
        let file = format!(
            "services:\n  one: {{image: postgres}}\n  two: {{image: mysql}}\n  mail: {{image: mailpit, {after}}}\n"
        );
        let detection = checkout(&[("compose.yaml", &file)], DOCKER);
        let state: Vec<bool> = detection.services.iter().map(|one| one.optional).collect();
        assert_eq!(state, [optional, optional, false], "{detection:#?}");
    }
    let file = "services: {one: {image: postgres}, two: {image: postgres}}";
    let detection = checkout(&[("compose.yaml", file)], DOCKER);
    assert!(detection.services.iter().all(|one| !one.optional));
}

#[test]
fn orders_containers_as_in_their_file() {
    let detection = checkout(
        &[(
            "compose.yaml",
            "services:\n  admin:\n    image: adminer\n    ports: ['8080:8080']\n    depends_on: {db: {condition: service_healthy}}\n  db: {image: postgres}\n",
        )],
        DOCKER,
    );
    assert_eq!(detection.services[0].after, [("db".to_owned(), "ready")]);
    assert_eq!(detection.services[0].kind, Kind::Http);
    assert_eq!(detection.services[1].after, []);
}

#[test]
fn names_additional_ports_after_the_main_one() {
    let found = only(
        &[(
            "compose.yaml",
            "services: {queue: {image: 'rabbitmq:3-management', ports: ['15672:15672', 5672, '99:53/udp']}}",
        )],
        DOCKER,
    );
    assert_eq!((found.port, found.kind), (None, Kind::Amqp));
    assert_eq!(found.more[0], "ports = { main = 5672, management = 15672 }");
    assert!(
        found.command.contains(
            "--publish {host}:{ports.main}:5672 --publish {host}:{ports.management}:15672"
        ),
        "{}",
        found.command
    );
    found.has_evidence("not published: 99:53/udp");
}

#[test]
fn a_port_below_1024_is_moved_to_where_no_rights_are_needed() {
    let file = "services: {proxy: {image: nginx, ports: ['80:80']}}";
    let found = only(&[("compose.yaml", file)], DOCKER);
    assert_eq!(found.port, Some(DetectedPort::Preferred(8080)));
}

#[test]
fn reports_unusable_entries_and_finds_the_rest() {
    let detection = checkout(
        &[(
            "compose.yaml",
            "include: [other.yaml]\nservices:\n  a: {}\n  b: {image: nginx, network_mode: host}\n  c: {image: unknown}\n  d: nonsense\n  e: {image: redis}\n",
        )],
        DOCKER,
    );
    assert_eq!(detection.services.len(), 1, "{detection:#?}");
    for (service, words) in [
        ("a", "neither image nor build"),
        ("b", "network of the host"),
        ("c", "publishes no port"),
        ("d", "neither image nor build"),
    ] {
        let file = format!("compose.yaml: services.{service}");
        assert!(why(&detection, &file).contains(words));
    }
    assert_eq!(
        why(&detection, "compose.yaml: include"),
        "refers to other.yaml, which cannot be read"
    );
}

#[test]
fn reports_and_skips_a_broken_file() {
    for (text, words) in [
        ("services:\n  db: [\n", "cannot be parsed as YAML: line "),
        ("services: 3", "`services` is not a mapping"),
        ("version: '3'", "has no services"),
        ("- a", "has no services"),
    ] {
        let detection = checkout(&[("docker-compose.yml", text)], DOCKER);
        assert!(detection.services.is_empty(), "{detection:#?}");
        let why = why(&detection, "docker-compose.yml");
        assert!(why.contains(words), "{why}");
    }
}

#[test]
fn reads_compose_files_one_level_below_the_root() {
    let file = "services: {db: {image: 'bitnami/postgresql:16'}}";
    let found = only(&[("infra/compose.yaml", file)], DOCKER);
    assert_eq!((found.name.as_str(), found.dir.as_str()), ("db", "infra"));
    let detection = checkout(
        &[
            ("infra/compose.yaml", file),
            ("compose.yaml", "services: {db: {image: redis}}"),
        ],
        DOCKER,
    );
    assert_eq!(detection.services.len(), 1);
    assert_eq!(detection.services[0].kind, Kind::Redis);
}

#[test]
fn reads_included_files_and_extended_services() {
    let detection = checkout(
        &[
            (
                "compose.yaml",
                "include: [docker/data.yml, {path: [mq.yml, mq.local.yml]}]\n\
                 services:\n  db:\n    extends: {file: docker/base.yml, service: pg}\n    ports: ['5440:5432']\n  \
                 copy: {extends: db, profiles: [copy]}\n",
            ),
            (
                "docker/base.yml",
                "services:\n  pg: {extends: {file: ../common.yml, service: any}, image: 'postgres:16'}\n",
            ),
            (
                "common.yml",
                "services: {any: {depends_on: [gone], healthcheck: {test: pg_ok}}}",
            ),
            ("docker/data.yml", "include: ./more.yml\n"),
            (
                "docker/more.yml",
                "services: {mongo: {image: 'mongo:7', ports: ['27018:27017']}}",
            ),
            ("mq.yml", "services: {mq: {image: rabbitmq}}"),
            (
                "mq.local.yml",
                "services: {mq: {image: 'rabbitmq:4', ports: ['5673:5672']}}",
            ),
        ],
        DOCKER,
    );
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|found| (found.name.as_str(), found.prefers(), found.optional))
        .collect();
    assert_eq!(
        found,
        [
            ("db", Some(5440), false),
            ("copy", Some(5440), true),
            ("mongo", Some(27018), false),
            ("mq", Some(5673), false),
        ]
    );
    let db = &detection.services[0];
    db.has_evidence("the image postgres:16");
    assert!(db.more.iter().any(|line| line.contains("pg_ok")));
    assert!(detection.skipped.is_empty(), "{:?}", detection.skipped);
}

#[test]
fn reports_references_that_cannot_be_read() {
    let detection = checkout(
        &[(
            "compose.yaml",
            "include: [compose.yaml, ../outside.yml, 'https://example.org/x.yml']\n\
                 services:\n  a: {extends: a, image: redis}\n  b: {extends: {file: gone.yml, service: x}}\n",
        )],
        DOCKER,
    );
    assert_eq!(detection.services[0].name, "a");
    for (file, reason) in [
        ("compose.yaml: include", "is nested more than 8 deep"),
        (
            "compose.yaml: include",
            "refers to ../outside.yml, which cannot be read",
        ),
        (
            "compose.yaml: include",
            "refers to https://example.org/x.yml, which cannot be read",
        ),
        (
            "compose.yaml: services.a",
            "extends `a`, which cannot be read",
        ),
        (
            "compose.yaml: services.b",
            "extends `x` in gone.yml, which cannot be read",
        ),
    ] {
        let mut skipped = detection.skipped.iter();
        assert!(
            skipped.any(|one| one.file == file && one.why == reason),
            "{file} {reason}: {:#?}",
            detection.skipped
        );
    }
}

#[test]
fn a_release_of_the_project_and_its_tools_are_optional() {
    let detection = checkout(
        &[
            (
                "compose.yaml",
                "services:\n  shop: {image: 'me/shop:latest', ports: ['3000:3000'], depends_on: [db]}\n  \
                 other: {image: 'me/other', ports: ['3001:3000']}\n  \
                 db: {image: 'postgres:16'}\n  proxy: {image: 'traefik:v3', ports: ['80:80']}\n",
            ),
            (
                "package.json",
                "{\"name\": \"@me/shop\", \"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}",
            ),
        ],
        DOCKER,
    );
    let optional: Vec<_> = detection
        .services
        .iter()
        .map(|found| (found.name.as_str(), found.optional))
        .collect();
    assert_eq!(
        optional,
        [
            ("frontend", false),
            ("shop", true),
            ("other", false),
            ("db", false),
            ("proxy", true)
        ]
    );
    let after: Vec<_> = detection.services[0]
        .after
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(after, ["other", "db"]);
}
