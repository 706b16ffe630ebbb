//! `portway mcp`: a server of the Model Context Protocol (MCP) on standard input and output, with which coding
//! agents use Portway.
//!
//! Source: <https://modelcontextprotocol.io/specification>. The library `rmcp` implements the protocol; this module
//! decides which tools exist and what each of them may do.

mod arguments;
mod notes;
mod tools;

use std::path::PathBuf;
use std::sync::Arc;

use portway_api::{ErrorBody, ErrorCode};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::Value;

use crate::error::CommandError;
use crate::runtime::runtime;
use tools::{Access, Failure, Tool};

/// What a client reads before it uses the tools.
const INSTRUCTIONS: &str = "\
Portway gives each service of each checkout (clone or git worktree) its own port and keeps it. Never assume a \
port such as 3000: ask `url` or `port`. Ask `who` before you conclude that a port is free or whose server \
answers on it. Do not stop servers by port number or program name: other checkouts run the same programs.";

/// Options of `portway mcp`.
#[derive(Debug, Clone)]
pub struct McpOptions {
    /// The directory of calls that do not name one; `None` for the current directory.
    pub directory: Option<PathBuf>,
    /// Whether clients may start, restart and stop services.
    pub allow_run: bool,
    /// Removes control sequences from the output of services.
    pub sanitize: fn(&str) -> String,
}

/// Serves a client on standard input and output until it closes standard input.
///
/// # Errors
/// When the client does not speak the protocol.
pub fn serve(options: McpOptions) -> Result<(), CommandError> {
    let server = Server {
        tools: Arc::new(tools::all()),
        options,
    };
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let failed = |cause: Box<dyn std::error::Error + Send + Sync>| {
            CommandError::new(ErrorCode::Failed, "the MCP client did not start a session")
                .caused_by(cause)
                .hint("this command is for programs; add `portway mcp` to the MCP servers of a coding agent")
        };
        let session = server.serve(rmcp::transport::stdio_pipes()).await;
        let session = session.map_err(|error| failed(error.into()))?;
        session.waiting().await.map_err(|error| failed(error.into()))?;
        Ok(())
    });
    // The client of a call that still waits for a service is gone.
    runtime.shutdown_background();
    result
}

/// Answers the requests of one client.
struct Server {
    tools: Arc<Vec<Tool>>,
    options: McpOptions,
}

impl Server {
    fn permits(&self, tool: &Tool) -> bool {
        tool.access != Access::Run || self.options.allow_run
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("portway", env!("CARGO_PKG_VERSION"));
        config.with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let tools = self.tools.iter().filter(|tool| self.permits(tool));
        Ok(ListToolsResult::with_all_items(
            tools.map(Tool::declaration).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name.as_ref();
        let Some(index) = self.tools.iter().position(|tool| tool.name == name) else {
            let names: Vec<&str> = self.tools.iter().map(|tool| tool.name).collect();
            let message = format!("unknown tool; the tools are {}", names.join(", "));
            return Err(ErrorData::invalid_params(message, None));
        };
        if !self.permits(&self.tools[index]) {
            let message = format!("the tool `{name}` is not permitted");
            let error = CommandError::new(ErrorCode::Refused, message)
                .hint("the user permits it with `portway mcp --allow-run`");
            return Ok(refusal(&error).into());
        }
        let (tools, options) = (Arc::clone(&self.tools), self.options.clone());
        let arguments = request.arguments.unwrap_or_default();
        // The functions of the application block; each starts the runtime that it needs.
        let call = tokio::task::spawn_blocking(move || tools[index].call(&options, arguments));
        let result = tokio::select! {
            result = call => result,
            // The client no longer waits for the answer.
            () = context.ct.cancelled() => {
                return Err(ErrorData::internal_error("the request was cancelled", None));
            }
        };
        match result {
            Ok(Ok(value)) => Ok(success(value).into()),
            Ok(Err(Failure::Command(error))) => Ok(refusal(&error).into()),
            Ok(Err(Failure::Reported(body))) => Ok(failure(&body).into()),
            Ok(Err(Failure::Arguments(message))) => Err(ErrorData::invalid_params(message, None)),
            Err(error) => Err(ErrorData::internal_error(error.to_string(), None)),
        }
    }
}

/// The result of a call, once as a value and once as text for clients that do not read values.
fn success(value: Value) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    result
}

fn refusal(error: &CommandError) -> CallToolResult {
    failure(&error.body())
}

/// The result of a call that failed, which the model reads to decide what to do next.
fn failure(body: &ErrorBody) -> CallToolResult {
    let value = serde_json::to_value(body).unwrap_or_default();
    let mut result = CallToolResult::error(vec![ContentBlock::text(value.to_string())]);
    result.structured_content = Some(value);
    result
}
