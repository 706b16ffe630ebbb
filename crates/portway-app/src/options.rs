//! Options of commands, as plain values.

use portway_project::policy::LanAccess;

/// Which optional services are enabled, and which ports are required.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Optional services to enable. The registry records them for this checkout.
    pub with: Vec<String>,
    /// Optional services to disable again.
    pub without: Vec<String>,
    /// Required ports: a service, or `SERVICE.NAME` for a named port, and its port number.
    pub ports: Vec<(String, u16)>,
}

impl Selection {
    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.with.is_empty() && self.without.is_empty() && self.ports.is_empty()
    }
}

/// Options of `portway up`.
#[derive(Debug, Clone, Default)]
pub struct UpOptions {
    /// Services or groups to start; empty for all.
    pub services: Vec<String>,
    /// Whether to return as soon as everything is ready, and leave it running.
    pub detach: bool,
    /// Which optional services are enabled, and which ports are required.
    pub selection: Selection,
    /// Whether to publish on the local network; if unspecified, the manifest decides.
    pub lan: LanAccess,
    /// Whether to stop everything when a service fails, even if the manifest does not say so.
    pub abort_on_failure: bool,
    /// Whether prepare steps run even if they are up to date.
    pub prepare: bool,
    /// Whether the instance gets a network of its own, even if no file requests it.
    pub isolate: bool,
    /// A process of another instance whose network the instance enters, instead of getting one of its own.
    pub enters: Option<u32>,
    /// The value of `--moved`, which overrides the preference of the same name.
    pub moved: Option<String>,
}

impl UpOptions {
    /// The same options as command-line arguments of the background supervisor.
    ///
    /// `detach` and `moved` are left out, because the supervisor neither detaches nor asks, and `enters`, which
    /// only a foreground instance has.
    pub fn to_arguments(&self) -> Vec<String> {
        let mut arguments = self.services.clone();
        let selection = &self.selection;
        for (flag, names) in [
            ("--with", &selection.with),
            ("--without", &selection.without),
        ] {
            for name in names {
                arguments.extend([flag.to_owned(), name.clone()]);
            }
        }
        for (service, port) in &selection.ports {
            arguments.extend(["--port".to_owned(), format!("{service}={port}")]);
        }
        if self.abort_on_failure {
            arguments.push("--abort-on-failure".to_owned());
        }
        if self.prepare {
            arguments.push("--prepare".to_owned());
        }
        if self.isolate {
            arguments.push("--isolate".to_owned());
        }
        match self.lan {
            LanAccess::Enabled => arguments.push("--lan".to_owned()),
            LanAccess::Disabled => arguments.push("--no-lan".to_owned()),
            LanAccess::Unspecified => {}
        }
        arguments
    }
}
