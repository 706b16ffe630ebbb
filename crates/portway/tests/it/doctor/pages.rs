//! Pages that call the services of another checkout.

use super::*;

const CALL: &str = "// The API.\nexport const items = () => fetch('http://localhost:%0/items');\n";

/// Commits the project and creates a worktree. Returns its path.
fn worktree(sandbox: &Sandbox) -> String {
    let main = sandbox.project().to_owned();
    sandbox.git(&main, &["init", "-q"]);
    sandbox.git(&main, &["add", "."]);
    sandbox.git(&main, &["commit", "-qm", "first"]);
    let worktree = sandbox.path("w").display().to_string();
    sandbox.git(&main, &["worktree", "add", "-q", "-b", "fix", &worktree]);
    worktree
}

#[test]
fn up_warns_once_about_a_page_that_calls_another_checkout() {
    let sandbox = jobi().file("web/src/api.js", CALL);
    let worktree = worktree(&sandbox);
    // In the main checkout, the port is that of its own service.
    let started = sandbox.run(&["up", "--detach"]).success();
    assert!(!started.stderr().contains("api.js"), "{}", started.stderr());

    let up = ["-C", &worktree, "up", "--detach"];
    let warnings = sandbox.run(&up).success().stderr();
    for expected in [
        "(~/w/web/src/api.js:2)",
        &sandbox.expand("calls http://localhost:%0"),
        "`backend` of `jobi`",
        &sandbox.expand("`backend` of this checkout is on %1"),
        "portway gateway --detach",
    ] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
    assert_eq!(warnings.matches("api.js").count(), 1, "{warnings}");
    // It is running already.
    let again = sandbox.run(&up).success().stderr();
    assert!(!again.contains("api.js"), "{again}");

    let report = sandbox.run(&["-C", &worktree, "doctor", "--json"]).json();
    assert_eq!(wrong(&report), ["literal/frontend/warning"]);
    sandbox.run(&["-C", &worktree, "down"]).success();
}

#[test]
fn a_proxy_reaches_its_own_checkout_in_a_network() {
    let proxy = "export default { server: { proxy: { '/api': 'http://localhost:%0' } } }\n";
    let sandbox = jobi().file("web/vite.config.js", proxy);
    let worktree = worktree(&sandbox);
    sandbox.run(&["up", "--detach"]).success();

    for (flags, is_wrong) in [(&[][..], true), (&["--isolate"], false)] {
        let up = [&["-C", &worktree, "up", "--detach"][..], flags].concat();
        let warnings = sandbox.run(&up).success().stderr();
        assert_eq!(
            warnings.contains("vite.config.js:1"),
            is_wrong,
            "{warnings}"
        );
        sandbox.run(&["-C", &worktree, "down"]).success();
    }
}
