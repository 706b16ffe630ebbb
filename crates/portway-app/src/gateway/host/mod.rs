//! The gateway process, and its registration with the session manager.

mod listen;
mod operations;
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
use operations::HostOperations;
use service::{Manager, Service, ServiceSettings};

/// The number of threads that serve requests. The limit leaves the other cores to the services.
const THREADS: usize = 2;

/// Options of the gateway process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServeOptions {
    /// The HTTP port; 0 for any free port.
    pub port: Option<u16>,
    /// The HTTPS port; 0 for any free port.
    pub tls_port: Option<u16>,
    /// Whether this process was started in the background. It then detaches from the terminal, and
    /// closes its standard output once it is ready.
    pub background: bool,
}

/// Serves until a signal or `portway gateway stop`. Calls `on_serving` once the gateway is ready.
///
/// # Errors
/// When a gateway is already running, or a port cannot be bound.
pub fn serve(
    options: ServeOptions,
    on_serving: impl FnOnce(&GatewayStatus),
) -> Result<(), CommandError> {
    if options.background {
        platform::leave_terminal();
    }
    let Some(_lock) = state::lock()? else {
        return Err(
            CommandError::new(ErrorCode::Refused, "your gateway is already running")
                .hint("run `portway gateway status` to see its port")
                .hint("run `portway gateway stop` to stop it"),
        );
    };
    diagnostics::log_to(&state::dir()?.join(GATEWAY_LOG));
    portway_supervisor::raise_open_files_limit();
    let preferences = preferences::read_user().unwrap_or_default();
    let source = source::source(exclusions::policy(&preferences)?)?;
    let listeners = listen::listen(options.port.or(preferences.gateway_port()))?;
    let tls = tls_listeners(options.tls_port, preferences.gateway_tls_port())?;
    let status = GatewayStatus {
        port: listen::port_of(&listeners),
        tls_port: tls.as_ref().map(|one| listen::port_of(&one.listeners)),
        forwards: state::last()?.map_or_else(Vec::new, |last| last.forwards),
        pid: std::process::id(),
        since: portway_supervisor::now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    runtime()?.block_on(async {
        let mut signals = platform::Signals::register().map_err(failed)?;
        let stop_requested = std::sync::Arc::new(tokio::sync::Notify::new());
        let socket = state::dir()?.join(control::SOCKET);
        let cache = portway_gateway::InstanceCache::start(source);
        let operations = std::sync::Arc::new(HostOperations::new(preferences));
        let api = portway_gateway::Api::new(status, cache.clone(), operations);
        let api = api.map_err(failed)?;
        let status = api.status();
        let router = portway_gateway::control_router(&api, stop_requested.clone());
        let control = control::serve_router(&socket, router).map_err(failed)?;
        state::publish(&status)?;
        on_serving(&status);
        if options.background {
            platform::close_stdout();
        }
        let stop = async {
            tokio::select! {
                _ = signals.next() => {}
                () = stop_requested.notified() => {}
            }
        };
        let served = portway_gateway::serve(listeners, tls, cache, api, THREADS, stop).await;
        control.close();
        served.map_err(failed)
    })
}

/// Listens for HTTPS if a local CA exists. `preferred` is the port of the preferences.
///
/// # Errors
/// When `port` is given and no local CA exists, or the port cannot be bound.
fn tls_listeners(
    port: Option<u16>,
    preferred: Option<u16>,
) -> Result<Option<TlsListeners>, CommandError> {
    let Some(authority) = trust::authority()? else {
        return match port {
            None => Ok(None),
            Some(_) => Err(CommandError::new(
                ErrorCode::NotFound,
                "HTTPS requires a local CA, and none exists",
            )
            .hint("run `portway trust` to create one")),
        };
    };
    Ok(Some(TlsListeners {
        listeners: listen::listen_for_tls(port.or(preferred))?,
        authority,
    }))
}

fn failed(error: std::io::Error) -> CommandError {
    CommandError::new(ErrorCode::Failed, "the gateway cannot serve").caused_by(error)
}

/// Returns the gateway's service definition for the session manager of this system.
fn session_service() -> Result<Service, CommandError> {
    let manager = if cfg!(target_os = "macos") {
        Manager::Launchd {
            user_id: portway_supervisor::process::current_user(),
        }
    } else if cfg!(target_os = "linux") {
        Manager::Systemd
    } else {
        return Err(CommandError::new(
            ErrorCode::Refused,
            "only systemd and launchd are supported as service managers",
        )
        .hint(
            "start the gateway with the first `up`: run `portway config set gateway.start with-up`",
        ));
    };
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let home = variable("HOME").ok_or_else(|| {
        CommandError::new(ErrorCode::State, "`HOME` is not set")
            .hint("set it to your home directory")
    })?;
    let names = ["XDG_STATE_HOME", "XDG_CONFIG_HOME"];
    let variables = names
        .iter()
        .filter_map(|&name| Some((name.to_owned(), variable(name)?)));
    Ok(Service::new(&ServiceSettings {
        manager,
        home: home.into(),
        config_dir: variable("XDG_CONFIG_HOME").map(Into::into),
        program: env::current_exe().map_err(failed)?,
        variables: variables.collect(),
    }))
}

/// Registers the gateway with the session manager (systemd or launchd) and starts it. Calls
/// `on_written` with the service file.
///
/// # Errors
/// When this system has no such manager, the file cannot be written, or the manager does not
/// respond.
pub fn install(on_written: impl FnOnce(&PathBuf)) -> Result<(), CommandError> {
    let service = session_service()?;
    let remaining = service
        .install()
        .map_err(|error| CommandError::file("write", &service.file, error))?;
    on_written(&service.file);
    if remaining.is_empty() {
        return Ok(());
    }
    let mut error = CommandError::new(
        ErrorCode::MissingRequirement,
        "cannot start the gateway: the service manager does not respond, which is normal in a container",
    );
    for command in remaining {
        error = error.hint(format!(
            "if a session manager is available, run `{command}`"
        ));
    }
    error = error.hint("otherwise, run `portway gateway --detach`");
    Err(error)
}

/// Removes the gateway from the session manager. Returns the file that was removed.
///
/// # Errors
/// When it is not registered, or the file cannot be removed.
pub fn uninstall() -> Result<PathBuf, CommandError> {
    let service = session_service()?;
    let was_registered = service
        .uninstall()
        .map_err(|error| CommandError::file("remove", &service.file, error))?;
    if !was_registered {
        let message = format!(
            "the gateway is not installed: `{}` does not exist",
            service.file.display()
        );
        return Err(CommandError::new(ErrorCode::NotFound, message));
    }
    Ok(service.file)
}
