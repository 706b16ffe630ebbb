//! `portway mcp`, with the client of the protocol's own SDK.

use std::process::Stdio;

use rmcp::model::{CallToolRequestParams, CallToolResult, JsonObject};
use rmcp::service::RunningService;
use rmcp::{RoleClient, ServiceError, ServiceExt};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::sandbox::{Sandbox, two_services};
use crate::servers::UnrelatedServer;

/// A client, and the server that it has started.
struct Session {
    client: RunningService<RoleClient, ()>,
    server: tokio::process::Child,
}

impl Session {
    async fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let mut command = tokio::process::Command::from(sandbox.portway(&["mcp"]));
        command.args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::null());
        let mut server = command.kill_on_drop(true).spawn().unwrap();
        let pipes = (server.stdout.take().unwrap(), server.stdin.take().unwrap());
        let client = ().serve(pipes).await.unwrap();
        Self { client, server }
    }

    /// Calls a tool.
    async fn call(&self, tool: &str, arguments: Value) -> Result<CallToolResult, ServiceError> {
        let Value::Object(arguments) = arguments else {
            unreachable!("arguments are an object")
        };
        self.request(tool, arguments).await
    }

    async fn request(
        &self,
        tool: &str,
        arguments: JsonObject,
    ) -> Result<CallToolResult, ServiceError> {
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.client.call_tool(request).await
    }

    /// Calls a tool and expects a result.
    async fn value(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await.unwrap();
        assert_ne!(result.is_error, Some(true), "{result:?}");
        result.structured_content.unwrap()
    }

    /// Calls a tool and expects an error of Portway.
    async fn error(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{result:?}");
        result.structured_content.unwrap()["error"].clone()
    }

    /// Ends the session as clients do: closes standard input. The server exits with success.
    async fn end(mut self) {
        self.client.cancel().await.unwrap();
        assert!(self.server.wait().await.unwrap().success());
    }
}

/// Runs an asynchronous test.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap().block_on(test);
}

#[test]
fn tools_that_run_services_need_permission() {
    let sandbox = two_services();
    run(async {
        let session = Session::start(&sandbox, &[]).await;
        let tools = session.client.list_all_tools().await.unwrap();
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_ref()).collect();
        assert_eq!(
            names,
            [
                "ps", "url", "port", "who", "free", "logs", "health", "doctor", "plan", "wait"
            ]
        );
        let is_read_only = |name: &str| {
            let tool = tools.iter().find(|tool| tool.name == name).unwrap();
            tool.annotations.as_ref().unwrap().read_only_hint
        };
        assert_eq!(is_read_only("ps"), Some(true));
        // They lease a port that was never chosen.
        assert_eq!(is_read_only("url"), Some(false));
        let error = session.error("up", json!({})).await;
        assert_eq!(error["code"], "refused");
        session.end().await;

        let session = Session::start(&sandbox, &["--allow-run"]).await;
        let tools = session.client.list_all_tools().await.unwrap();
        assert!(tools.iter().any(|tool| tool.name == "up"));
        session.end().await;
    });
}

#[test]
fn an_agent_starts_inspects_and_stops_services() {
    let sandbox = two_services();
    run(async {
        let session = Session::start(&sandbox, &["--allow-run"]).await;
        let plan = session.value("plan", json!({})).await;
        assert_eq!(plan["services"].as_array().unwrap().len(), 2);
        let status = session.value("up", json!({})).await;
        assert_eq!(status["state"], "ready", "{status}");
        let listed = session.value("ps", json!({})).await;
        assert_eq!(listed["instances"][0]["name"], status["name"]);
        let url = session.value("url", json!({ "service": "backend" })).await;
        assert_eq!(url["url"], sandbox.expand("http://localhost:%0"));
        let port = session.value("port", json!({ "service": "backend" })).await;
        assert_eq!(port["port"], sandbox.port(0));
        let who = session
            .value("who", json!({ "ports": [sandbox.port(0)] }))
            .await;
        assert_eq!(
            who["ports"][0]["holders"][0]["service"]["service"],
            "backend"
        );
        let waited = session
            .value("wait", json!({ "timeout_seconds": 60 }))
            .await;
        assert_eq!(waited["state"], "ready");
        let health = session.value("health", json!({})).await;
        assert_eq!(health["healthy"], true, "{health}");
        let logs = session.value("logs", json!({ "lines": 1 })).await;
        assert_eq!(logs["lines"].as_array().unwrap().len(), 1);
        let restarted = session
            .value("restart", json!({ "services": ["backend"] }))
            .await;
        assert_eq!(restarted["state"], "ready");
        let stopped = session.value("down", json!({})).await;
        assert_eq!(stopped["stopped_instance"], status["name"]);
        session.end().await;
    });
}

#[test]
fn no_tool_ends_a_process_that_portway_did_not_start() {
    let sandbox = two_services();
    let server = UnrelatedServer::start(sandbox.port(5), sandbox.project());
    run(async {
        let session = Session::start(&sandbox, &["--allow-run"]).await;
        let plan = session
            .value("free", json!({ "port": sandbox.port(5) }))
            .await;
        assert_eq!(plan["action"], "dry_run");
        assert_eq!(plan["processes"][0]["pid"], server.pid());
        assert_eq!(plan["free"], false);
        session.value("down", json!({})).await;
        session.end().await;
    });
    assert!(crate::sandbox::http_get(sandbox.port(5), "/").is_some());
}

#[test]
fn a_session_ends_while_a_call_waits() {
    let sandbox = Sandbox::new().manifest(
        "[services.slow]\ncommand = \"%service sleep\"\nready = { log = \"never\", timeout = \"10m\" }",
    );
    let mut up = sandbox.spawn(&["up"]);
    run(async {
        let session = Session::start(&sandbox, &[]).await;
        let wait = session.call("wait", json!({}));
        tokio::select! {
            biased;
            result = wait => panic!("{result:?}"),
            // Answered after the server has started to wait.
            _ = session.value("ps", json!({})) => {}
        }
        session.end().await;
    });
    up.signal(Signal::INT);
    up.wait();
}

#[test]
fn wrong_arguments_and_errors_say_what_to_do() {
    let sandbox = two_services();
    run(async {
        let session = Session::start(&sandbox, &[]).await;
        for (tool, arguments, expected) in [
            (
                "url",
                json!({ "servce": "backend" }),
                "unknown field `servce`",
            ),
            (
                "who",
                json!({ "ports": [70000] }),
                "invalid value: integer `70000`",
            ),
            ("who", json!({ "ports": [0] }), "0 is not a port"),
            ("free", json!({}), "missing field `port`"),
            ("start", json!({}), "the tools are ps, url"),
        ] {
            let error = session.call(tool, arguments).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = session.error("url", json!({ "service": "backnd" })).await;
        assert_eq!(error["code"], "unknown_service");
        assert!(error["hints"].to_string().contains("backend"), "{error}");
        let nowhere = sandbox.path("nowhere");
        let error = session.error("plan", json!({ "directory": nowhere })).await;
        assert!(error["message"].to_string().contains("nowhere"), "{error}");
        let error = session.error("ps", json!({ "instance": "other" })).await;
        assert_eq!(error["code"], "nothing_there");
        session.end().await;
    });
}

#[test]
fn logs_have_no_control_sequences() {
    let sandbox = Sandbox::new().manifest(
        "[services.colors]\ncommand = \"printf '\\\\033[31mred\\\\033[0m\\\\033]0;title\\\\007\\\\n'; exec %service sleep\"\nready = { log = \"red\" }",
    );
    sandbox.run(&["up", "--detach"]).success();
    run(async {
        let session = Session::start(&sandbox, &[]).await;
        let logs = session.value("logs", json!({})).await;
        assert_eq!(logs["lines"][0]["text"], "red", "{logs}");
        session.end().await;
    });
    sandbox.run(&["down"]).success();
}

#[test]
fn a_client_that_speaks_another_protocol_gets_an_error() {
    let sandbox = two_services();
    let mut command = sandbox.portway(&["mcp"]);
    command.stdin(Stdio::null());
    let ran = sandbox.run_command(command).code(1);
    assert!(
        ran.stderr()
            .contains("the MCP client did not start a session")
    );
}
