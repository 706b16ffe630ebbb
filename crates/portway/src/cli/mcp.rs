//! `portway mcp`: serve coding agents through the Model Context Protocol.

use std::path::Path;

use clap::Args;
use portway_app::error::CommandError;
use portway_app::mcp::{McpOptions, serve};

use crate::ui;

/// Serve coding agents through the Model Context Protocol
///
/// A program starts this command and talks to it on standard input and output. Its tools list instances, ports, URLs,
/// and logs, and find out who uses a port. With `--allow-run`, they also start, restart, and stop services of Portway.
/// No tool ends a process that Portway did not start.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claude mcp add portway -- portway mcp
      Add the tools to Claude Code
  portway mcp --allow-run
      Also permit starting, restarting and stopping services")]
pub(crate) struct Mcp {
    /// Permit tools that start, restart and stop services
    #[arg(long)]
    pub(crate) allow_run: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &Mcp) -> Result<u8, CommandError> {
    serve(McpOptions {
        directory: directory.map(Path::to_path_buf),
        allow_run: args.allow_run,
        sanitize: ui::without_controls,
    })?;
    Ok(0)
}
