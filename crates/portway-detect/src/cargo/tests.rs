use crate::DetectedPort;
use crate::fixture::{checkout, only};

fn manifest(dependency: &str) -> String {
    format!("[package]\nname = 'shop'\n[dependencies]\n{dependency}\n")
}

const AXUM: &str = "async fn main() {\n    let listener = TcpListener::bind(\"127.0.0.1:3000\").await?;\n    axum::serve(listener, app).await\n}\n";

#[test]
fn detects_how_every_framework_serves() {
    for (dependency, main, port, words) in [
        (
            "axum = '0.8'",
            AXUM,
            DetectedPort::Fixed(3000),
            "src/main.rs:2 requires port 3000",
        ),
        (
            "axum = { workspace = true }",
            "let port = env::var(\"PORT\").unwrap_or(\"3001\".into());\naxum::serve(l, app)",
            DetectedPort::Preferred(3001),
            "src/main.rs:1 reads its port from `PORT`",
        ),
        (
            "web = { package = 'actix-web', version = '4' }",
            "HttpServer::new(|| App::new()).bind((\"127.0.0.1\", 8081))?.run()",
            DetectedPort::Fixed(8081),
            "src/main.rs:1 requires port 8081",
        ),
        (
            "warp = '0.3'",
            "warp::serve(hello).run(([127, 0, 0, 1], 3030)).await;",
            DetectedPort::Fixed(3030),
            "`warp` is a dependency in Cargo.toml, and src/main.rs:1 serves with it",
        ),
        (
            "rocket = '0.5'",
            "#[launch]\nfn rocket() -> _ { rocket::build() }",
            DetectedPort::Preferred(8000),
            "`ROCKET_PORT`",
        ),
        (
            "poem = '3'",
            "Server::new(TcpListener::bind(addr))",
            DetectedPort::Preferred(3000),
            "its source does not say",
        ),
    ] {
        let found = only(
            &[("Cargo.toml", &manifest(dependency)), ("src/main.rs", main)],
            &["cargo"],
        );
        assert_eq!(
            (found.command.as_str(), found.port),
            ("cargo run", Some(port)),
            "{dependency}"
        );
        assert_eq!(found.prepare.as_deref(), Some("cargo build"));
        found.has_evidence(words);
    }
}

#[test]
fn reads_the_port_from_a_flag_or_a_module() {
    let main = "struct Args {\n    #[arg(short, long, default_value_t = 3000)]\n    port: u16,\n}\naxum::serve(l, app)";
    let cargo = manifest("axum = '0.8'");
    let found = only(&[("Cargo.toml", &cargo), ("src/main.rs", main)], &[]);
    assert_eq!(found.command, "cargo run -- --port {port}");
    found
        .has_evidence("src/main.rs:3 accepts `--port`")
        .has_evidence("it requires `cargo`, which is not installed");
    let found = only(
        &[
            ("Cargo.toml", &cargo),
            ("src/main.rs", "mod server;\nfn main() { server::run() }"),
            ("src/server/mod.rs", AXUM),
        ],
        &[],
    );
    assert_eq!(found.port, Some(DetectedPort::Fixed(3000)));
    found.has_evidence("src/server/mod.rs:3 serves with it");
}

#[test]
fn finds_workspace_members_once() {
    let cargo = manifest("axum.workspace = true");
    let detection = checkout(
        &[
            (
                "Cargo.toml",
                "[workspace]\nmembers = ['crates/*']\n[workspace.dependencies]\naxum = '0.8'",
            ),
            ("crates/api/Cargo.toml", &cargo),
            ("crates/api/src/main.rs", AXUM),
            ("crates/core/Cargo.toml", &cargo),
            ("crates/core/src/lib.rs", AXUM),
            ("crates/two/Cargo.toml", &cargo),
            ("crates/two/src/bin/front.rs", AXUM),
            ("crates/two/src/bin/admin/main.rs", AXUM),
            ("crates/two/src/bin/tool.rs", "fn main() {}"),
        ],
        &["cargo"],
    );
    let services: Vec<_> = detection
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.dir.as_str(), s.command.as_str()))
        .collect();
    assert_eq!(
        services,
        [
            ("api", "crates/api", "cargo run"),
            ("front", "crates/two", "cargo run --bin front"),
            ("admin", "crates/two", "cargo run --bin admin"),
        ]
    );
}

#[test]
fn enables_features_that_a_binary_requires() {
    let cargo = "[package]\nname = 'shop'\n[[bin]]\nname = 'shop'\npath = 'src/main.rs'\nrequired-features = ['ssr', 'web']\n[dependencies]\naxum = { version = '0.8', optional = true }\n";
    let found = only(&[("Cargo.toml", cargo), ("src/main.rs", AXUM)], &[]);
    assert_eq!(found.command, "cargo run --features 'ssr,web'");
    let without = cargo.replace("required-features", "other");
    let detection = checkout(&[("Cargo.toml", &without), ("src/main.rs", AXUM)], &[]);
    assert!(detection.services.is_empty(), "{detection:#?}");
}

#[test]
fn ignores_libraries_and_tools() {
    let axum = manifest("axum = '0.8'");
    for (cargo, file, text) in [
        (axum.as_str(), "src/lib.rs", AXUM),
        (&axum, "src/main.rs", "fn main() {}\n// axum::serve(l, app)"),
        (
            "[package]\nname = 'x'\n[dev-dependencies]\naxum = '0.8'",
            "src/main.rs",
            AXUM,
        ),
        (
            "package = 1\nbin = 2\ndependencies = ['axum']",
            "src/main.rs",
            AXUM,
        ),
    ] {
        let detection = checkout(&[("Cargo.toml", cargo), (file, text)], &[]);
        assert!(detection.services.is_empty(), "{detection:#?}");
    }
    let broken = checkout(&[("Cargo.toml", "[package"), ("src/main.rs", AXUM)], &[]);
    assert_eq!(broken.skipped[0].file, "Cargo.toml");
}

#[test]
fn a_file_with_variables_names_the_port_that_the_source_does_not() {
    let unknown = "async fn main() { axum::serve(listener(config).await, app).await }";
    let reads = "async fn main() { let port = env::var(\"APP_PORT\")?; axum::serve(l, app).await }";
    for (main, file, text, port, words) in [
        (
            unknown,
            ".env.example",
            "PORT=8000\n",
            8000,
            ".env.example sets `PORT` to 8000",
        ),
        (
            unknown,
            ".env",
            "SERVER_PORT=8001\n",
            8001,
            ".env sets `SERVER_PORT` to 8001",
        ),
        (
            unknown,
            ".env",
            "DB_PORT=5432\n",
            3000,
            "its source does not say",
        ),
        (
            reads,
            ".env.example",
            "APP_PORT=8002\n",
            8002,
            "reads its port from `APP_PORT`",
        ),
    ] {
        let manifest = manifest("axum = '0.8'");
        let files = [
            ("Cargo.toml", manifest.as_str()),
            ("src/main.rs", main),
            (file, text),
        ];
        let found = only(&files, &["cargo"]);
        assert_eq!(
            found.port,
            Some(DetectedPort::Preferred(port)),
            "{file} {text}"
        );
        found.has_evidence(words);
        let variable = text.split('=').next().unwrap();
        let is_set = found.env.contains_key(variable);
        assert_eq!(is_set, !["PORT", "DB_PORT"].contains(&variable), "{text}");
    }
}
