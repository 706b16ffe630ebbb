//! Ports of development servers in their configuration files, and in the files that their commands read
//! variables from.

use super::script::SimpleCommand;
use super::source;
use super::tools::Tool;
use crate::{Dir, variables};

/// Flags that name a configuration file.
const CONFIG_FLAGS: [&str; 2] = ["--config", "-c"];

/// Flags that name the directory of the application.
const ROOT_FLAGS: [&str; 4] = ["--root", "--cwd", "--rootDir", "--dir"];

/// The variable that configurations of Vite usually read the port from.
const VITE_PORT: &str = "VITE_PORT";

/// Configuration files of Wrangler.
const WRANGLER: [&str; 3] = ["wrangler.toml", "wrangler.jsonc", "wrangler.json"];

/// Returns the port that a configuration file of a tool sets, and the file: the one that its command names,
/// or else the usual one, in the directory that its command names or else in `dir`.
pub(super) fn port(
    dir: &Dir<'_>,
    tool: &Tool,
    command: Option<&SimpleCommand>,
) -> Option<(u16, String)> {
    let named = command.and_then(|command| command.flag(&CONFIG_FLAGS));
    if let Some((place, name)) = named.and_then(|path| at(dir, path)) {
        return of_file(&place, &name, tool);
    }
    let sub = command.and_then(|command| root(dir, command));
    let places = sub.into_iter().chain(dir.below(""));
    let found = places.into_iter().find_map(|place| {
        let usual = match tool.name {
            "wrangler" => &WRANGLER[..],
            _ => tool.config,
        };
        usual.iter().find_map(|name| of_file(&place, name, tool))
    });
    // The configuration may be in a package, which reads the variable that its users know.
    found.or_else(|| {
        let is_vite = tool.name == "vite";
        is_vite.then(|| variables::port(dir, VITE_PORT)).flatten()
    })
}

fn of_file(dir: &Dir<'_>, name: &str, tool: &Tool) -> Option<(u16, String)> {
    let port = match tool.name {
        "wrangler" if name.ends_with(".toml") => {
            let port = dir.has(name).then(|| dir.toml(name)).flatten()?;
            u16::try_from(port.get("dev")?.get("port")?.as_integer()?).ok()?
        }
        "wrangler" => {
            let config = dir.has(name).then(|| dir.jsonc(name)).flatten()?;
            u16::try_from(config.get("dev")?.get("port")?.as_u64()?).ok()?
        }
        _ => {
            let (place, file) = at(dir, name)?;
            let text = place.read(&file)?;
            let keys = || tool.config_key.split('|');
            let Some(port) = keys().find_map(|key| source::configured(&text, key)) else {
                let variable = keys().find_map(|key| source::configured_variable(&text, key))?;
                return variables::port(dir, variable);
            };
            port
        }
    };
    (port > 0).then(|| (port, dir.path_of(name)))
}

/// Returns the directory of the application that a command names: `vite ./site`, `nuxt dev --cwd site`.
fn root<'d>(dir: &Dir<'d>, command: &SimpleCommand) -> Option<Dir<'d>> {
    let flagged = command.flag(&ROOT_FLAGS);
    let mut arguments = command.arguments().iter().map(String::as_str);
    let path = flagged.or_else(|| {
        arguments.find(|word| {
            let first = clean(word).split('/').next().unwrap_or("");
            !first.is_empty() && !word.starts_with('-') && dir.has(first)
        })
    })?;
    dir.below(clean(path))
        .filter(|place| place.path() != dir.path())
}

fn clean(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}

/// Returns the port to which a file that a command reads sets a variable, and that file.
pub(super) fn port_in_env_files(
    dir: &Dir<'_>,
    command: &SimpleCommand,
    variable: &str,
) -> Option<(u16, String)> {
    // A later file overrides an earlier one.
    command.env_files().into_iter().rev().find_map(|path| {
        let (place, name) = at(dir, path)?;
        let value = place.dotenv(&name)?.swap_remove(variable)?;
        let port = value.trim().parse().ok().filter(|port| *port > 0)?;
        Some((port, place.path_of(&name)))
    })
}

/// Returns the directory and the name of a file that a command names relative to `dir`.
fn at<'d>(dir: &Dir<'d>, path: &str) -> Option<(Dir<'d>, String)> {
    let mut place = dir.below("")?;
    let (parts, name) = path.rsplit_once('/').unwrap_or(("", path));
    for part in parts.split('/').filter(|part| !["", "."].contains(part)) {
        place = match part {
            ".." => place.up()?,
            part => place.sub(part)?,
        };
    }
    (!path.starts_with('/') && place.has(name)).then(|| (place, name.to_owned()))
}
