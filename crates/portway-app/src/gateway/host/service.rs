//! The gateway as a service of the user's session: it starts with the login.
//!
//! What is to be done is a value, made from facts; doing it is a few lines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What keeps services of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// Linux.
    Systemd,
    /// macOS.
    Launchd,
}

/// What tells how the service is to be.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) manager: Manager,
    /// The user's home.
    pub(crate) home: PathBuf,
    /// `XDG_CONFIG_HOME`, where it is set.
    pub(crate) config: Option<PathBuf>,
    /// This binary.
    pub(crate) program: PathBuf,
    /// Variables that decide where state and preferences lie, where they are set.
    pub(crate) variables: Vec<(String, String)>,
}

/// A file, and the commands that make the manager know it, or forget it.
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
    /// How the gateway is a service by these facts.
    pub(crate) fn of(facts: &Facts) -> Self {
        match facts.manager {
            Manager::Systemd => {
                let config = facts.config.clone();
                let config = config.unwrap_or_else(|| facts.home.join(".config"));
                Self {
                    file: config.join("systemd/user").join(UNIT),
                    text: unit(facts),
                    start: words(&[
                        "systemctl --user daemon-reload",
                        &format!("systemctl --user enable --now {UNIT}"),
                    ]),
                    stop: words(&[&format!("systemctl --user disable --now {UNIT}")]),
                }
            }
            Manager::Launchd => {
                let file = facts.home.join("Library/LaunchAgents");
                let file = file.join(format!("{LABEL}.plist"));
                let path = file.display().to_string();
                let command = |verb: &str| {
                    let words = ["launchctl", verb, "-w", &path];
                    words.map(str::to_owned).to_vec()
                };
                Self {
                    text: plist(facts),
                    start: vec![command("load")],
                    stop: vec![command("unload")],
                    file,
                }
            }
        }
    }

    /// Writes the file and has the manager start the service. Answers the commands that are left
    /// to do by hand: all of them where there is no manager, as in a container.
    pub(crate) fn install(&self) -> io::Result<Vec<String>> {
        if let Some(dir) = self.file.parent() {
            fs::create_dir_all(dir)?;
        }
        fs::write(&self.file, &self.text)?;
        Ok(run(&self.start))
    }

    /// Has the manager stop the service, and takes the file away; false when there is none.
    pub(crate) fn uninstall(&self) -> io::Result<bool> {
        if !self.file.exists() {
            return Ok(false);
        }
        run(&self.stop);
        fs::remove_file(&self.file)?;
        Ok(true)
    }
}

/// Runs commands until one fails; answers those that did not do.
fn run(commands: &[Vec<String>]) -> Vec<String> {
    let mut left = commands.iter().skip_while(|words| {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null());
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    });
    left.by_ref().map(|words| words.join(" ")).collect()
}

fn words(commands: &[&str]) -> Vec<Vec<String>> {
    let split = |command: &&str| command.split(' ').map(str::to_owned).collect();
    commands.iter().map(split).collect()
}

/// A unit of systemd.
fn unit(facts: &Facts) -> String {
    let variables: String = facts
        .variables
        .iter()
        .map(|(name, value)| format!("Environment={}\n", quoted(&format!("{name}={value}"))))
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
        quoted(&path(&facts.program)),
    )
}

/// A word of a unit: `%` and `$` would be filled in, quotes and backslashes read.
fn quoted(word: &str) -> String {
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

/// A property list of launchd.
fn plist(facts: &Facts) -> String {
    let variables: String = facts
        .variables
        .iter()
        .map(|(name, value)| {
            format!(
                "    <key>{}</key>\n    <string>{}</string>\n",
                escaped(name),
                escaped(value)
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
        escaped(&path(&facts.program)),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(manager: Manager) -> Facts {
        Facts {
            manager,
            home: "/home/ann".into(),
            config: None,
            program: "/opt/100% \"mine\"/portway".into(),
            variables: vec![("XDG_STATE_HOME".into(), "/state & more".into())],
        }
    }

    #[test]
    fn a_unit_of_systemd_quotes_what_it_is_told() {
        let service = Service::of(&facts(Manager::Systemd));
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
        let elsewhere = Facts {
            config: Some("/cfg".into()),
            ..facts(Manager::Systemd)
        };
        assert!(
            Service::of(&elsewhere)
                .file
                .starts_with("/cfg/systemd/user")
        );
    }

    #[test]
    fn a_list_of_launchd_is_xml() {
        let service = Service::of(&facts(Manager::Launchd));
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
