//! Which files, profiles and paths count.

use super::DOCKER;
use crate::fixture::checkout;
use crate::{DetectedService, Detection};

/// Each service with its preferred port, `?` if it is optional, and its command.
fn shown(detection: &Detection) -> Vec<String> {
    let one = |one: &DetectedService| {
        let port = one.prefers().unwrap_or(0);
        let optional = if one.optional { "?" } else { "" };
        let files = one.command.split(" --publish").next().unwrap_or("");
        let files = files.strip_prefix("portway compose run").unwrap_or("");
        format!("{}{optional} {port}{files}", one.name)
    };
    detection.services.iter().map(one).collect()
}

const BASE: (&str, &str) = (
    "docker-compose.yml",
    "services: {db: {image: postgres, ports: ['5440:5432']}}",
);

const DEV: (&str, &str) = (
    "docker-compose.dev.yml",
    "services: {db: {image: postgres, ports: ['5441:5432']}, mq: {image: rabbitmq}}",
);

fn with(files: &[(&str, &str)]) -> Vec<String> {
    shown(&checkout(files, DOCKER))
}

#[test]
fn an_override_file_applies_to_every_usual_file() {
    let over = (
        "compose.override.yaml",
        "services: {db: {ports: !override ['5450:5432']}, mq: {image: rabbitmq}}",
    );
    assert_eq!(with(&[BASE, over]), ["db 5450", "mq 5672"]);
    let reset = (
        "docker-compose.override.yml",
        "services:\n  db: !reset null\n  mq: {image: rabbitmq}\n",
    );
    assert_eq!(with(&[BASE, reset]), ["mq 5672"]);
}

#[test]
fn the_variable_in_the_env_file_names_the_files() {
    let env = (
        ".env",
        "COMPOSE_FILE=docker-compose.yml:docker-compose.dev.yml\n",
    );
    // Compose publishes both ports; the first one counts.
    assert_eq!(with(&[BASE, DEV, env]), ["db 5440", "mq 5672"]);
    let detection = checkout(&[BASE, (".env", "COMPOSE_FILE=gone.yml\n")], DOCKER);
    assert_eq!(shown(&detection), ["db 5440"]);
    assert!(
        detection.skipped[0]
            .why
            .contains("gone.yml in COMPOSE_FILE")
    );
}

#[test]
fn a_script_names_the_files_for_development() {
    let both = "docker compose -f docker-compose.yml -f docker-compose.dev.yml up -d";
    let package = format!("{{\"scripts\": {{\"infra\": \"{both}\"}}}}");
    let files = " --file docker-compose.yml --file docker-compose.dev.yml";
    let expected = [format!("db 5440{files}"), format!("mq 5672{files}")];
    assert_eq!(with(&[BASE, DEV, ("package.json", &package)]), expected);
    let only = "services:\n\tdocker-compose -f docker-compose.dev.yml up\n";
    let files = " --file docker-compose.dev.yml";
    let expected = [format!("db 5441{files}"), format!("mq 5672{files}")];
    assert_eq!(with(&[BASE, DEV, ("Makefile", only)]), expected);
    // Files for something else do not count, nor do files that are missing.
    for text in [
        "up:\n\tdocker compose -f docker-compose.dev.yml -f compose.prod.yml up\n",
        "up:\n\tdocker compose -f gone.dev.yml up\n",
        "up:\n\tdocker compose -f $(FILE).dev.yml up\n",
    ] {
        let prod = ("compose.prod.yml", "services: {}");
        assert_eq!(
            with(&[BASE, DEV, prod, ("Makefile", text)]),
            ["db 5440"],
            "{text}"
        );
    }
    // Without a usual file, any other counts.
    let infra = ("deploy/stack.yml", BASE.1);
    let just = (
        "justfile",
        "db:\n  docker compose -f deploy/stack.yml up -d\n",
    );
    let detection = checkout(&[infra, just], DOCKER);
    assert_eq!(shown(&detection), ["db 5440 --file stack.yml"]);
    assert_eq!(detection.services[0].dir, "deploy");
    assert_eq!(with(&[DEV]), expected);
}

#[test]
fn profiles_are_active_where_the_env_file_or_a_script_says_so() {
    let compose = (
        "compose.yaml",
        "services:\n  a: {image: redis, profiles: [x]}\n  b: {image: postgres, profiles: [y]}\n",
    );
    assert_eq!(with(&[compose]), ["a? 6379", "b? 5432"]);
    let env = (".env", "COMPOSE_PROFILES=x, z\n");
    assert_eq!(with(&[compose, env]), ["a 6379", "b? 5432"]);
    let example = (".env.example", "export COMPOSE_PROFILES=x\n");
    assert_eq!(with(&[compose, example]), ["a 6379", "b? 5432"]);
    let make = ("Makefile", "up:\n\tdocker compose --profile y up -d\n");
    assert_eq!(with(&[compose, make]), ["a? 6379", "b 5432"]);
}

const API: [(&str, &str); 2] = [
    ("api/requirements.txt", "flask"),
    (
        "api/app.py",
        "from flask import Flask\napp = Flask(__name__)\n",
    ),
];

#[test]
fn a_database_of_inactive_profiles_is_optional() {
    let compose = |api: &str| {
        format!(
            "services:\n  api: {{build: ./api{api}}}\n  \
             search: {{image: 'me/search', ports: ['1:9999'], profiles: [search], depends_on: [index]}}\n  \
             index: {{image: opensearch}}\n  db: {{image: postgres}}\n"
        )
    };
    let found = |api: &str| with(&[("compose.yaml", &compose(api)), API[0], API[1]]);
    let names = |api: &str| -> Vec<String> {
        let all = found(api).into_iter();
        all.map(|one| one.split(' ').next().unwrap_or("").to_owned())
            .collect()
    };
    assert_eq!(names(""), ["api", "search?", "index?", "db"]);
    // It may be used.
    for api in [
        ", depends_on: [index]",
        ", environment: {SEARCH: 'http://index:9200'}",
        ", env_file: .env",
    ] {
        assert_eq!(names(api), ["api", "search?", "index", "db"], "{api}");
    }
    // Without code in the file, nothing says what uses it.
    let compose = compose("").replace("build: ./api", "image: nginx");
    let found = with(&[("compose.yaml", &compose)]);
    assert!(
        found.iter().any(|one| one.starts_with("index ")),
        "{found:?}"
    );
}

#[test]
fn paths_in_other_directories_are_those_of_their_files() {
    let detection = checkout(
        &[
            ("compose.yaml", "include: [docker/app.yml]\n"),
            (
                "docker/app.yml",
                "services:\n  api: {extends: {file: parts/base.yml, service: base}, env_file: api.env}\n",
            ),
            (
                "docker/parts/base.yml",
                "services: {base: {build: ../../api}}",
            ),
            ("docker/api.env", "A=1\n"),
            API[0],
            API[1],
        ],
        DOCKER,
    );
    assert_eq!(shown(&detection), ["api 5000"]);
    detection.services[0].has_evidence("the service `api` in compose.yaml");
    for (file, build) in [
        (
            "docker/compose.yaml",
            "{context: .., dockerfile: docker/Dockerfile}",
        ),
        (
            "compose.yaml",
            "{context: ., dockerfile: docker/Dockerfile}",
        ),
        ("docker/compose.yaml", ".."),
    ] {
        let compose = format!("services: {{web: {{build: {build}}}}}");
        let detection = checkout(
            &[
                (file, &compose),
                ("app.py", API[1].1),
                ("requirements.txt", "flask"),
            ],
            DOCKER,
        );
        detection.services[0].has_evidence("the service `web`");
    }
}

#[test]
fn depends_on_between_services_that_run_directly_is_kept() {
    let detection = checkout(
        &[
            (
                "compose.yaml",
                "services:\n  web: {build: ./web, depends_on: {api: {condition: service_healthy}, proxy: {condition: service_started}}}\n  \
                 api: {build: ./api, depends_on: [cache]}\n  cache: {image: redis}\n  \
                 gateway: {image: 'me/gateway', ports: ['80:80'], depends_on: [web]}\n  \
                 proxy: {image: 'traefik:v3', ports: ['81:80']}\n",
            ),
            ("web/requirements.txt", "flask"),
            ("web/app.py", API[1].1),
            API[0],
            API[1],
        ],
        DOCKER,
    );
    let after = |name: &str| {
        let mut all = detection.services.iter();
        let one = all.find(|one| one.name == name).unwrap();
        let after = one.after.iter().map(|(name, how)| format!("{name} {how}"));
        after.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(after("api"), "cache ready");
    // Portway waits for the proxy only if it is enabled.
    assert_eq!(after("web"), "cache ready, api ready, proxy started");
    // It cannot reach code outside of its network.
    assert_eq!(after("gateway"), "web started");
    let optional: Vec<&str> = detection
        .services
        .iter()
        .filter(|one| one.optional)
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(optional, ["gateway", "proxy"]);
}

#[test]
fn evidence_about_volumes_is_accurate() {
    let volumes = |name: &str, text: &str| {
        let detection = checkout(&[(name, text)], DOCKER);
        let evidence = detection.services[0].evidence.join("\n");
        evidence.contains("the same volumes as `compose up`")
    };
    let db = "services: {db: {image: postgres}}\n";
    assert!(volumes("compose.yaml", db));
    assert!(!volumes("compose.yaml", &format!("name: other\n{db}")));
    assert!(!volumes("infra/compose.yaml", db));
    let remote = "services: {x: {build: 'https://example.org/x.git'}, y: {build: ../y}}";
    let detection = checkout(&[("compose.yaml", remote)], DOCKER);
    for name in ["x", "y"] {
        let why = super::why(&detection, &format!("compose.yaml: services.{name}"));
        assert_eq!(why, "is built from a place outside of the checkout");
    }
}

#[test]
fn a_database_that_the_code_needs_starts_in_spite_of_its_profile() {
    let compose = "services:\n  api: {build: ./api, profiles: [full], depends_on: [db]}\n  \
                   db: {image: postgres, profiles: [full], ports: ['5433:5432']}\n  \
                   cache: {image: redis, profiles: [full], ports: ['6380:6379']}\n  \
                   other: {image: mongo, profiles: [full]}\n";
    let mut files = API.to_vec();
    files.extend([
        ("compose.yml", compose),
        (
            ".env.example",
            "CACHE_URL=redis://localhost:6380/0\nMONGO_URL=mongodb://localhost:1/x\n",
        ),
    ]);
    let detection = checkout(&files, DOCKER);
    let shown = shown(&detection);
    assert_eq!(shown[1..], ["db 5433", "cache 6380", "other? 27017"]);
}

#[test]
fn code_in_a_directory_without_a_manifest_is_what_a_dockerfile_there_builds() {
    let compose = "services:\n  server:\n    build: {context: ., dockerfile: cmd/server/Dockerfile}\n    \
                   ports: ['9080:8080']\n";
    let main = "package main\nfunc main() {\n\tport := os.Getenv(\"PORT\")\n\thttp.ListenAndServe(\":\"+port, nil)\n}";
    let detection = checkout(
        &[
            ("docker-compose.yml", compose),
            ("go.mod", "module x\n"),
            ("cmd/server/main.go", main),
            ("cmd/server/Dockerfile", "FROM golang\nCOPY . .\n"),
        ],
        &["go", "docker"],
    );
    assert_eq!(detection.passed_over, []);
    let server = &detection.services[0];
    assert_eq!(server.prefers(), Some(9080));
    server.has_evidence("it is the service `server` in docker-compose.yml");
}

#[test]
fn files_with_other_names_are_read_without_a_usual_one() {
    let one = |image: &str| format!("services: {{{image}: {{image: {image}}}}}\n");
    for (files, expected, passed_over) in [
        (&["docker-compose.db.yml"][..], &["postgres"][..], &[][..]),
        (
            &["compose-infra.yaml", "compose.cache.yml"],
            &["postgres", "redis"],
            &[],
        ),
        (&["docker/compose.yml"], &["postgres"], &[]),
        (&["infra/docker-compose.yml"], &["postgres"], &[]),
        (&["docker/docker-compose.dev.yml"], &["postgres"], &[]),
        (&["infra/docker-compose.services.yml"], &["postgres"], &[]),
        (
            &["docker-compose.prod.yml"],
            &[],
            &["docker-compose.prod.yml"],
        ),
        (
            &["compose.yaml", "docker-compose.db.yml"],
            &["postgres"],
            &["docker-compose.db.yml"],
        ),
        (
            &["compose.yaml", "compose.override.yaml"],
            &["postgres", "redis"],
            &[],
        ),
    ] {
        let texts = [one("postgres"), one("redis")];
        let files: Vec<(&str, &str)> = files
            .iter()
            .zip(&texts)
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let detection = checkout(&files, &["docker"]);
        let names: Vec<&str> = detection
            .services
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, expected, "{files:?}");
        let passed: Vec<&str> = detection
            .passed_over
            .iter()
            .map(|one| one.file.as_str())
            .collect();
        assert_eq!(passed, passed_over, "{files:?}");
    }
}
