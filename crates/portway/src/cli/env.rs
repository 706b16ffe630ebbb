//! `portway env`: the variables that services are told.

use std::path::Path;

use portway_project::env_format::EnvFormat;

use crate::allocation::{self, Keep};
use crate::args::Env;
use crate::error::CommandError;
use crate::project::Project;
use crate::ui;

pub(crate) fn run(directory: Option<&Path>, args: &Env) -> Result<u8, CommandError> {
    let mut project = Project::open(directory, &args.choice)?;
    if let Some(service) = &args.service {
        project.known(service)?;
    }
    let wiring = allocation::current_or_new(&mut project, &args.choice, Keep::No)?.wiring;
    let variables = match &args.service {
        Some(service) => &wiring.services[service].env,
        None => &wiring.shared,
    };
    let format = if args.json {
        EnvFormat::Json
    } else {
        args.format.into()
    };
    ui::out(&format.write(variables));
    Ok(0)
}
