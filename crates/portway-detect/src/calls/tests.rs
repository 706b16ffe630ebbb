use crate::fixture::checkout;
use crate::{DetectedPort, DetectedService, Detection};

const FASTAPI: &str = "from fastapi import FastAPI\napp = FastAPI()\n";
const VITE: &str = r#"{ "scripts": { "dev": "vite" }, "devDependencies": { "vite": "7" } }"#;
const EXPRESS: &str =
    r#"{ "scripts": { "dev": "node server.js" }, "dependencies": { "express": "5" } }"#;

/// A page in `web` with these files, and a backend in `api`.
fn shop(backend: &[(&str, &str)], files: &[(&str, &str)]) -> Detection {
    let mut all = vec![("web/package.json", VITE)];
    all.extend(backend);
    all.extend(files);
    checkout(&all, &["npm", "python3"])
}

const ON_FASTAPI: &[(&str, &str)] = &[
    ("api/requirements.txt", "fastapi\n"),
    ("api/main.py", FASTAPI),
];

fn service<'a>(detection: &'a Detection, name: &str) -> &'a DetectedService {
    let mut services = detection.services.iter();
    services.find(|one| one.name == name).unwrap()
}

/// The preferred port of `api` in a checkout whose page has these files, and what calls it.
fn called(
    backend: &[(&str, &str)],
    files: &[(&str, &str)],
) -> (Option<DetectedPort>, Option<String>) {
    let detection = shop(backend, files);
    let api = service(&detection, "api");
    (api.port, api.called_by.clone())
}

#[test]
fn finds_calls_in_configurations_and_source() {
    for (file, text, line) in [
        (
            "vite.config.ts",
            "export default {\n  server: {\n    proxy: {\n      '/api': 'http://localhost:8123',\n    },\n  },\n}",
            4,
        ),
        (
            "next.config.mjs",
            "export default {\n async rewrites() { return [{ source: '/a', destination: `http://127.0.0.1:8123/:path*` }] } }",
            2,
        ),
        (
            "nuxt.config.ts",
            "routeRules: {\n '/api/**': { proxy: 'http://localhost:8123/**' } }",
            2,
        ),
        (
            "proxy.conf.json",
            "{\n \"/api\": {\n  \"target\": \"http://localhost:8123\" } }",
            3,
        ),
        (
            "src/setupProxy.js",
            "createProxyMiddleware({ target: 'localhost:8123' })",
            1,
        ),
        (
            "src/api/client.ts",
            "// first\nexport const get = () => fetch(\"http://localhost:8123/items\")",
            2,
        ),
        (
            "src/environments/environment.ts",
            "export const environment = { url: 'http://localhost:8123' }",
            1,
        ),
        (
            "index.html",
            "<script>\nnew WebSocket('ws://localhost:8123/ws')</script>",
            2,
        ),
        ("public/config.js", "window.API = 'http://0.0.0.0:8123'", 1),
    ] {
        let file = format!("web/{file}");
        let found = called(ON_FASTAPI, &[(&file, text)]);
        let expected = (
            Some(DetectedPort::Preferred(8123)),
            Some(format!("{file}:{line}")),
        );
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn other_addresses_are_not_calls() {
    for (file, text) in [
        (
            "src/api.ts",
            "const url = import.meta.env.VITE_API ?? 'http://localhost:8123'",
        ),
        ("src/api.ts", "// fetch('http://localhost:8123')"),
        ("src/api.test.ts", "fetch('http://localhost:8123')"),
        ("src/page.ts", "fetch('http://localhost:5173/own')"),
        (
            "src/chat.ts",
            "fetch('http://localhost:11434/api/generate')",
        ),
        (
            "server/index.js",
            "cors({ origin: 'http://localhost:8123' })",
        ),
        ("node_modules/x/index.js", "fetch('http://localhost:8123')"),
        (
            "vite.config.ts",
            "server: { proxy: { '/a': process.env.API || 'http://localhost:8123' } }",
        ),
        (
            "src/two.ts",
            "fetch('http://localhost:8123')\nfetch('http://localhost:8124')",
        ),
    ] {
        let file = format!("web/{file}");
        let found = called(ON_FASTAPI, &[(&file, text)]);
        assert_eq!(
            found,
            (Some(DetectedPort::Preferred(8000)), None),
            "{file} {text}"
        );
    }
}

#[test]
fn a_called_port_that_a_service_has_is_named_in_the_plan() {
    let page = [("web/src/api.js", "fetch('http://localhost:8000')")];
    let detection = shop(ON_FASTAPI, &page);
    let api = service(&detection, "api");
    api.has_evidence("because `web/src/api.js:1` calls port 8000");
    assert!(
        detection
            .manifest("shop")
            .contains("port = { prefer = 8000, called_by = \"web/src/api.js:1\" }")
    );
}

#[test]
fn the_configuration_outweighs_the_source() {
    let files = [
        ("web/src/api.js", "fetch('http://localhost:7001')"),
        (
            "web/vite.config.js",
            "server: { proxy: { '/a': 'http://localhost:7002' } }",
        ),
    ];
    assert_eq!(
        called(ON_FASTAPI, &files).0,
        Some(DetectedPort::Preferred(7002))
    );
}

#[test]
fn ports_that_code_or_scripts_name_stay() {
    let page = [("web/src/api.js", "fetch('http://localhost:8123')")];
    let fixed = [
        ("api/package.json", EXPRESS),
        ("api/server.js", "require('express')().listen(4001)"),
    ];
    assert_eq!(
        called(&fixed, &page),
        (Some(DetectedPort::Fixed(4001)), None)
    );
    let script = EXPRESS.replace("node", "PORT=4001 node");
    let scripted = [
        ("api/package.json", script.as_str()),
        (
            "api/server.js",
            "require('express')().listen(process.env.PORT)",
        ),
    ];
    assert_eq!(
        called(&scripted, &page),
        (Some(DetectedPort::Preferred(4001)), None)
    );
    // A default in the code only counts if the variable is not set.
    let default = [
        ("api/package.json", EXPRESS),
        (
            "api/server.js",
            "require('express')().listen(process.env.PORT || 4001)",
        ),
    ];
    assert_eq!(
        called(&default, &page).0,
        Some(DetectedPort::Preferred(8123))
    );
}

#[test]
fn several_backends_need_their_usual_port() {
    let two = [
        ("api/requirements.txt", "fastapi\n"),
        ("api/main.py", FASTAPI),
        ("auth/package.json", EXPRESS),
        (
            "auth/server.js",
            "require('express')().listen(process.env.PORT || 4001)",
        ),
    ];
    let page = [(
        "web/src/api.js",
        "fetch('http://localhost:8000')\nfetch('http://localhost:9999')",
    )];
    let detection = shop(&two, &page);
    assert_eq!(
        service(&detection, "api").called_by.as_deref(),
        Some("web/src/api.js:1")
    );
    assert_eq!(service(&detection, "auth").called_by, None);
    assert_eq!(
        service(&detection, "auth").port,
        Some(DetectedPort::Preferred(4001))
    );
}

#[test]
fn a_called_port_takes_precedence_over_a_published_one() {
    let compose = "services:\n  app:\n    build: ./api\n    ports: ['7300:8000']\n";
    let proxy = |port: u16| {
        format!("export default {{ server: {{ proxy: {{ '/api': 'http://localhost:{port}' }} }} }}")
    };
    for (called_port, expected) in [(8000, 8000), (7300, 7300), (7400, 7300)] {
        let config = proxy(called_port);
        let (port, _) = called(
            ON_FASTAPI,
            &[("compose.yml", compose), ("web/vite.config.ts", &config)],
        );
        assert_eq!(
            port,
            Some(DetectedPort::Preferred(expected)),
            "{called_port}"
        );
    }
}

#[test]
fn the_default_of_a_proxy_may_be_the_port_in_the_container() {
    let compose = "services:\n  app:\n    build: ./api\n    ports: ['7300:7301']\n";
    let config = "const to = process.env.API || 'http://localhost:7301'\nexport default { server: { proxy: { '/api': to } } }";
    let (port, _) = called(
        ON_FASTAPI,
        &[("compose.yml", compose), ("web/vite.config.ts", config)],
    );
    assert_eq!(port, Some(DetectedPort::Preferred(7301)));
}
