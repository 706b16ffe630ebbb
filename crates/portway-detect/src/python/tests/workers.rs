use crate::fixture::{checkout, only};
use crate::{DetectedPort, DetectedService, Detection};

const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";

fn service<'a>(detection: &'a Detection, name: &str) -> &'a DetectedService {
    let mut services = detection.services.iter();
    services
        .find(|one| one.name == name)
        .unwrap_or_else(|| panic!("{detection:#?}"))
}

#[test]
fn workers_and_schedulers_run_beside_the_application() {
    let celery = "from celery import Celery\napp = Celery('shop')\napp.conf.beat_schedule = {}\n";
    let detection = checkout(
        &[
            ("requirements.txt", "fastapi\nuvicorn\ncelery\n"),
            ("main.py", FASTAPI),
            ("shop/__init__.py", ""),
            ("shop/celery.py", celery),
            (
                "compose.yaml",
                "services:\n  redis: {image: 'redis:7', ports: ['6379:6379']}\n",
            ),
        ],
        &["python3", "docker"],
    );
    let worker = service(&detection, "worker");
    assert_eq!(
        worker.command,
        ".venv/bin/celery -A shop worker --loglevel=info"
    );
    assert_eq!((worker.port, worker.optional), (None, false));
    worker.has_evidence("shop/celery.py creates the application `app` of Celery");
    assert_eq!(
        service(&detection, "beat").command,
        ".venv/bin/celery -A shop beat --loglevel=info"
    );
}

#[test]
fn celery_of_django_runs_where_its_modules_are() {
    let celery = "from celery import Celery\napp = Celery('shop')\n";
    let detection = checkout(
        &[
            ("requirements.txt", "django\ncelery\n"),
            ("backend/manage.py", "os.environ['DJANGO_SETTINGS_MODULE']"),
            ("backend/shop/celery.py", celery),
        ],
        &["python3"],
    );
    assert_eq!(
        service(&detection, "worker").command,
        ".venv/bin/celery --workdir backend -A shop worker --loglevel=info"
    );
}

#[test]
fn other_libraries_of_workers() {
    for (package, file, text, command) in [
        (
            "dramatiq",
            "tasks.py",
            "import dramatiq\n@dramatiq.actor\ndef f(): ...\n",
            ".venv/bin/dramatiq tasks",
        ),
        (
            "arq",
            "jobs/main.py",
            "class WorkerSettings:\n    pass\n",
            ".venv/bin/arq jobs.main.WorkerSettings",
        ),
        (
            "huey",
            "q.py",
            "from huey import RedisHuey\nhuey = RedisHuey()\n",
            ".venv/bin/huey_consumer q.huey",
        ),
        (
            "rq",
            "worker.py",
            "from rq import Worker\nif __name__ == '__main__':\n    Worker(['a']).work()\n",
            ".venv/bin/python worker.py",
        ),
    ] {
        let requirements = format!("{package}\n");
        let found = only(
            &[("requirements.txt", &requirements), (file, text)],
            &["python3"],
        );
        assert_eq!(found.command, command);
        assert!(found.optional);
        found.has_evidence("no broker");
    }
}

#[test]
fn a_worker_that_a_compose_file_describes_runs_once() {
    let compose = "services:\n  redis: {image: 'redis:7'}\n  api: {build: ., command: 'uvicorn main:app'}\n  \
                   jobs: {build: ., command: 'celery -A tasks worker'}\n";
    let detection = checkout(
        &[
            ("requirements.txt", "fastapi\ncelery\n"),
            ("main.py", FASTAPI),
            ("tasks.py", "from celery import Celery\ncelery = Celery()\n"),
            ("Dockerfile", "FROM python\n"),
            ("compose.yaml", compose),
        ],
        &["python3", "docker"],
    );
    let workers = detection
        .services
        .iter()
        .filter(|one| one.command.contains("celery"));
    assert_eq!(workers.count(), 1, "{detection:#?}");
}

#[test]
fn a_file_that_runs_the_application_says_its_module_and_port() {
    let main = "import uvicorn\nif __name__ == \"__main__\":\n    uvicorn.run(\"app.api:app\", port=8010, reload=True)\n";
    let found = only(
        &[
            ("backend/main.py", main),
            (
                "backend/app/api.py",
                "from fastapi import FastAPI\nfrom app import db\napp = FastAPI()\n",
            ),
            ("backend/app/db.py", ""),
        ],
        &["python3"],
    );
    assert_eq!(
        (found.name.as_str(), found.dir.as_str()),
        ("backend", "backend")
    );
    assert!(
        found.command.contains("uvicorn app.api:app "),
        "{}",
        found.command
    );
    assert_eq!(found.port, Some(DetectedPort::Preferred(8010)));
}

#[test]
fn the_port_of_a_run_call_is_the_usual_one() {
    let text = "from flask import Flask\nfrom redis import Redis\napp = Flask(__name__)\ndb = Redis(port=6379)\n\
                if __name__ == '__main__':\n    app.run(host='0.0.0.0', port=8000)\n";
    let found = only(
        &[("requirements.txt", "flask\n"), ("app.py", text)],
        &["python3"],
    );
    assert_eq!(found.port, Some(DetectedPort::Preferred(8000)));
    found.has_evidence("app.py:6 names port 8000");
}
