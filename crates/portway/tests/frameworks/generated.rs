//! A checkout that a generator has created, and the expectations for each.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

/// How long downloads of packages and a first build may take on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The directory for temporary files of programs. It is deleted with the sandbox.
const TEMPORARY: &str = "tmp";

pub struct Generated {
    sandbox: Sandbox,
}

impl Generated {
    /// Creates a checkout with these files.
    pub fn with_files(files: &[(&str, &str)]) -> Self {
        let mut generated = Self::empty();
        for (name, text) in files {
            generated.sandbox = generated.sandbox.file(name, text);
        }
        generated
    }

    /// Runs a generator that creates the checkout in the directory `app`.
    pub fn with_command(command: &str) -> Self {
        let mut generated = Self::empty();
        let output = generated
            .command("sh")
            .args(["-c", command])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{command}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        let app = generated.sandbox.project().join("app");
        assert!(
            app.is_dir(),
            "{command} has not created the directory `app`"
        );
        // The generated directory is the checkout, not its parent.
        fs::rename(generated.sandbox.project().join(".git"), app.join(".git")).unwrap();
        generated.sandbox.set_project(app);
        generated
    }

    fn empty() -> Self {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path(TEMPORARY)).unwrap();
        Self { sandbox }
    }

    /// Replaces `old` by `new` in a file, as a user does.
    pub fn replace(self, file: &str, old: &str, new: &str) -> Self {
        let text = self.sandbox.read(file);
        assert!(text.contains(old), "no `{old}` in {text}");
        self.sandbox.write(file, &text.replace(old, new));
        self
    }

    /// Writes a file, as a user does.
    pub fn file(self, name: &str, text: &str) -> Self {
        self.sandbox.write(name, text);
        self
    }

    /// Expects that a change of `file` appears in Chromium without loading the page again, whether it is
    /// opened by its port or by its name.
    pub fn reloads(self, file: &str) {
        let gateway = self
            .sandbox
            .run(&["gateway", "--detach", "--port", "0", "--json"]);
        let gateway = gateway.success().json();
        self.up();
        let by_port = self.sandbox.ports_json()["web_url"].clone();
        let by_name = self.sandbox.run(&["url", "web", "--name", "--json"]);
        let by_name = by_name.success().json()["url"].clone();
        let support = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/browser/support");
        let output = self
            .command("node")
            .arg("--experimental-websocket")
            .arg(format!("{support}/hot-reload.js"))
            .arg(self.sandbox.project().join(file))
            .args([by_port.as_str().unwrap(), by_name.as_str().unwrap()])
            .output()
            .unwrap();
        let log = self.sandbox.run(&["logs"]).stdout();
        self.sandbox.run(&["down"]).success();
        self.sandbox.run(&["gateway", "stop"]).success();
        assert!(
            output.status.success(),
            "{gateway}\n{}\n{log}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// The only service of `portway plan`, beside the step that creates the tables of its database.
    pub fn plan(&self) -> serde_json::Value {
        let plan = self.sandbox.run(&["plan", "--json"]).success().json();
        let services = plan["services"].as_array().unwrap();
        let mut services = services
            .iter()
            .filter(|one| one.get("only_if_empty").is_none());
        let only = services.next().unwrap();
        assert_eq!(services.next(), None, "{plan:#}");
        only.clone()
    }

    /// Expects that `framework` is detected, that the service starts, that its page contains `text`,
    /// and that no file of the project is changed.
    pub fn serves(self, framework: &str, text: &str) {
        assert_eq!(self.plan()["framework"], framework);
        let files = self.files();
        self.up();
        let status = self.sandbox.status();
        let mut services = status["services"].as_array().unwrap().iter();
        let port = services.find_map(|one| one["ports"][0]["port"].as_u64());
        let port = port.unwrap();
        let deadline = Instant::now() + TIMEOUT;
        let mut page = String::new();
        while !page.contains(text) {
            assert!(
                Instant::now() < deadline,
                "no `{text}` in\n{page}\n{}",
                self.sandbox.run(&["logs"]).stdout()
            );
            page = http_get(port as u16).unwrap_or_default();
            std::thread::sleep(Duration::from_millis(50));
        }
        self.sandbox.run(&["down"]).success();
        // The files of the project are not changed.
        for (path, before) in files {
            let now = fs::read_to_string(&path).ok();
            assert!(
                now.as_ref() == Some(&before),
                "{} has changed",
                path.display()
            );
        }
    }

    /// Starts the services, which may install packages and build first.
    fn up(&self) {
        let up = self
            .command(env!("CARGO_BIN_EXE_portway"))
            .args(["up", "--detach"])
            .output();
        let up = up.unwrap();
        let log = self.sandbox.run(&["logs"]).stdout();
        let stderr = String::from_utf8_lossy(&up.stderr);
        assert!(up.status.success(), "{stderr}\n{log}");
    }

    /// The files of the project that no framework writes, by their paths.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let own = [
            "package.json",
            "requirements.txt",
            "Gemfile",
            "src/main.ts",
            "app.py",
        ];
        let paths = own.iter().map(|name| self.sandbox.project().join(name));
        paths
            .filter_map(|path| Some((path.clone(), fs::read_to_string(&path).ok()?)))
            .collect()
    }

    /// A command that asks no questions. Its caches outlive the sandbox; its temporary files do not.
    fn command(&self, program: &str) -> Command {
        let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cache");
        let mut command = self.sandbox.command(program);
        let temporary = self.sandbox.path(TEMPORARY);
        for (name, value) in [
            ("TMPDIR", temporary.to_str().unwrap()),
            ("npm_config_cache", cache.join("npm").to_str().unwrap()),
            ("PIP_CACHE_DIR", cache.join("pip").to_str().unwrap()),
            ("npm_config_yes", "true"),
            ("npm_config_update_notifier", "false"),
            ("NEXT_TELEMETRY_DISABLED", "1"),
            ("NUXT_TELEMETRY_DISABLED", "1"),
            ("ASTRO_TELEMETRY_DISABLED", "1"),
            ("NG_CLI_ANALYTICS", "false"),
            ("CI", "1"),
        ] {
            command.env(name, value);
        }
        command
    }
}

/// The response of a server on either address family.
fn http_get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .or_else(|_| TcpStream::connect(("::1", port)))
        .ok()?;
    stream.set_read_timeout(Some(TIMEOUT)).ok()?;
    let request = format!(
        "GET / HTTP/1.1\r\nhost: localhost:{port}\r\naccept: text/html\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
