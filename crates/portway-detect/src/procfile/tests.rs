use super::*;
use crate::fixture::checkout;

#[test]
fn parses_lines_and_reports_invalid_ones() {
    let file = parse(
        "\u{feff}# all\nweb: a:b $PORT\r\n\n  worker : x\nnonsense\nno name: y\nweb: z\nempty:\n",
    );
    let processes: Vec<_> = file
        .processes
        .iter()
        .map(|p| (p.line, p.name.as_str(), p.command.as_str()))
        .collect();
    assert_eq!(processes, [(2, "web", "a:b $PORT"), (4, "worker", "x")]);
    let invalid: Vec<_> = file
        .invalid_lines
        .iter()
        .map(|one| (one.line, one.problem.as_str()))
        .collect();
    let no = "does not have the form `name: command`";
    assert_eq!(
        invalid,
        [(5, no), (6, no), (7, "repeats the name `web`"), (8, no)]
    );
}

#[test]
fn assigns_foreman_ports_with_web_first() {
    let detection = checkout(
        &[(
            "Procfile",
            "release: ./migrate\napi: node api.js $PORT\nweb: node web.js\nworker: sidekiq\nnonsense\n",
        )],
        &[],
    );
    let services: Vec<_> = detection
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.prefers()))
        .collect();
    assert_eq!(
        services,
        [("web", Some(5000)), ("api", Some(5100)), ("worker", None)]
    );
    detection.services[0]
        .has_evidence("Procfile:3 defines `web`")
        .has_evidence("by convention");
    detection.services[2].has_evidence("so it has none");
    let all = detection.skipped.iter().chain(&detection.passed_over);
    let skipped: Vec<_> = all.map(|s| s.file.as_str()).collect();
    assert_eq!(skipped, ["Procfile:5", "Procfile:1"]);
}

#[test]
fn prefers_the_development_file_and_guesses_nothing() {
    let detection = checkout(
        &[
            ("Procfile", "web: gunicorn app:app"),
            (
                "Procfile.dev",
                "web: bin/rails server\ncss: bin/rails css:watch\ndb: redis-server",
            ),
            (
                "bin/dev",
                "export PORT=\"${PORT:-3000}\"\nexec foreman start",
            ),
            ("requirements.txt", "flask"),
            ("app.py", "from flask import Flask\napp = Flask()"),
        ],
        &[],
    );
    let services: Vec<_> = detection
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.port))
        .collect();
    let prefer = DetectedPort::Preferred(3000);
    let redis = DetectedPort::Preferred(6379);
    assert_eq!(
        services,
        [("web", Some(prefer)), ("css", None), ("db", Some(redis))]
    );
}

#[test]
fn reads_variables_from_the_env_file() {
    let files = [("Procfile", "web: x $PORT"), (".env", "PORT=7000\nA=1")];
    let detection = checkout(&files, &[]);
    assert_eq!(detection.services[0].prefers(), Some(7000));
    assert_eq!(detection.services[0].more, ["env_file = \".env\""]);
    let detection = checkout(&[files[0], (".env", "A=1\nB")], &[]);
    // The valid lines are used.
    assert_eq!(detection.services[0].more, ["env_file = \".env\""]);
    assert_eq!(detection.skipped[0].file, ".env:2");
    assert_eq!(
        detection.skipped[0].why,
        "sets no variable: `B` does not have the form `NAME=value`; fix the line, or put `#` before it"
    );
}

#[test]
fn escapes_placeholders_in_a_command() {
    let detection = checkout(&[("Procfile", "web: x '{db.port}' $PORT\ndb: y")], &[]);
    assert_eq!(detection.services[0].command, "x '{''db.port}' $PORT");
}

#[test]
fn gives_no_port_because_of_a_name_alone() {
    let detection = checkout(
        &[(
            "Procfile",
            "frontend: npm run watch\nbackend: ./x\nredis: ./y",
        )],
        &[],
    );
    let manifest = detection.manifest("p");
    assert!(!manifest.contains("port ="), "{manifest}");
    assert_eq!(manifest.matches("kind = \"tcp\"").count(), 3, "{manifest}");
}

#[test]
fn parses_any_text_in_linear_time() {
    for text in [
        "a:".repeat(100_000),
        "a: b\n".repeat(100_000),
        "{".repeat(500_000),
    ] {
        parse(&text);
        command::listens(&text, Kind::Http);
    }
}

#[test]
fn skips_a_command_with_a_nul() {
    let detection = checkout(&[("Procfile", "web: a $PORT\nbad: x\0y\n")], &[]);
    let names: Vec<&str> = detection
        .services
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(names, ["web"]);
    assert_eq!(detection.skipped[0].file, "bad");
    assert!(
        detection.skipped[0].why.contains("a NUL character"),
        "{detection:?}"
    );
}

#[test]
fn limits_the_number_of_services() {
    let text: String = (0..50_000).map(|n| format!("a{n}: x $PORT\n")).collect();
    let detection = checkout(&[("Procfile", &text)], &[]);
    assert_eq!(
        detection.services.len(),
        portway_project::plan::MAX_SERVICES
    );
    assert!(detection.skipped[0].why.contains("50000 services"));
    let detection = checkout(&[("Procfile", &"x\n".repeat(500_000))], &[]);
    assert_eq!(detection.skipped.len(), 21);
    assert!(
        detection.skipped[20]
            .why
            .contains("499980 more invalid lines")
    );
}

#[test]
fn restarts_ports_after_the_last_range() {
    for (first, index, port) in [
        (5000, 0, 5000),
        (5000, 3, 5300),
        (65_535, 0, 65_535),
        (65_535, 1, 5100),
        (65_000, 4, 65_400),
        (65_000, 5, 5500),
        (5000, 605, 5000),
        (1, 999, 44_400),
    ] {
        assert_eq!(nth_port(first, index), port, "{first} {index}");
    }
    let files = [
        ("Procfile", "a: x $PORT\nb: x $PORT\nc: x $PORT\n"),
        (".env", "PORT=65500\n"),
    ];
    assert_eq!(checkout(&files, &[]).services.len(), 3);
}

#[test]
fn passes_the_port_of_the_web_process_to_those_that_call_it() {
    let text = "web: bin/rails server\nstripe: stripe listen --forward-to localhost:$PORT/hook\n";
    let detection = checkout(&[("Procfile.dev", text)], &[]);
    let stripe = &detection.services[1];
    assert_eq!(
        stripe.command,
        "stripe listen --forward-to localhost:{web.port}/hook"
    );
    assert_eq!(stripe.port, None);
    stripe.has_evidence("does not listen");
    let alone = "stripe: stripe listen --forward-to localhost:$PORT/hook\n";
    let detection = checkout(&[("Procfile.dev", alone)], &[]);
    assert!(detection.services[0].command.contains("$PORT"));
    assert_eq!(detection.services[0].port, None);
}

#[test]
fn the_source_of_a_process_names_its_port() {
    let text = "web: bin/rails server\nprices: node prices.js\nml: python ml/app.py\njobs: node jobs.js\nops: node ops.js\n";
    let detection = checkout(
        &[
            ("Procfile.dev", text),
            ("prices.js", "require('http').createServer(f).listen(4100)"),
            ("ml/app.py", "app.run(port=4200)"),
            ("jobs.js", "setInterval(work, 1000)"),
            ("ops.js", "app.listen(process.env.OPS_PORT)"),
        ],
        &["node"],
    );
    let ports: Vec<_> = detection.services.iter().map(|one| one.port).collect();
    assert_eq!(
        ports[1..],
        [
            Some(DetectedPort::Fixed(4100)),
            Some(DetectedPort::Fixed(4200)),
            None,
            Some(DetectedPort::Preferred(5400))
        ]
    );
    assert_eq!(detection.services[4].env["OPS_PORT"], "{port}");
}

#[test]
fn a_file_for_a_deployment_hides_no_dev_server() {
    let vite = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
    let flask = "from flask import Flask\napp = Flask(__name__)\n";
    let files = [
        (
            "Procfile",
            "web: gunicorn app:app\nclean: sh tools/clean.sh\n",
        ),
        ("requirements.txt", "flask\ngunicorn\n"),
        ("app.py", flask),
        ("frontend/package.json", vite),
        ("tools/package.json", vite),
    ];
    let detection = checkout(&files, &["npm"]);
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|found| (found.name.as_str(), found.dir.as_str()))
        .collect();
    assert_eq!(
        found,
        [("web", ""), ("clean", ""), ("frontend", "frontend")]
    );
    let web = &detection.services[0];
    assert_eq!(
        web.command,
        ".venv/bin/flask --app app run --host {host} --port {port} --debug"
    );
    assert_eq!(detection.passed_over[0].file, "Procfile: web");
    assert!(
        web.prepare
            .as_deref()
            .unwrap()
            .ends_with("-r requirements.txt")
    );
    // A development file says all there is to start.
    let mut files = files.to_vec();
    files.push(("Procfile.dev", "web: flask run"));
    assert_eq!(checkout(&files, &["npm"]).services.len(), 1);
}

#[test]
fn a_dev_script_replaces_the_server_of_a_deployment() {
    let next = "{\"scripts\": {\"dev\": \"next dev\", \"start\": \"next start\"}, \"dependencies\": {\"next\": \"15\"}}";
    let detection = checkout(
        &[
            ("Procfile", "web: npm start\nworker: node worker.js\n"),
            ("package.json", next),
        ],
        &["npm"],
    );
    let commands: Vec<_> = detection
        .services
        .iter()
        .map(|found| found.command.as_str())
        .collect();
    assert_eq!(commands, ["node worker.js", "npm run dev -- --port {port}"]);
    assert!(detection.services[0].prepare.is_some());
    assert_eq!(detection.passed_over[0].file, "Procfile: web");
}

#[test]
fn a_process_that_runs_a_script_gets_its_port_as_the_script_does() {
    let text = "web: PORT=4567 node api.js --call http://localhost:5173\nui: cd ui && npm run dev\nops: OPS_PORT=4700 node ops.js\n";
    let vite = "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"7\"}}";
    let files = [
        ("Procfile.dev", text),
        ("ui/package.json", vite),
        ("ops.js", "app.listen(process.env.OPS_PORT)"),
    ];
    let detection = checkout(&files, &["npm", "node"]);
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|one| {
            (
                one.name.as_str(),
                one.dir.as_str(),
                one.command.as_str(),
                one.prefers(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                "web",
                "",
                "node api.js --call http://localhost:{ui.port}",
                Some(4567)
            ),
            (
                "ui",
                "ui",
                "npm run dev -- --port {port} --strictPort",
                Some(5173)
            ),
            ("ops", "", "node ops.js", Some(4700)),
        ]
    );
    assert_eq!(detection.services[2].env["OPS_PORT"], "{port}");
    detection.services[1].has_evidence("Procfile.dev:2 defines `ui`");
}

#[test]
fn settings_of_overmind_and_foreman_are_used() {
    let procfile = ("Procfile.local", "web: x $PORT\n");
    for (file, text) in [
        (
            ".overmind.env",
            "OVERMIND_PROCFILE=Procfile.local\nOVERMIND_PORT=3300\n",
        ),
        (".foreman", "procfile: Procfile.local\nport: 3300\n"),
    ] {
        let detection = checkout(
            &[procfile, (file, text), ("Procfile", "web: y $PORT\n")],
            &[],
        );
        let found = &detection.services[0];
        assert_eq!(
            (found.command.as_str(), found.prefers()),
            ("x $PORT", Some(3300)),
            "{file}"
        );
    }
}

#[test]
fn a_variable_of_another_name_sets_the_port() {
    let text = "web: x $PORT\nadmin: python3 -m http.server $ADMIN_PORT\nops: x --port ${OPS_PORT:-4700}\n";
    let files = [("Procfile.dev", text), (".env", "ADMIN_PORT=4600\n")];
    let detection = checkout(&files, &[]);
    let ports: Vec<_> = detection.services.iter().map(|one| one.prefers()).collect();
    assert_eq!(ports, [Some(5000), Some(4600), Some(4700)]);
    assert_eq!(detection.services[1].env["ADMIN_PORT"], "{port}");
    assert_eq!(detection.services[2].env["OPS_PORT"], "{port}");
}

#[test]
fn the_source_of_the_process_web_is_read_too() {
    let text = ("Procfile.dev", "web: node w.js\n");
    let detection = checkout(&[text, ("w.js", "app.listen(8081)")], &[]);
    assert_eq!(detection.services[0].port, Some(DetectedPort::Fixed(8081)));
    let detection = checkout(&[text, ("w.js", "start()")], &[]);
    detection.services[0].has_evidence("by convention");
}

#[test]
fn a_procfile_may_start_the_dev_script_of_a_package() {
    let files = [
        (
            "Procfile",
            "web: gunicorn app:app --bind :$PORT\nui: cd ui && npm run dev\n",
        ),
        ("ui/package.json", "{\"scripts\": {\"dev\": \"node u.js\"}}"),
        (
            "ui/u.js",
            "http.createServer(f).listen(process.env.PORT || 4840)",
        ),
    ];
    let detection = checkout(&files, &["npm", "node"]);
    let found: Vec<_> = detection
        .services
        .iter()
        .map(|one| (one.name.as_str(), one.dir.as_str(), one.prefers()))
        .collect();
    assert_eq!(found, [("web", "", Some(5000)), ("ui", "ui", Some(4840))]);
}
