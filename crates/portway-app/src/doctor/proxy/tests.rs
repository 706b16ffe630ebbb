use portway_api::Severity;

use super::*;

fn found(text: &str) -> Vec<(usize, u16)> {
    targets(text).iter().map(|t| (t.line, t.port)).collect()
}

#[test]
fn reads_targets_in_the_proxy_block() {
    let config = "export default {\n  server: {\n    origin: 'http://localhost:1',\n    proxy: {\n      '/api': 'http://localhost:8000',\n      '/ws': { target: \"ws://127.0.0.1:8001\", ws: true },\n    },\n    hmr: 'ws://localhost:2',\n  },\n};\n";
    assert_eq!(found(config), [(5, 8000), (6, 8001)]);
}

#[test]
fn follows_constants_that_the_proxy_uses() {
    let config = "const api = 'http://localhost:8000'\nconst docs = 'http://localhost:8001'\nexport default { server: { proxy: { '/api': { target: api } } } }";
    assert_eq!(found(config), [(1, 8000)]);
}

#[test]
fn ignores_comments_and_defaults_of_variables() {
    for config in [
        "x = { proxy: {\n // '/api': 'http://localhost:8000',\n } }",
        "x = { proxy: { /* '/api':\n 'http://localhost:8000' */ } }",
        "x = { proxy: { '/api': process.env.BACKEND_URL ?? 'http://localhost:8000' } }",
        "const api = env.API || 'http://localhost:8000'\nx = { proxy: { '/api': api } }",
        "// proxy: { '/api': 'http://localhost:8000' }",
        "x = { proxy: { '/api': 'http://api.example:8000' } }",
        "x = { base: 'http://localhost:8000' }",
        "proxy: {",
        "",
    ] {
        assert_eq!(found(config), [], "{config}");
    }
    // The slashes of a URL are no comment.
    let two = "x = { proxy: { a: 'http://localhost:1', b: 'http://localhost:2' } }";
    assert_eq!(found(two), [(1, 1), (1, 2)]);
}

#[test]
fn evaluates_a_target_by_the_owner_of_its_port() {
    let config = Config {
        file: "vite.config.ts".into(),
        targets: vec![Target {
            line: 7,
            url: "http://localhost:8000".into(),
            port: 8000,
        }],
    };
    let evaluate_for = |owner: PortOwner, backends: &[(String, u16)]| {
        evaluate("web", &config, &|_| owner.clone(), backends)
    };
    let api = [("my-api".to_owned(), 9000)];
    let own = evaluate_for(PortOwner::Own("my-api".into()), &api);
    assert_eq!(own[0].severity, Severity::Fine);
    let wrong = evaluate_for(PortOwner::None, &api);
    assert_eq!(wrong[0].severity, Severity::Error);
    assert_eq!(wrong[0].place.as_deref(), Some("vite.config.ts:7"));
    assert!(wrong[0].message.ends_with("`my-api` is on 9000"));
    let repair = wrong[0].repair.as_deref().unwrap();
    assert!(repair.contains("process.env.MY_API_URL"), "{repair}");
    let other = evaluate_for(PortOwner::Other("`api` of old".into()), &api);
    assert!(other[0].message.contains("belongs to `api` of old"));
    assert_eq!(evaluate_for(PortOwner::None, &[]), []);
}
