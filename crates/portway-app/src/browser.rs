//! Opens a URL in the user's browser.

use std::env;
use std::process::Stdio;

use crate::platform;

/// Opens `url` if a browser can be displayed. Ignores failures, because the caller prints the URL.
pub fn open(url: &str) {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if !has_display(env::consts::OS, &is_set) {
        return;
    }
    for mut opener in open::commands(url) {
        platform::in_background(&mut opener);
        let status = opener
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if status.is_ok_and(|status| status.success()) {
            return;
        }
    }
}

/// Returns whether a browser can be displayed. Without a display, as over SSH, a program such as
/// `xdg-open` can start a browser in the terminal.
fn has_display(system: &str, is_set: &dyn Fn(&str) -> bool) -> bool {
    // In WSL, the browser of Windows opens.
    let variables = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"];
    ["macos", "windows"].contains(&system) || variables.iter().any(|name| is_set(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_a_browser_only_with_a_display() {
        let has = |system: &str, set: &[&str]| has_display(system, &|name| set.contains(&name));
        assert!(!has("linux", &[]));
        assert!(!has("freebsd", &["SSH_TTY"]));
        assert!(has("linux", &["DISPLAY"]));
        assert!(has("linux", &["WAYLAND_DISPLAY"]));
        assert!(has("linux", &["WSL_DISTRO_NAME"]));
        assert!(has("macos", &[]));
        assert!(has("windows", &[]));
    }
}
