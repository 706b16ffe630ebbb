//! Registers the gateway with the session manager, so that it starts at login.
//!
//! Input: [`ServiceSettings`]. [`Service`] is the file and the commands that follow from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A session manager, which runs the services of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
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
            Manager::Launchd => {
                let file = settings.home.join("Library/LaunchAgents");
                let file = file.join(format!("{LABEL}.plist"));
                let path = file.display().to_string();
                let command = |action: &str| {
                    let arguments = ["launchctl", action, "-w", &path];
                    arguments.map(str::to_owned).to_vec()
                };
                Self {
                    text: launchd_plist(settings),
                    start: vec![command("load")],
                    stop: vec![command("unload")],
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
        fs::write(&self.file, &self.text)?;
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

/// Formats a launchd property list.
fn launchd_plist(settings: &ServiceSettings) -> String {
    let variables: String = settings
        .variables
        .iter()
        .map(|(name, value)| {
            format!(
                "    <key>{}</key>\n    <string>{}</string>\n",
                xml_escape(name),
                xml_escape(value)
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n\
         <plist version=\"1.0\">\n\
         <dict>\n\
         \x20 <key>Label</key>\n\
         \x20 <string>{LABEL}</string>\n\
         \x20 <key>ProgramArguments</key>\n\
         \x20 <array>\n\
         \x20   <string>{}</string>\n\
         \x20   <string>gateway</string>\n\
         \x20 </array>\n\
         \x20 <key>EnvironmentVariables</key>\n\
         \x20 <dict>\n{variables}\
         \x20 </dict>\n\
         \x20 <key>RunAtLoad</key>\n\
         \x20 <true/>\n\
         \x20 <key>KeepAlive</key>\n\
         \x20 <dict>\n\
         \x20   <key>SuccessfulExit</key>\n\
         \x20   <false/>\n\
         \x20 </dict>\n\
         </dict>\n\
         </plist>\n",
        xml_escape(&path_text(&settings.program)),
    )
}

/// Escapes text for XML.
fn xml_escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
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
    fn escapes_the_values_of_a_launchd_plist() {
        let service = Service::new(&settings(Manager::Launchd));
        assert_eq!(
            service.file,
            Path::new("/home/ann/Library/LaunchAgents/dev.portway.gateway.plist")
        );
        for part in [
            "<string>/opt/100% \"mine\"/portway</string>\n    <string>gateway</string>",
            "<key>XDG_STATE_HOME</key>\n    <string>/state &amp; more</string>",
        ] {
            assert!(service.text.contains(part), "{part}\n{}", service.text);
        }
    }
}
