//! Findings about calls from a frontend to a backend: CORS and proxies.

use super::{diagnosis, finding, jobi, mentions, prose, running, wrong};
use crate::transcript::Transcript;

#[test]
fn reports_a_backend_without_cors() {
    let mut transcript = Transcript::default();
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    sandbox.write("portway.toml", &text.replace("--cors", ""));
    sandbox.run(&["up", "--detach"]).success();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "no CORS", &prose(&report));
    assert_eq!(wrong(&report), ["cors/backend/error"]);
    let found = finding(&report, "cors");
    mentions(&found, "`frontend`");
    mentions(&found, &sandbox.expand("http://localhost:%10"));
    assert!(found["repair"].as_str().unwrap().contains("CORS_ORIGINS"));
    // A proxy of the frontend needs no CORS.
    sandbox.write(
        "web/vite.config.js",
        "export default { server: { proxy: { '/api': process.env.BACKEND_URL } } }",
    );
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
    transcript.assert("doctor-no-cors");
}

#[test]
fn warns_when_the_backend_without_cors_may_not_be_the_one_in_use() {
    let mut transcript = Transcript::default();
    let sandbox = jobi();
    let text = sandbox.read("portway.toml").replace("--cors", "");
    let second =
        "\n[services.mailer]\ncommand = \"%service serve {port} --cors\"\nport = \"%20-%29\"\n";
    sandbox.write("portway.toml", &(text + second));
    sandbox.run(&["up", "--detach"]).success();
    let report = diagnosis(&sandbox, 0);
    transcript.text(&sandbox, "two backends", &prose(&report));
    assert_eq!(wrong(&report), ["cors/backend/warning"]);
    let text = sandbox.read("portway.toml");
    let with_url = "dir = \"web\"\nenv = { VITE_API = \"{backend.url}/v1\" }";
    sandbox.write("portway.toml", &text.replace("dir = \"web\"", with_url));
    sandbox.run(&["up", "--detach"]).success();
    assert_eq!(wrong(&diagnosis(&sandbox, 1)), ["cors/backend/error"]);
    transcript.assert("doctor-unused-backend");
}

#[test]
fn reports_a_backend_that_allows_other_origins() {
    let mut transcript = Transcript::default();
    let sandbox = jobi();
    let text = sandbox.read("portway.toml");
    let other = "env = { CORS_ORIGINS = \"http://localhost:1\" }\n[services.frontend]";
    sandbox.write("portway.toml", &text.replace("[services.frontend]", other));
    sandbox.run(&["up", "--detach"]).success();
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "other origins", &prose(&report));
    assert_eq!(wrong(&report), ["cors/backend/error"]);
    mentions(
        &finding(&report, "cors"),
        &sandbox.expand("http://localhost:%10"),
    );
    transcript.assert("doctor-other-origins");
}

#[test]
fn reports_a_proxy_to_the_wrong_port() {
    let mut transcript = Transcript::default();
    let sandbox = running();
    let config = "export default {\n  server: {\n    proxy: {\n      '/api': { target: 'http://localhost:%35' },\n    },\n  },\n}\n";
    sandbox.write("web/vite.config.ts", config);
    let report = diagnosis(&sandbox, 1);
    transcript.text(&sandbox, "a proxy to an unknown port", &prose(&report));
    assert_eq!(wrong(&report), ["proxy/frontend/error"]);
    let found = finding(&report, "proxy");
    mentions(&found, &sandbox.expand("http://localhost:%35"));
    mentions(&found, "`backend`");
    mentions(&found, &sandbox.expand("%0"));
    let place = sandbox.project().join("web/vite.config.ts:4");
    assert_eq!(found["place"], place.to_str().unwrap());
    assert!(
        found["repair"]
            .as_str()
            .unwrap()
            .contains("process.env.BACKEND_URL")
    );
    // `--fix` edits no source file.
    sandbox.run(&["doctor", "--fix"]).code(1);
    assert_eq!(sandbox.read("web/vite.config.ts"), sandbox.expand(config));
    sandbox.write("web/vite.config.ts", &config.replace("%35", "%0"));
    assert_eq!(wrong(&diagnosis(&sandbox, 0)), [""; 0]);
    transcript.assert("doctor-proxy");
}
