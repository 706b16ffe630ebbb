//! The files of a Django project: `manage.py` and the module with its settings.

use crate::Dir;

/// The variable that names the module with the settings.
const VARIABLE: &str = "DJANGO_SETTINGS_MODULE";

/// Names of modules in a package of settings, the one for development first.
const MODULES: [&str; 6] = ["development", "develop", "dev", "local", "base", "common"];

/// Maximum number of directories that are searched for settings.
const MAX_DIRS: usize = 50;

/// The `manage.py` of a Django project.
pub(super) struct Manage<'p, 'd> {
    /// Its directory.
    pub(super) place: &'p Dir<'d>,
    /// Its text.
    pub(super) text: String,
    /// The module of the settings, if the project leaves it to the environment.
    pub(super) unnamed: Option<String>,
}

impl Manage<'_, '_> {
    /// Returns the variable that Portway sets because nothing else does.
    pub(super) fn variable(&self) -> Option<(&'static str, &str)> {
        self.unnamed.as_deref().map(|module| (VARIABLE, module))
    }

    /// Returns the module with the settings.
    pub(super) fn settings(&self) -> Option<String> {
        let named = || {
            let rest = self.text.split(VARIABLE).nth(1)?;
            let mut parts = rest.split(['"', '\'']).skip(1);
            parts.find(|part| part.contains('.') || part.ends_with("settings"))
        };
        self.unnamed.clone().or_else(|| named().map(str::to_owned))
    }
}

/// Returns the first `manage.py` of Django in these directories.
pub(super) fn manage<'p, 'd>(places: &'p [Dir<'d>]) -> Option<Manage<'p, 'd>> {
    places.iter().find_map(|place| {
        let text = place.read("manage.py")?;
        if text.contains(VARIABLE) {
            return Some(Manage {
                place,
                text,
                unnamed: None,
            });
        }
        if !text.contains("execute_from_command_line") {
            return None;
        }
        let is_set = place.upwards().any(|dir| {
            let all = dir.has(".env").then(|| dir.dotenv(".env")).flatten();
            all.is_some_and(|all| all.contains_key(VARIABLE))
        });
        let unnamed = match is_set {
            true => None,
            false => Some(module(place)?),
        };
        Some(Manage {
            place,
            text,
            unnamed,
        })
    })
}

/// Returns the module with the settings for development of the only package in `place` that has settings.
fn module(place: &Dir<'_>) -> Option<String> {
    let all = place.subs().take(MAX_DIRS);
    let mut found = all.filter_map(|package| {
        let name = package.name();
        if package.has("settings.py") {
            return Some(format!("{name}.settings"));
        }
        let settings = package.sub("settings")?;
        let module = MODULES
            .iter()
            .find(|module| settings.has(&format!("{module}.py")))?;
        Some(format!("{name}.settings.{module}"))
    });
    found.next().filter(|_| found.next().is_none())
}

#[cfg(test)]
mod tests {
    use crate::fixture::{checkout, only};

    const MANAGE: (&str, &str) = (
        "manage.py",
        "import sys\nfrom django.core.management import execute_from_command_line\n\
         execute_from_command_line(sys.argv)\n",
    );
    const PACKAGES: (&str, &str) = ("requirements.txt", "Django");

    #[test]
    fn settings_that_the_environment_names_are_those_for_development() {
        for (files, expected) in [
            (&["shop/settings.py"][..], Some("shop.settings")),
            (
                &["shop/settings/base.py", "shop/settings/dev.py"],
                Some("shop.settings.dev"),
            ),
            (&["shop/settings/common.py"], Some("shop.settings.common")),
        ] {
            let mut all = vec![MANAGE, PACKAGES];
            all.extend(files.iter().map(|file| (*file, "")));
            let found = only(&all, &[]);
            let module = found.env.get("DJANGO_SETTINGS_MODULE").map(String::as_str);
            assert_eq!((found.framework, module), ("django", expected));
            found.has_evidence("names no settings");
        }
        // `.env` names them, or it is not known which ones are meant.
        let env = (".env", "DJANGO_SETTINGS_MODULE=shop.other\n");
        let found = only(&[MANAGE, PACKAGES, env], &[]);
        assert_eq!(found.env.get("DJANGO_SETTINGS_MODULE"), None);
        for others in [&[][..], &["a/settings.py", "b/settings.py"]] {
            let mut all = vec![MANAGE, PACKAGES];
            all.extend(others.iter().map(|file| (*file, "")));
            assert!(checkout(&all, &[]).services.is_empty());
        }
    }

    #[test]
    fn the_procfile_of_a_deployment_does_not_hide_the_server_for_development() {
        let procfile = ("Procfile", "web: bash start.sh\nworker: python work.py\n");
        let script = (
            "start.sh",
            "#!/bin/bash\npython manage.py migrate\n\ngunicorn shop.wsgi --log-file -\n",
        );
        let settings = ("shop/settings.py", "");
        let found = checkout(&[procfile, script, MANAGE, PACKAGES, settings], &[]);
        let commands: Vec<(&str, &str)> = found
            .services
            .iter()
            .map(|one| (one.name.as_str(), one.command.as_str()))
            .collect();
        assert_eq!(
            commands[0],
            ("web", ".venv/bin/python manage.py runserver {host}:{port}")
        );
        assert_eq!(commands.len(), 2, "{commands:?}");
    }
}
