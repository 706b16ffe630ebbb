//! Opening a URL in the user's browser.

use std::env;
use std::process::{Command, Stdio};

use crate::{dirs, platform};

/// Opens `url` where a browser can be shown. A failure is ignored: the caller prints the URL.
pub fn open(url: &str) {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if let Some(command) = opener(env::consts::OS, &is_set, &dirs::has_program) {
        run(command, url);
    }
}

/// The command that opens a URL on this system; `None` where no browser can be shown.
fn opener(
    system: &str,
    is_set: &dyn Fn(&str) -> bool,
    has_program: &dyn Fn(&str) -> bool,
) -> Option<&'static [&'static str]> {
    let candidates: &[&'static [&'static str]] = match system {
        "macos" => &[&["open"]],
        // The first argument of `start` is the title of the window.
        "windows" => return Some(&["cmd", "/c", "start", ""]),
        // The browser of Windows, from the Linux inside it.
        _ if is_set("WSL_DISTRO_NAME") => &[&["wslview"], &["xdg-open"]],
        // Over SSH or on a console there is no display.
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
    fn opens_a_browser_only_where_one_can_be_shown() {
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
