//! Users and signals on Linux and macOS.

use std::io;

use rustix::process::Signal;

use super::send_signal;
use crate::process::ProcessId;

pub(in crate::process) fn current_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Asks the C library, which may ask a directory service.
#[cfg(not(all(target_os = "linux", target_feature = "crt-static")))]
pub(in crate::process) fn user_name(user: u32) -> Option<String> {
    let user = uzers::get_user_by_uid(user)?;
    Some(user.name().to_string_lossy().into_owned())
}

/// Reads `/etc/passwd`. The C library in a static program would load modules (NSS) of the machine's own C
/// library, which may be another version.
#[cfg(all(target_os = "linux", target_feature = "crt-static"))]
pub(in crate::process) fn user_name(user: u32) -> Option<String> {
    use std::io::Read;
    const MAX_SIZE: u64 = 4 << 20;
    let file = std::fs::File::open("/etc/passwd").ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_SIZE).read_to_end(&mut bytes).ok()?;
    name_in_passwd(&String::from_utf8_lossy(&bytes), user)
}

/// Returns the name of a user in the text of `/etc/passwd`.
#[cfg(any(test, all(target_os = "linux", target_feature = "crt-static")))]
fn name_in_passwd(text: &str, user: u32) -> Option<String> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, id) = (fields.next()?, fields.next()?, fields.next()?);
        // Lines that start with a sign refer to a directory service.
        let is_name = !name.is_empty() && !name.starts_with(['+', '-', '#']);
        (is_name && id.parse() == Ok(user)).then(|| name.to_owned())
    })
}

pub(in crate::process) fn terminate(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::TERM)
}

pub(in crate::process) fn kill(process: ProcessId) -> io::Result<()> {
    send_signal(process, Signal::KILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_user_in_passwd() {
        let text = "# 7:x:7\nroot:x:0:0:root:/root:/bin/sh\nbroken\n+ldap:x:5::::\n\
                    ada:x:1000:1000:Ada,,,:/home/ada:/bin/bash\nalias:x:1000:0::/:\n:x:8::::\n";
        assert_eq!(name_in_passwd(text, 0).as_deref(), Some("root"));
        assert_eq!(name_in_passwd(text, 1000).as_deref(), Some("ada"));
        for unknown in [5, 7, 8, 1001] {
            assert_eq!(name_in_passwd(text, unknown), None, "{unknown}");
        }
    }
}
