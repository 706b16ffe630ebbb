//! `portway dashboard`: the page that shows every instance of this machine.

use std::env;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

use clap::Args;
use portway_gateway::{DOMAIN, GATEWAY_LABEL};

use crate::error::CommandError;
use crate::{gateway, platform, ui};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway dashboard            opens the dashboard in the browser
  portway dashboard --print    only prints where it is
The gateway serves it, and is started in the background where it does not run yet.")]
pub(crate) struct Dashboard {
    /// Only print the URL
    #[arg(long)]
    pub(crate) print: bool,
}

pub(crate) fn run(args: &Dashboard) -> Result<u8, CommandError> {
    let url = gateway::ensure(None, None)?.url(&format!("{GATEWAY_LABEL}.{DOMAIN}"));
    ui::out(&format!("{url}\n"));
    let somebody_looks = std::io::stdout().is_terminal() && ui::is_interactive();
    if !args.print && somebody_looks {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        let path = env::var_os("PATH").unwrap_or_default();
        let is_there =
            |name: &str| env::split_paths(&path).any(|dir| platform::is_program(&dir, name));
        if let Some(words) = opener(env::consts::OS, &set, &is_there) {
            open(words, &url);
        }
    }
    Ok(0)
}

/// The program that opens a URL in this user's browser, where one is known.
fn opener(
    system: &str,
    set: &dyn Fn(&str) -> bool,
    is_there: &dyn Fn(&str) -> bool,
) -> Option<&'static [&'static str]> {
    let candidates: &[&'static [&'static str]] = match system {
        "macos" => &[&["open"]],
        // Its first argument would be the window's title.
        "windows" => return Some(&["cmd", "/c", "start", ""]),
        // Windows' browser, from the Linux inside it.
        _ if set("WSL_DISTRO_NAME") => &[&["wslview"], &["xdg-open"]],
        // Over SSH or on a console there is no browser to see.
        _ if set("DISPLAY") || set("WAYLAND_DISPLAY") => &[&["xdg-open"], &["gio", "open"]],
        _ => &[],
    };
    candidates.iter().find(|words| is_there(words[0])).copied()
}

/// Opens it. That no browser comes is nothing to fail for: the URL is printed.
fn open(words: &[&str], url: &str) {
    let mut opener = Command::new(words[0]);
    platform::in_background(&mut opener);
    let _ = opener
        .args(&words[1..])
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opener_of(system: &str, set: &[&str], programs: &[&str]) -> Option<&'static str> {
        let words = opener(system, &|name| set.contains(&name), &|name| {
            programs.contains(&name)
        });
        words.map(|words| words[0])
    }

    #[test]
    fn a_browser_is_opened_where_one_can_be_seen() {
        let all = ["xdg-open", "gio", "open", "wslview"];
        assert_eq!(opener_of("linux", &[], &all), None);
        assert_eq!(opener_of("linux", &["DISPLAY"], &all), Some("xdg-open"));
        assert_eq!(
            opener_of("linux", &["WAYLAND_DISPLAY"], &["gio"]),
            Some("gio")
        );
        assert_eq!(opener_of("linux", &["DISPLAY"], &[]), None);
        assert_eq!(
            opener_of("linux", &["WSL_DISTRO_NAME"], &all),
            Some("wslview")
        );
        assert_eq!(opener_of("macos", &[], &all), Some("open"));
        assert_eq!(opener_of("windows", &[], &[]), Some("cmd"));
    }
}
