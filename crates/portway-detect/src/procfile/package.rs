//! Processes that run a script of a package, such as `cd web && npm run dev`: what Portway finds in the package
//! says how the script gets its port.

use crate::node::{self, MANAGERS};
use crate::{DetectContext, DetectedService, Dir};

/// Options of package managers that are followed by the directory of a package.
const PLACES: [&str; 4] = ["--prefix", "--cwd", "-C", "--dir"];

/// Returns the server of the script that a command in `dir` runs.
pub(crate) fn server(
    dir: &Dir<'_>,
    command: &str,
    context: &DetectContext<'_>,
) -> Option<DetectedService> {
    let (place, script) = script(command)?;
    let place = dir.below(&place)?;
    let sentence = format!("the script `{script}` in {}", place.path_of("package.json"));
    let is_its = |one: &DetectedService| one.evidence.iter().any(|text| text.contains(&sentence));
    let mut services = node::read(&place, context).into_iter();
    let mut its = services
        .by_ref()
        .filter(|one| one.port.is_some() && is_its(one));
    let found = its.next()?;
    its.next().is_none().then_some(found)
}

/// Returns the directory and the script of a command that runs only a script.
fn script(command: &str) -> Option<(String, String)> {
    let (mut place, command) = match command.strip_prefix("cd ") {
        Some(rest) => {
            let (place, command) = rest.split_once("&&")?;
            (place.trim().to_owned(), command)
        }
        None => (String::new(), command),
    };
    let words = shlex::split(command)?;
    let mut words = words.iter().map(String::as_str);
    let program = words.next().filter(|name| MANAGERS.contains(name))?;
    let mut script = None;
    let mut runs = false;
    while let Some(word) = words.next() {
        let (flag, value) = word.split_once('=').unwrap_or((word, ""));
        if PLACES.contains(&flag) {
            let value = if value.is_empty() {
                words.next()?
            } else {
                value
            };
            place = format!("{place}/{value}");
        } else if ["run", "run-script"].contains(&word) && !runs {
            runs = true;
        } else if !["-s", "--silent"].contains(&word) {
            // Arguments after the script would be lost.
            let is_first = script.is_none() && !word.starts_with('-');
            script = Some(is_first.then_some(word)?);
        }
    }
    let script = script?;
    let is_script = runs || program != "npm" || script == "start";
    let parts = place.split('/').filter(|part| !["", "."].contains(part));
    let place = parts.collect::<Vec<_>>().join("/");
    is_script.then(|| (place, script.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_script_that_a_command_runs() {
        for (command, expected) in [
            ("npm run dev", Some(("", "dev"))),
            ("cd ./web && npm start", Some(("web", "start"))),
            ("npm --prefix web run dev", Some(("web", "dev"))),
            ("yarn --cwd=apps/web dev", Some(("apps/web", "dev"))),
            ("pnpm -C web run -s dev", Some(("web", "dev"))),
            ("npm run dev -- --open", None),
            ("npm ci", None),
            ("node x.js", None),
            ("cd web", None),
        ] {
            let found = script(command);
            let found = found
                .as_ref()
                .map(|(place, script)| (place.as_str(), script.as_str()));
            assert_eq!(found, expected, "{command}");
        }
    }
}
