//! The gateway process, and the gateway as a service of the user's session.

mod listen;
mod machine;
mod service;
mod source;

use std::env;
use std::path::PathBuf;

use portway_api::{ErrorCode, GatewayStatus};
use portway_gateway::TlsListeners;
use portway_supervisor::control;

use super::state;
use crate::allocation::exclusions;
use crate::diagnostics::{self, GATEWAY_LOG};
use crate::error::CommandError;
use crate::runtime::runtime;
use crate::{platform, preferences, trust};
use machine::Machine;
use service::{Facts, Manager, Service};

/// How many threads serve. More would only take the processor from the services.
const THREADS: usize = 2;

/// Options of the gateway process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServeOptions {
    /// The port for HTTP; 0 for any that is free.
    pub port: Option<u16>,
    /// The port for HTTPS; 0 for any that is free.
    pub tls_port: Option<u16>,
    /// Whether this process was started in the background. It then leaves the terminal, and closes
    /// its standard output once it serves.
    pub background: bool,
}

/// Serves until a signal or `portway gateway stop`. Calls `on_serving` once it serves.
///
/// # Errors
/// When a gateway runs already, or a port cannot be had.
pub fn serve(
    options: ServeOptions,
    on_serving: impl FnOnce(&GatewayStatus),
) -> Result<(), CommandError> {
    if options.background {
        platform::leave_terminal();
    }
    let Some(_lock) = state::lock()? else {
        return Err(
            CommandError::new(ErrorCode::Refused, "a gateway of this user runs already")
                .hint("`portway gateway status` shows where; `portway gateway stop` ends it"),
        );
    };
    diagnostics::log_to(&state::dir()?.join(GATEWAY_LOG));
    let preferences = preferences::of_user().unwrap_or_default();
    let source = source::source(exclusions::facts(&preferences)?)?;
    let listeners = listen::listen(options.port.or(preferences.gateway_port()))?;
    let secure = secure(options.tls_port, preferences.gateway_tls_port())?;
    let status = GatewayStatus {
        port: listen::port_of(&listeners),
        tls_port: secure.as_ref().map(|one| listen::port_of(&one.listeners)),
        forwards: state::last()?.map_or_else(Vec::new, |last| last.forwards),
        pid: std::process::id(),
        since: portway_supervisor::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    runtime()?.block_on(async {
        let mut signals = platform::Signals::catch().map_err(failed)?;
        let asked = tokio::sync::Notify::new();
        let asked = std::sync::Arc::new(asked);
        let socket = state::dir()?.join(control::SOCKET);
        let cache = portway_gateway::InstanceCache::start(source);
        let machine = std::sync::Arc::new(Machine::of(preferences));
        let api = portway_gateway::Api::new(status, cache.clone(), machine);
        let api = api.map_err(failed)?;
        let status = api.status();
        let router = portway_gateway::control_router(&api, asked.clone());
        let control = control::serve_router(&socket, router).map_err(failed)?;
        state::publish(&status)?;
        on_serving(&status);
        if options.background {
            platform::let_go_of_stdout();
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
    })
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
        listeners: listen::listen_for_tls(port.or(preferred))?,
        authority,
    }))
}

fn failed(error: std::io::Error) -> CommandError {
    CommandError::new(
        ErrorCode::Failed,
        format!("the gateway cannot serve: {error}"),
    )
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

/// Registers the gateway with the session manager (systemd, launchd) and starts it. Returns the file
/// that was written.
///
/// # Errors
/// When this system has no such manager, or the file cannot be written.
pub fn install(on_written: impl FnOnce(&PathBuf)) -> Result<(), CommandError> {
    let service = service()?;
    let left = service
        .install()
        .map_err(|error| CommandError::file("write", &service.file, &error))?;
    on_written(&service.file);
    if left.is_empty() {
        return Ok(());
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

/// Removes the gateway from the session manager. Returns the file that was removed.
///
/// # Errors
/// When it is not registered, or the file cannot be removed.
pub fn uninstall() -> Result<PathBuf, CommandError> {
    let service = service()?;
    let done = service
        .uninstall()
        .map_err(|error| CommandError::file("remove", &service.file, &error))?;
    if !done {
        let message = format!("there is no {}", service.file.display());
        return Err(CommandError::new(ErrorCode::NotFound, message));
    }
    Ok(service.file)
}
