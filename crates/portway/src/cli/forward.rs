//! `portway forward`: a fixed port that leads to the chosen checkout.

use std::path::Path;

use clap::Args;
use portway_api::{ErrorCode, Forward, ForwardTarget};
use portway_supervisor::control::{self, Client};
use serde::Serialize;

use crate::args::Choice;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::project::Project;
use crate::{gateway, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forward 3000             http://localhost:3000 is this checkout's main service, until
                                   another checkout says the same
  portway forward 8080 backend     a service of it
  portway forward                  all fixed ports, and where they lead
  portway forward 3000 --stop      let the port go")]
pub(crate) struct ForwardArgs {
    /// The fixed port, such as the one that a login or a webhook is told
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
    /// The service of this checkout; its main one when it is left out
    #[arg(value_name = "SERVICE", conflicts_with = "stop")]
    pub(crate) service: Option<String>,
    /// Let the port go
    #[arg(long, requires = "port")]
    pub(crate) stop: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(directory: Option<&Path>, args: &ForwardArgs) -> Result<u8, CommandError> {
    match args.port {
        None => list(args),
        Some(port) if args.stop => stop(port, args),
        Some(port) => lead(directory, port, args),
    }
}

fn list(args: &ForwardArgs) -> Result<u8, CommandError> {
    let forwards = match gateway::status()? {
        Some(gateway) => gateway.forwards,
        None => at_rest()?,
    };
    if args.json {
        ui::json(&forwards);
    } else if forwards.is_empty() {
        ui::talk("no port is forwarded; `portway forward PORT` has one lead to this checkout\n");
    } else {
        ui::forwards(&forwards);
    }
    Ok(0)
}

/// Those that the next gateway will serve.
fn at_rest() -> Result<Vec<Forward>, CommandError> {
    let mut forwards = gateway::last()?.map_or_else(Vec::new, |last| last.forwards);
    for forward in &mut forwards {
        let trouble = "the gateway does not run; start it: `portway gateway --detach`";
        forward.trouble = Some(trouble.to_owned());
    }
    Ok(forwards)
}

fn stop(port: u16, args: &ForwardArgs) -> Result<u8, CommandError> {
    let ended = if gateway::is_running()? {
        ask(&format!("/v1/forwards/{port}/end"), &())?
    } else {
        gateway::forget_fixed(port)?.ok_or_else(|| {
            let message = format!("port {port} is not forwarded");
            CommandError::new(ErrorCode::NotFound, message)
        })?
    };
    if args.json {
        ui::json(&ended);
    } else {
        ui::talk(&format!("port {port} is free again\n"));
    }
    Ok(0)
}

fn lead(directory: Option<&Path>, port: u16, args: &ForwardArgs) -> Result<u8, CommandError> {
    let project = Project::open(directory, &Choice::default())?;
    let service = match &args.service {
        Some(service) => {
            project.known(service)?;
            service
        }
        None => project.plan.main.as_ref().ok_or_else(|| {
            CommandError::new(ErrorCode::Usage, "no service here speaks HTTP")
                .hint("only requests by HTTP can be forwarded")
        })?,
    };
    let planned = project.plan.services.get(service);
    if !planned.is_some_and(|one| one.kind.is_http() && !one.ports.is_empty()) {
        let why = format!("`{service}` has no port that speaks HTTP");
        return Err(
            CommandError::new(ErrorCode::Usage, why).hint("only requests by HTTP can be forwarded")
        );
    }
    let before = gateway::ensure(None, None)?.forwards;
    let to = ForwardTarget {
        id: project.instance.id.clone(),
        service: service.clone(),
    };
    let forward: Forward = ask(&format!("/v1/forwards/{port}"), &to)?;
    if args.json {
        ui::json(&forward);
        return Ok(0);
    }
    let Forward {
        instance, service, ..
    } = &forward;
    let before = before
        .iter()
        .find(|one| one.port == port && (&one.instance, &one.service) != (instance, service));
    let before = before.map_or_else(String::new, |one| {
        format!(", and no more to {} of {}", one.service, one.instance)
    });
    ui::talk(&format!(
        "{} leads to {service} of {instance}{before}\n",
        ui::fixed_url(&port)
    ));
    Ok(0)
}

/// Asks the gateway.
fn ask(path: &str, question: &impl Serialize) -> Result<Forward, CommandError> {
    let client = Client::new(&gateway::dir()?.join(control::SOCKET));
    let answer = runtime()?.block_on(client.post(path, question));
    let answer = answer.map_err(|error| gateway::unanswered(&error))??;
    serde_json::from_slice(&answer).map_err(|error| gateway::unanswered(&error.into()))
}
