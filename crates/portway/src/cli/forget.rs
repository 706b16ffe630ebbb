//! `portway forget PORT`: give up leases.

use clap::Args;
use portway_api::ErrorCode;
use portway_registry::{CheckoutState, Registry, SqliteRegistry};

use super::leases::entry;
use crate::args::port;
use crate::error::CommandError;
use crate::{home, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway forget 9001         the service gets another port, or this one, the next time
  portway forget 9001 5174
A lease of an instance that runs is not given up: `portway down` first.")]
pub(crate) struct Forget {
    /// The ports
    #[arg(required = true, value_name = "PORT", value_parser = port)]
    pub(crate) ports: Vec<u16>,
    /// Print what was given up as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Forget) -> Result<u8, CommandError> {
    let mut registry = SqliteRegistry::open(&home::state_dir()?)?;
    let found = registry.release(&args.ports)?;
    if let Some((instance, lease, _)) = found
        .iter()
        .find(|(.., liveness)| *liveness == CheckoutState::Running)
    {
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!(
                "port {} belongs to `{}` of {}, which runs",
                lease.port, lease.service, instance.name
            ),
        )
        .hint(format!(
            "stop it first: `portway -C {} down`",
            instance.dir.display()
        )));
    }
    if found.is_empty() {
        let ports: Vec<String> = args.ports.iter().map(u16::to_string).collect();
        return Err(CommandError::new(
            ErrorCode::NothingThere,
            format!("no service has a lease of {}", ports.join(", ")),
        )
        .hint("`portway leases` lists all of them"));
    }
    let entries: Vec<_> = found
        .iter()
        .map(|(instance, lease, liveness)| entry(instance, lease, *liveness))
        .collect();
    if args.json {
        ui::json(&entries);
    } else {
        for entry in &entries {
            let owner = &entry.lease.owner;
            ui::talk(&format!(
                "port {} is no longer kept for `{}` of {}\n",
                entry.port, owner.service, owner.instance
            ));
        }
    }
    Ok(0)
}
