use std::fs;

use super::why;
use crate::compose::environment;
use crate::fixture::checkout;
use crate::{DetectedService, Detection};
use portway_project::mapping::AppVariable;

const COMPOSE: &str = "\
services:
  api:
    build: ./api
    env_file: [.env]
    environment: {DB_HOST: db, DB_PORT: 5432, SECRET: '${SECRET}', UPLOADS: /app/uploads, PORT: 8000}
    depends_on: {migrate: {condition: service_completed_successfully}, db: {condition: service_started}}
    ports: ['9999:8000']
  migrate:
    build: ./api
    command: [alembic, upgrade, 'head']
  worker:
    build: {context: ./api}
    command: celery -A main worker
    environment: ['DB_HOST=db', 'EMPTY=', 'INHERITED']
  entry:
    build: ./api
    command: /app/start.sh
  assets:
    build: ./api
    command: ../run build
  admin:
    build: ./api
    command: flask run
    ports: ['5000:5000']
  db:
    image: postgres:16
";

const FILES: [(&str, &str); 4] = [
    ("docker-compose.yml", COMPOSE),
    (
        "api/main.py",
        "from fastapi import FastAPI\napp = FastAPI()\n",
    ),
    ("api/requirements.txt", "fastapi\ncelery\n"),
    (".env", "SECRET=s\nAPI_KEY=k\n"),
];

fn service<'a>(detection: &'a Detection, name: &str) -> &'a DetectedService {
    let mut all = detection.services.iter();
    all.find(|one| one.name == name)
        .unwrap_or_else(|| panic!("no {name} in {detection:#?}"))
}

#[test]
fn code_that_a_compose_file_builds_runs_directly_with_its_environment() {
    let found = checkout(&FILES, &["docker"]);
    let names: Vec<&str> = found.services.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["api", "migrate", "worker", "db"]);
    let api = service(&found, "api");
    let key =
        |name: &str| format!("compose = {{ file = \"docker-compose.yml\", service = \"{name}\" }}");
    assert!(api.more.contains(&key("api")), "{:?}", api.more);
    assert_eq!(api.prefers(), Some(9999));
    assert_eq!(
        api.after,
        [
            ("db".to_owned(), "ready"),
            ("migrate".to_owned(), "completed")
        ]
    );
    api.has_evidence("the service `api` in docker-compose.yml");
}

#[test]
fn other_commands_of_the_same_image_run_beside_it() {
    let found = checkout(&FILES, &["docker"]);
    let (api, worker) = (service(&found, "api"), service(&found, "worker"));
    assert_eq!(
        worker.command,
        "export PATH=\"$PWD/.venv/bin:$PATH\"; celery -A main worker"
    );
    assert_eq!((&worker.dir[..], worker.port), ("api", None));
    assert!(worker.prepare.is_some());
    // It is not among the packages, so it uses the environment of the server.
    let migrate = service(&found, "migrate");
    assert_eq!(
        migrate.command,
        "export PATH=\"$PWD/.venv/bin:$PATH\"; alembic upgrade head"
    );
    assert_eq!(migrate.prepare, api.prepare);
    for (name, reason) in [
        ("entry", "a path of its container"),
        (
            "admin",
            "which of its ports belongs to this command is not known",
        ),
    ] {
        let why = why(&found, &format!("docker-compose.yml: services.{name}"));
        assert!(why.contains(reason), "{why}");
    }
}

#[test]
fn the_text_of_the_manifest_contains_no_value_of_the_environment() {
    let text = checkout(&FILES, &["docker"]).manifest("p");
    assert!(!text.contains("SECRET"), "{text}");
}

#[test]
fn reads_the_environment_of_a_service() {
    let temp = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let path = temp.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let of = |name: &str| -> Option<Vec<String>> {
        let all = environment(temp.path(), "docker-compose.yml", name)?;
        let shown = |one: &AppVariable| {
            format!(
                "{}={} {}:{}",
                one.name, one.value, one.place.file, one.place.line
            )
        };
        Some(all.iter().map(shown).collect())
    };
    assert_eq!(
        of("api").unwrap(),
        [
            "SECRET=s .env:1",
            "API_KEY=k .env:2",
            "DB_HOST=db docker-compose.yml:0",
            "DB_PORT=5432 docker-compose.yml:0",
            "SECRET=s docker-compose.yml:0",
        ]
    );
    assert_eq!(of("worker").unwrap(), ["DB_HOST=db docker-compose.yml:0"]);
    assert_eq!(of("gone"), None);
    assert_eq!(environment(temp.path(), "../x.yml", "api"), None);
}

#[test]
fn a_dockerfile_in_a_directory_says_what_is_built() {
    let found = checkout(
        &[
            (
                "compose.yaml",
                "services: {backend: {build: {context: ., dockerfile: server/Dockerfile}, environment: {A: b}}}",
            ),
            ("server/main.py", FILES[1].1),
            ("server/requirements.txt", "fastapi\n"),
        ],
        &[],
    );
    let server = service(&found, "server");
    assert!(
        server
            .more
            .iter()
            .any(|line| line.contains("service = \"backend\""))
    );
    assert_eq!(found.skipped, []);
}

#[test]
fn a_worker_that_is_known_is_not_described_twice() {
    let compose = "services:\n  api: {build: ./api, ports: ['8000:8000']}\n  \
                   tasks: {build: ./api, command: ./bin/worker.sh, environment: {A: b}}\n  \
                   redis: {image: redis}\n";
    let found = checkout(
        &[
            ("compose.yml", compose),
            (
                "api/main.py",
                "from fastapi import FastAPI\napp = FastAPI()\n",
            ),
            ("api/requirements.txt", "fastapi\ncelery\n"),
            (
                "api/tasks.py",
                "from celery import Celery\napp = Celery('x')\n",
            ),
            (
                "api/bin/worker.sh",
                "#!/bin/sh\nexec celery -A tasks worker -l info\n",
            ),
        ],
        &["python3", "docker"],
    );
    let names: Vec<&str> = found.services.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["api", "worker", "redis"]);
    service(&found, "worker").has_evidence("it is the service `tasks` in compose.yml");
}

#[test]
fn a_program_that_publishes_nothing_is_a_worker() {
    for (files, program, command) in [
        (
            vec![(
                "work/w.csproj",
                "<Project Sdk=\"Microsoft.NET.Sdk\"><OutputType>Exe</OutputType>",
            )],
            "dotnet",
            "dotnet run",
        ),
        (
            vec![
                ("work/go.mod", "module w\n"),
                ("work/main.go", "package main\nfunc main() {}\n"),
            ],
            "go",
            "go run .",
        ),
        (
            vec![
                ("work/requirements.txt", "redis\n"),
                ("work/run.py", "while True: pass\n"),
            ],
            "python3",
            "export PATH=\"$PWD/.venv/bin:$PATH\"; python run.py",
        ),
    ] {
        let mut files = files;
        files.extend([
            (
                "compose.yml",
                "services:\n  jobs: {build: ./work, depends_on: [redis]}\n  redis: {image: redis}\n",
            ),
            ("work/Dockerfile", "FROM x\nCOPY . .\nCMD [\"python\", \"run.py\"]\n"),
        ]);
        let found = checkout(&files, &[program, "docker"]);
        let jobs = service(&found, "jobs");
        assert_eq!((jobs.command.as_str(), jobs.port), (command, None));
        assert_eq!(jobs.after, [("redis".to_owned(), "ready")]);
        jobs.has_evidence("compose.yml builds the service `jobs` from work");
    }
}

#[test]
fn workers_that_a_compose_file_describes_keep_its_arguments_and_environment() {
    let files = [
        (
            "compose.yaml",
            "services:\n  back: {build: ., ports: ['8000:8000']}\n  \
             worker: {build: ., command: [celery, -A, main, worker, -Q, 'high,low'], \
             environment: {BROKER: 'redis://redis:6379/0'}}\n  redis: {image: redis}\n",
        ),
        (
            "main.py",
            "from fastapi import FastAPI\nfrom celery import Celery\napp = FastAPI()\ntasks = Celery('x')\n",
        ),
        ("requirements.txt", "fastapi\ncelery\n"),
    ];
    let found = checkout(&files, &["docker", "python3"]);
    let workers: Vec<&DetectedService> = found
        .services
        .iter()
        .filter(|one| one.command.contains("celery"))
        .collect();
    let [worker] = workers[..] else {
        panic!("{workers:#?}");
    };
    assert_eq!(worker.name, "worker");
    assert!(
        worker.command.ends_with("-Q 'high,low'"),
        "{}",
        worker.command
    );
    let key = "compose = { file = \"compose.yaml\", service = \"worker\" }";
    assert!(worker.more.contains(&key.to_owned()), "{:?}", worker.more);
}

#[test]
fn a_script_with_the_name_of_a_compose_worker_gets_its_environment() {
    let files = [
        (
            "compose.yaml",
            "services:\n  api: {build: ./server, ports: ['4000:4000']}\n  \
             worker: {build: ./server, command: npm run worker, environment: {CONCURRENCY: 3}}\n",
        ),
        (
            "server/package.json",
            "{\"scripts\": {\"dev\": \"node index.js\", \"worker\": \"node worker.js\"}, \
             \"dependencies\": {\"express\": \"4\"}}",
        ),
        (
            "server/index.js",
            "require('express')().listen(process.env.PORT || 4000)",
        ),
    ];
    let found = checkout(&files, &["docker", "npm"]);
    let worker = service(&found, "worker");
    assert_eq!(worker.command, "npm run worker");
    let key = "compose = { file = \"compose.yaml\", service = \"worker\" }";
    assert!(worker.more.contains(&key.to_owned()), "{:?}", worker.more);
    let is_worker = |one: &crate::Skipped| one.file.contains("services.worker");
    assert!(
        !found.passed_over.iter().any(is_worker),
        "{:?}",
        found.passed_over
    );
}

#[test]
fn code_below_the_context_of_a_build_runs_with_its_environment() {
    let compose = |service: &str| {
        format!(
            "services:\n  web:\n    build: .\n    ports: ['8000:8000']\n    \
             environment: {{SECRET: s3cret}}\n{service}  db:\n    image: postgres:16\n"
        )
    };
    let mounts = "    volumes: ['./back:/app', './start.sh:/start.sh:ro']\n";
    let long = "    volumes: [{type: bind, source: ./back, target: /app}]\n";
    let both = "    volumes: ['./back:/app', './front:/front']\n";
    for (service, dockerfile, is_back) in [
        (mounts, "FROM python:3.12\n", true),
        (long, "FROM python:3.12\n", true),
        ("", "FROM x\nCOPY --chown=1 back/ .\n", true),
        ("", "FROM x\nADD [\"./back\", \"/app\"]\n", true),
        ("", "FROM x\nCOPY --from=web back/ .\n", false),
        // Which of the two it runs is not known.
        (both, "FROM python:3.12\n", false),
        ("", "FROM x\nCOPY . .\n", false),
    ] {
        let compose = compose(service);
        let found = checkout(
            &[
                ("compose.yml", &compose),
                ("Dockerfile", dockerfile),
                (
                    "back/main.py",
                    "from fastapi import FastAPI\napp = FastAPI()\n",
                ),
                ("back/requirements.txt", "fastapi\n"),
                (
                    "front/package.json",
                    "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}",
                ),
            ],
            &["docker"],
        );
        let back = found.services.iter().find(|one| one.dir == "back").unwrap();
        let key = "compose = { file = \"compose.yml\", service = \"web\" }";
        let has_key = back.more.iter().any(|line| line == key);
        assert_eq!(has_key, is_back, "{service} {dockerfile}: {found:#?}");
    }
}
