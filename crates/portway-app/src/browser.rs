//! Opens a URL in the user's browser.

use std::env;
use std::process::{Command, Stdio};

use crate::{dirs, platform};

/// Opens `url` if a browser can be displayed. Ignores failures, because the caller prints the URL.
pub fn open(url: &str) {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(command) = opener(env::consts::OS, &is_set, &dirs::has_program) {
        run(command, url);
    }
}

/// Returns the command that opens a URL on this system; `None` if no browser can be displayed.
fn opener(
    system: &str,
    is_set: &dyn Fn(&str) -> bool,
    has_program: &dyn Fn(&str) -> bool,
) -> Option<&'static [&'static str]> {
    let candidates: &[&'static [&'static str]] = match system {
        "macos" => &[&["open"]],
        // The first argument of `start` is the title of the window.
        "windows" => return Some(&["cmd", "/c", "start", ""]),
        // In WSL, `wslview` opens the browser of Windows.
        _ if is_set("WSL_DISTRO_NAME") => &[&["wslview"], &["xdg-open"]],
        // Without a display, as over SSH, no command is used.
        _ if is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") => &[&["xdg-open"], &["gio", "open"]],
        _ => &[],
    };
    candidates
        .iter()
        .find(|command| has_program(command[0]))
        .copied()
}

fn run(command: &[&str], url: &str) {
    let mut opener = Command::new(command[0]);
    platform::in_background(&mut opener);
    let _ = opener
        .args(&command[1..])
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(system: &str, set: &[&str], programs: &[&str]) -> Option<&'static str> {
        let command = opener(system, &|name| set.contains(&name), &|name| {
            programs.contains(&name)
        });
        command.map(|command| command[0])
    }

    #[test]
    fn opens_a_browser_only_with_a_display() {
        let all = ["xdg-open", "gio", "open", "wslview"];
        assert_eq!(program("linux", &[], &all), None);
        assert_eq!(program("linux", &["DISPLAY"], &all), Some("xdg-open"));
        assert_eq!(
            program("linux", &["WAYLAND_DISPLAY"], &["gio"]),
            Some("gio")
        );
        assert_eq!(program("linux", &["DISPLAY"], &[]), None);
        assert_eq!(
            program("linux", &["WSL_DISTRO_NAME"], &all),
            Some("wslview")
        );
        assert_eq!(program("macos", &[], &all), Some("open"));
        assert_eq!(program("windows", &[], &[]), Some("cmd"));
    }
}
