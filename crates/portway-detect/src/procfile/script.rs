//! Processes that run a shell script of the project: the commands in the script say where it listens.

use super::command::{self, Listens};
use crate::shell::script_commands;
use crate::{DetectedPort, DetectedService, Dir};

/// Sets the port on which the script that a command runs listens; `None` if no command in it says so.
pub(super) fn of_script(root: &Dir<'_>, found: &DetectedService) -> Option<DetectedService> {
    let commands = script_commands(root, &found.command);
    let mut listening = commands.iter().rev().filter_map(|command| {
        let listens = command::listens(command, found.kind);
        (listens != Listens::Unknown).then_some((command, listens))
    });
    let (command, listens) = listening.next()?;
    let mut found = found.clone();
    Some(match listens {
        Listens::WherePortSays(_) => found.with_evidence(format!(
            "its script runs `{command}`, which listens on `PORT`"
        )),
        Listens::WhereVariableSays(variable) => {
            let why = format!(
                "its script runs `{command}`, which reads its port from {variable}, which Portway sets"
            );
            found.with_env(&variable, "{port}").with_evidence(why)
        }
        Listens::At(port, _) => {
            found.port = Some(DetectedPort::Fixed(port));
            found.with_evidence(format!(
                "its script runs `{command}`, which requires port {port}; use `$PORT` there to allow any port"
            ))
        }
        Listens::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::DetectedPort;
    use crate::fixture::only;

    #[test]
    fn the_commands_of_a_script_say_where_it_listens() {
        for (script, port, evidence) in [
            (
                "#!/bin/bash\nset -e\npython manage.py migrate\nexec gunicorn shop.wsgi \\\n  --log-file -\n",
                DetectedPort::Preferred(5000),
                "`gunicorn shop.wsgi",
            ),
            (
                "uvicorn shop:app --port 8031\n",
                DetectedPort::Fixed(8031),
                "requires port 8031",
            ),
            ("./shop\n", DetectedPort::Preferred(5000), "by convention"),
        ] {
            let found = only(
                &[
                    ("Procfile", "web: bash bin/start.sh"),
                    ("bin/start.sh", script),
                ],
                &[],
            );
            assert_eq!(found.command, "bash bin/start.sh");
            assert_eq!(found.port, Some(port), "{script}");
            found.has_evidence(evidence);
        }
    }

    #[test]
    fn programs_in_a_script_are_those_of_the_project() {
        let found = only(
            &[
                ("Procfile", "web: bash start.sh"),
                ("start.sh", "gunicorn shop.wsgi\n"),
                ("requirements.txt", "gunicorn"),
            ],
            &[],
        );
        assert!(found.prepare.is_some());
        assert_eq!(
            found.command,
            "export PATH=\"$PWD/.venv/bin:$PATH\"; bash start.sh"
        );
    }

    #[test]
    fn a_script_of_a_deployment_does_not_hide_the_scripts_of_a_package() {
        let found = only(
            &[
                ("Procfile", "web: ./start.sh"),
                ("start.sh", "npm ci\nnode dist/server.js\n"),
                (
                    "package.json",
                    "{\"scripts\": {\"dev\": \"vite\"}, \"devDependencies\": {\"vite\": \"5\"}}",
                ),
            ],
            &["npm"],
        );
        assert_eq!(found.framework, "vite");
    }
}
