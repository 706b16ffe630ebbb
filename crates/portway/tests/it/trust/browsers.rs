//! Real browsers open a page of the gateway.

use std::fs;

use super::{databases, gateway, portway, with_browsers};
use crate::sandbox::{http_get, two_services, wait_until};

#[test]
fn chromium_trusts_the_gateway() {
    let sandbox = with_browsers(two_services());
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let page = |profile: &str| {
        let mut command = sandbox.command("chromium");
        command
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .args(["--no-first-run", "--no-proxy-server", "--disable-sync"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE *.localhost, EXCLUDE 127.0.0.1")
            .arg(format!(
                "--user-data-dir={}",
                sandbox.path(profile).display()
            ))
            .arg(format!("https://jobi.localhost:{}/", sandbox.port(38)));
        sandbox.run_command(command).stdout()
    };
    let pid = http_get(sandbox.port(10), "/").unwrap();
    let shown = page("profile");
    assert!(
        shown.contains(&format!("<body>{pid}")) || shown.contains(&format!(">{pid}<")),
        "{shown}"
    );
    portway(&sandbox, &["trust", "--undo", "--yes"]).success();
    let refused = page("other-profile");
    assert!(!refused.contains(&pid), "{refused}");
    wait_until("the browser has exited", || {
        !sandbox
            .processes()
            .values()
            .any(|command| command.contains("chromium"))
    });
}

#[test]
fn firefox_trusts_the_gateway() {
    let sandbox = with_browsers(two_services());
    portway(&sandbox, &["trust", "--yes"]).success();
    sandbox.run(&["up", "--detach"]).success();
    let _gateway = gateway(&sandbox);
    let [_, profile] = databases(&sandbox);
    // Requests to other machines go to a proxy that does not exist.
    let preferences = [
        "'network.proxy.type', 1",
        "'network.proxy.http', '127.0.0.1'",
        "'network.proxy.http_port', 1",
        "'network.proxy.ssl', '127.0.0.1'",
        "'network.proxy.ssl_port', 1",
        "'network.proxy.no_proxies_on', 'localhost, .localhost'",
        "'browser.shell.checkDefaultBrowser', false",
        "'datareporting.policy.dataSubmissionEnabled', false",
    ];
    let lines = preferences.map(|one| format!("user_pref({one});\n"));
    fs::write(profile.join("user.js"), lines.concat()).unwrap();
    // The service exits on a request for this page, which shows that the browser has sent one. A
    // browser that does not trust the certificate sends none.
    let mut firefox = sandbox
        .command("firefox-esr")
        .args(["--headless", "--no-remote", "--profile"])
        .arg(&profile)
        .arg(format!(
            "https://jobi.localhost:{}/exit/7",
            sandbox.port(38)
        ))
        .spawn()
        .unwrap();
    wait_until("the browser has requested the page", || {
        let status = sandbox.status();
        let services = status["services"].as_array().unwrap();
        let frontend = services.iter().find(|one| one["name"] == "frontend");
        frontend.unwrap()["restarts"].as_u64() > Some(0)
    });
    firefox.kill().unwrap();
    firefox.wait().unwrap();
    wait_until("the browser has exited", || {
        let mut commands = sandbox.processes().into_values();
        !commands.any(|command| command.contains("firefox"))
    });
}
