//! Registers the gateway with the session manager, so that it starts at login.
//!
//! Input: [`ServiceSettings`]. [`Service`] is the file and the commands that follow from them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portway_registry::replace_file;
use serde::Serialize;

/// A session manager, which runs the services of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd {
        /// The user whose graphical session runs the service.
        user_id: u32,
    },
}

/// The settings from which the service definition is created.
#[derive(Clone, Debug)]
pub(crate) struct ServiceSettings {
    pub(crate) manager: Manager,
    /// The user's home directory.
    pub(crate) home: PathBuf,
    /// `XDG_CONFIG_HOME`, if it is set.
    pub(crate) config_dir: Option<PathBuf>,
    /// The path of the `portway` binary.
    pub(crate) program: PathBuf,
    /// The variables that set the directories of state and preferences, if they are set.
    pub(crate) variables: Vec<(String, String)>,
}

/// A service file, and the commands that start the service and stop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) start: Vec<Vec<String>>,
    pub(crate) stop: Vec<Vec<String>>,
}

const UNIT: &str = "portway-gateway.service";
const LABEL: &str = "dev.portway.gateway";

impl Service {
    /// Creates the service definition of the gateway.
    pub(crate) fn new(settings: &ServiceSettings) -> Self {
        match settings.manager {
            Manager::Systemd => {
                let config = settings.config_dir.clone();
                let config = config.unwrap_or_else(|| settings.home.join(".config"));
                Self {
                    file: config.join("systemd/user").join(UNIT),
                    text: systemd_unit(settings),
                    start: split_commands(&[
                        "systemctl --user daemon-reload",
                        &format!("systemctl --user enable --now {UNIT}"),
                    ]),
                    stop: split_commands(&[&format!("systemctl --user disable --now {UNIT}")]),
                }
            }
            Manager::Launchd { user_id } => {
                let file = settings.home.join("Library/LaunchAgents");
                let file = file.join(format!("{LABEL}.plist"));
                let domain = format!("gui/{user_id}");
                let service = format!("{domain}/{LABEL}");
                let command =
                    |arguments: &[&str]| arguments.iter().map(|&word| word.to_owned()).collect();
                Self {
                    text: launchd_plist(settings),
                    start: vec![
                        command(&["launchctl", "enable", &service]),
                        command(&["launchctl", "bootstrap", &domain, &path_text(&file)]),
                    ],
                    stop: vec![command(&["launchctl", "bootout", &service])],
                    file,
                }
            }
        }
    }

    /// Writes the file and runs the start commands. Returns the commands that remain to be run by
    /// hand: all of them if there is no manager, as in a container.
    pub(crate) fn install(&self) -> io::Result<Vec<String>> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir)?;
        }
        replace_file(&self.file, self.text.as_bytes())?;
        Ok(run(&self.start))
    }

    /// Runs the stop commands and deletes the file. Returns false if the file does not exist.
    pub(crate) fn uninstall(&self) -> io::Result<bool> {
        if !self.file.exists() {
            return Ok(false);
        }
        run(&self.stop);
        fs::remove_file(&self.file)?;
        Ok(true)
    }
}

/// Runs commands until one fails. Returns the failed command and the ones after it.
fn run(commands: &[Vec<String>]) -> Vec<String> {
    let mut remaining = commands.iter().skip_while(|arguments| {
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]).stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    remaining
        .by_ref()
        .map(|arguments| arguments.join(" "))
        .collect()
}

/// Splits commands into arguments at spaces.
fn split_commands(commands: &[&str]) -> Vec<Vec<String>> {
    let split = |command: &&str| command.split(' ').map(str::to_owned).collect();
    commands.iter().map(split).collect()
}

/// Formats a systemd unit.
fn systemd_unit(settings: &ServiceSettings) -> String {
    let variables: String = settings
        .variables
        .iter()
        .map(|(name, value)| {
            format!(
                "Environment={}\n",
                systemd_quote(&format!("{name}={value}"))
            )
        })
        .collect();
    format!(
        "[Unit]\n\
         Description=Portway: names for local services\n\
         \n\
         [Service]\n\
         ExecStart={} gateway\n\
         {variables}\
         Restart=on-failure\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
        systemd_quote(&path_text(&settings.program)),
    )
}

/// Quotes a word for a systemd unit, and escapes the characters that systemd expands.
fn systemd_quote(word: &str) -> String {
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '%' | '$' => text.extend([character, character]),
            _ => text.push(character),
        }
    }
    text.push('"');
    text
}

/// A launchd job, as `launchd.plist(5)` describes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LaunchdJob {
    label: &'static str,
    program_arguments: [String; 2],
    environment_variables: BTreeMap<String, String>,
    run_at_load: bool,
    keep_alive: LaunchdKeepAlive,
}

/// When launchd starts a job again after it exits.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LaunchdKeepAlive {
    successful_exit: bool,
}

/// Formats a launchd property list.
fn launchd_plist(settings: &ServiceSettings) -> String {
    let job = LaunchdJob {
        label: LABEL,
        program_arguments: [path_text(&settings.program), "gateway".to_owned()],
        environment_variables: settings.variables.iter().cloned().collect(),
        run_at_load: true,
        keep_alive: LaunchdKeepAlive {
            successful_exit: false,
        },
    };
    let mut text = Vec::new();
    // Writing texts and booleans to memory cannot fail.
    let _ = plist::to_writer_xml(&mut text, &job);
    String::from_utf8_lossy(&text).into_owned()
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(manager: Manager) -> ServiceSettings {
        ServiceSettings {
            manager,
            home: "/home/ann".into(),
            config_dir: None,
            program: "/opt/100% \"mine\"/portway".into(),
            variables: vec![("XDG_STATE_HOME".into(), "/state & more".into())],
        }
    }

    #[test]
    fn quotes_the_values_of_a_systemd_unit() {
        let service = Service::new(&settings(Manager::Systemd));
        assert_eq!(
            service.file,
            Path::new("/home/ann/.config/systemd/user/portway-gateway.service")
        );
        assert_eq!(
            service.text,
            "[Unit]\nDescription=Portway: names for local services\n\n[Service]\nExecStart=\"/opt/100%% \\\"mine\\\"/portway\" gateway\nEnvironment=\"XDG_STATE_HOME=/state & more\"\nRestart=on-failure\n\n[Install]\nWantedBy=default.target\n"
        );
        assert_eq!(
            service.start[1].join(" "),
            "systemctl --user enable --now portway-gateway.service"
        );
        let other_dir = ServiceSettings {
            config_dir: Some("/cfg".into()),
            ..settings(Manager::Systemd)
        };
        assert!(
            Service::new(&other_dir)
                .file
                .starts_with("/cfg/systemd/user")
        );
    }

    #[test]
    fn writes_a_launchd_job() {
        let service = Service::new(&settings(Manager::Launchd { user_id: 501 }));
        assert_eq!(
            service.file,
            Path::new("/home/ann/Library/LaunchAgents/dev.portway.gateway.plist")
        );
        let job = plist::Value::from_reader_xml(service.text.as_bytes()).unwrap();
        let job = job.as_dictionary().unwrap();
        let arguments = job["ProgramArguments"].as_array().unwrap();
        assert_eq!(arguments[0].as_string(), Some("/opt/100% \"mine\"/portway"));
        assert_eq!(arguments[1].as_string(), Some("gateway"));
        let variables = job["EnvironmentVariables"].as_dictionary().unwrap();
        assert_eq!(
            variables["XDG_STATE_HOME"].as_string(),
            Some("/state & more")
        );
        assert_eq!(job["RunAtLoad"].as_boolean(), Some(true));
        let keep_alive = job["KeepAlive"].as_dictionary().unwrap();
        assert_eq!(keep_alive["SuccessfulExit"].as_boolean(), Some(false));
        assert_eq!(
            service.start[1].join(" "),
            "launchctl bootstrap gui/501 /home/ann/Library/LaunchAgents/dev.portway.gateway.plist"
        );
        assert_eq!(
            service.stop[0].join(" "),
            "launchctl bootout gui/501/dev.portway.gateway"
        );
    }
}
