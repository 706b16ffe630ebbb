//! `portway gateway`: names for every service of every instance.

use std::env;
use std::time::Duration;

use clap::{Args, Subcommand};
use portway_api::{ErrorCode, GatewayStatus};
use portway_gateway::TlsListeners;
use portway_supervisor::control::{self, Client};
use tokio::time::{Instant, sleep};

use crate::allocation::exclusions;
use crate::error::CommandError;
use crate::follow::runtime;
use crate::gateway::{
    self,
    service::{Facts, Manager, Service},
};
use crate::platform;
use crate::{preferences, trust, ui};

/// How many threads serve. More would only take the processor from the services.
const THREADS: usize = 2;

/// How long a gateway may take to end.
const END: Duration = Duration::from_secs(10);

/// How often a lock is looked at that is about to be free.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  portway gateway                          serve names until Ctrl-C
  portway gateway --detach                 in the background
  portway gateway status                   where it is
  curl http://backend.jobi.localhost:7678  a service of the instance `jobi`"
)]
pub(crate) struct Gateway {
    /// Serve on this port, 0 for any that is free; without it on 80, or on 7678 where that cannot
    /// be had
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// Serve HTTPS on this port, 0 for any that is free, once `portway trust` has made a CA;
    /// without it on 443, or on 7679 where that cannot be had
    #[arg(long, value_name = "PORT")]
    pub(crate) tls_port: Option<u16>,
    /// Serve in the background
    #[arg(long)]
    pub(crate) detach: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// This is the process in the background
    #[arg(long, hide = true)]
    pub(crate) background: bool,
    #[command(subcommand)]
    pub(crate) act: Option<Act>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Act {
    /// Show whether a gateway runs, and where
    Status(Answer),
    /// Stop the gateway; services go on
    Stop(Answer),
    /// Have it start with your session (systemd, launchd)
    Install,
    /// Undo `install`
    Uninstall,
}

#[derive(Debug, Args)]
pub(crate) struct Answer {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(args: &Gateway) -> Result<u8, CommandError> {
    match &args.act {
        Some(Act::Status(answer)) => status(answer),
        Some(Act::Stop(answer)) => stop(answer),
        Some(Act::Install) => install(),
        Some(Act::Uninstall) => uninstall(),
        None if args.detach => detach(args),
        None if args.background => {
            platform::leave_terminal();
            serve(args).inspect_err(|error| {
                ui::json(&error.body());
            })
        }
        None => serve(args),
    }
}

fn status(answer: &Answer) -> Result<u8, CommandError> {
    let status = gateway::status()?.ok_or_else(gateway::not_running)?;
    show(&status, answer.json);
    Ok(0)
}

fn show(status: &GatewayStatus, json: bool) {
    if json {
        ui::json(status);
    } else {
        let example = status.url("SERVICE.INSTANCE.localhost");
        let plain = match status.tls_port {
            Some(_) => format!(", and HTTP on port {}", status.port),
            None => String::new(),
        };
        ui::talk(&format!("the gateway serves {example}{plain}\n"));
        for forward in &status.forwards {
            if let Some(why) = &forward.trouble {
                ui::warning(&format!("port {} is not forwarded: {why}", forward.port));
            }
        }
    }
}

/// Serves in the foreground, until a signal or `portway gateway stop`.
fn serve(args: &Gateway) -> Result<u8, CommandError> {
    let Some(_lock) = gateway::lock()? else {
        return Err(
            CommandError::new(ErrorCode::Refused, "a gateway of this user runs already")
                .hint("`portway gateway status` shows where; `portway gateway stop` ends it"),
        );
    };
    let preferences = preferences::of_user().unwrap_or_default();
    let source = gateway::source(exclusions::facts(&preferences)?)?;
    let listeners = gateway::listen(args.port.or(preferences.gateway_port()))?;
    let secure = secure(args.tls_port, preferences.gateway_tls_port())?;
    let status = GatewayStatus {
        port: gateway::port_of(&listeners),
        tls_port: secure.as_ref().map(|one| gateway::port_of(&one.listeners)),
        forwards: gateway::last()?.map_or_else(Vec::new, |last| last.forwards),
        pid: std::process::id(),
        since: portway_supervisor::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    runtime()?.block_on(async {
        let mut signals = platform::Signals::catch().map_err(failed)?;
        let asked = tokio::sync::Notify::new();
        let asked = std::sync::Arc::new(asked);
        let socket = gateway::dir()?.join(control::SOCKET);
        let cache = portway_gateway::InstanceCache::start(source);
        let machine = std::sync::Arc::new(gateway::Machine::of(preferences));
        let api = portway_gateway::Api::new(status, cache.clone(), machine);
        let api = api.map_err(failed)?;
        let status = api.status();
        let router = portway_gateway::control_router(&api, asked.clone());
        let control = control::serve_router(&socket, router).map_err(failed)?;
        gateway::publish(&status)?;
        if args.background {
            ui::json(&status);
            platform::let_go_of_stdout();
        } else {
            show(&status, args.json);
        }
        let stop = async {
            tokio::select! {
                () = signals.pass_on(None) => {}
                () = asked.notified() => {}
            }
        };
        let served = portway_gateway::serve(listeners, secure, cache, api, THREADS, stop).await;
        control.close();
        served.map_err(failed)
    })?;
    Ok(0)
}

/// Where HTTPS is served: nowhere, unless there is a local CA. Whoever asks for it (`port`) is told;
/// a preference (`preferred`) may be there before the CA.
fn secure(port: Option<u16>, preferred: Option<u16>) -> Result<Option<TlsListeners>, CommandError> {
    let Some(authority) = trust::authority()? else {
        return match port {
            None => Ok(None),
            Some(_) => Err(CommandError::new(
                ErrorCode::NotFound,
                "there is no local CA for HTTPS",
            )
            .hint("`portway trust` makes one")),
        };
    };
    Ok(Some(TlsListeners {
        listeners: gateway::listen_for_tls(port.or(preferred))?,
        authority,
    }))
}

fn failed(error: std::io::Error) -> CommandError {
    CommandError::new(
        ErrorCode::Failed,
        format!("the gateway cannot serve: {error}"),
    )
}

/// Starts one in the background, or finds the one that runs, and tells where it is.
fn detach(args: &Gateway) -> Result<u8, CommandError> {
    let status = gateway::ensure(args.port, args.tls_port)?;
    let differs = |wanted: Option<u16>, has: Option<u16>| {
        wanted.is_some_and(|port| port != 0 && Some(port) != has)
    };
    if differs(args.port, Some(status.port)) {
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway runs already, on port {}", status.port),
        )
        .hint("stop it first: `portway gateway stop`"));
    }
    if differs(args.tls_port, status.tls_port) {
        let where_to = match status.tls_port {
            Some(port) => format!("with HTTPS on port {port}"),
            None => "without HTTPS".to_owned(),
        };
        return Err(CommandError::new(
            ErrorCode::Refused,
            format!("a gateway runs already, {where_to}"),
        )
        .hint("stop it first: `portway gateway stop`"));
    }
    show(&status, args.json);
    let preferred = preferences::of_user().unwrap_or_default().gateway_port();
    if args.port.is_none() && differs(preferred, Some(status.port)) {
        ui::warning(
            "it ran already; the port that is preferred counts when it is started anew: `portway gateway stop`",
        );
    }
    Ok(0)
}

/// Ends the gateway and waits until it has ended.
fn stop(answer: &Answer) -> Result<u8, CommandError> {
    let none = || CommandError::new(ErrorCode::NotRunning, "the gateway does not run");
    let status = gateway::status()?.ok_or_else(none)?;
    let client = Client::new(&gateway::dir()?.join(control::SOCKET));
    runtime()?.block_on(async {
        let asked = client.request("stop", &[]).await;
        asked.map_err(|error| gateway::unanswered(&error))??;
        let deadline = Instant::now() + END;
        while gateway::is_running()? {
            if Instant::now() >= deadline {
                return Err(CommandError::new(
                    ErrorCode::Timeout,
                    format!("the gateway (pid {}) does not end", status.pid),
                ));
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    })?;
    if answer.json {
        ui::json(&status);
    } else {
        ui::talk("the gateway has ended; services go on\n");
    }
    Ok(0)
}

/// How the gateway is a service of this user's session.
fn service() -> Result<Service, CommandError> {
    let manager = if cfg!(target_os = "macos") {
        Manager::Launchd
    } else if cfg!(target_os = "linux") {
        Manager::Systemd
    } else {
        return Err(CommandError::new(
            ErrorCode::Refused,
            "services of a session are written for systemd and launchd alone",
        )
        .hint(
            "start it by hand, or with the first `up`: `portway config set gateway.start with-up`",
        ));
    };
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let home = set("HOME").ok_or_else(|| {
        CommandError::new(ErrorCode::State, "HOME is not set").hint("set it to your home directory")
    })?;
    let told = ["XDG_STATE_HOME", "XDG_CONFIG_HOME"];
    let variables = told
        .iter()
        .filter_map(|&name| Some((name.to_owned(), set(name)?)));
    Ok(Service::of(&Facts {
        manager,
        home: home.into(),
        config: set("XDG_CONFIG_HOME").map(Into::into),
        program: env::current_exe().map_err(failed)?,
        variables: variables.collect(),
    }))
}

fn install() -> Result<u8, CommandError> {
    let service = service()?;
    let left = service
        .install()
        .map_err(|error| CommandError::file("write", &service.file, &error))?;
    ui::talk(&format!("wrote {}\n", service.file.display()));
    if left.is_empty() {
        ui::talk("the gateway runs, and starts with your session\n");
        return Ok(0);
    }
    let mut error = CommandError::new(
        ErrorCode::MissingRequirement,
        "nothing was started: no manager of this user's services answers here, as in a container",
    );
    for command in left {
        error = error.hint(format!("in a session that has one: `{command}`"));
    }
    error = error.hint("without one: `portway gateway --detach`");
    Err(error)
}

fn uninstall() -> Result<u8, CommandError> {
    let service = service()?;
    let done = service
        .uninstall()
        .map_err(|error| CommandError::file("remove", &service.file, &error))?;
    if !done {
        let message = format!("there is no {}", service.file.display());
        return Err(CommandError::new(ErrorCode::NotFound, message));
    }
    ui::talk(&format!("removed {}\n", service.file.display()));
    Ok(0)
}
