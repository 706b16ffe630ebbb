//! Reads port settings from the text that a system prints.

#[cfg(any(target_os = "linux", windows, test))]
use crate::range::PortRange;

/// Parses `ip_local_reserved_ports` of Linux: `8080,30000-32767`.
///
/// The kernel never chooses these ports itself; a program must bind them by number. Administrators
/// reserve them for known services.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn reserved_ports(text: &str) -> Vec<PortRange> {
    text.split(',')
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// Parses the output of `netsh interface ipv4 show excludedportrange protocol=tcp` on Windows, and
/// of the same command for `ipv6` and `udp`.
///
/// The output is localized, so only lines that start with two numbers count. An asterisk after the
/// numbers marks a range that an administrator excluded.
#[cfg(any(windows, test))]
pub(crate) fn excluded_ranges(netsh: &str) -> Vec<PortRange> {
    netsh
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let first = words.next()?.parse().ok()?;
            let last = words.next()?.parse().ok()?;
            PortRange::new(first, last).ok()
        })
        .collect()
}

/// Parses the ephemeral range from the output of `netsh interface ipv4 show dynamicport tcp` on
/// Windows: the first port and the number of ports, each after a colon. The output is localized.
#[cfg(any(windows, test))]
pub(crate) fn dynamic_ports(netsh: &str) -> Option<PortRange> {
    let mut numbers = netsh
        .lines()
        .filter_map(|line| line.rsplit_once(':')?.1.trim().parse::<u16>().ok());
    let first = numbers.next()?;
    let count = numbers.next()?;
    PortRange::new(first, first.checked_add(count.checked_sub(1)?)?).ok()
}

/// Returns whether `netstat -anp tcp` of macOS lists a socket with the local port `port` in any
/// state but TIME_WAIT. A line reads `tcp4 0 0 127.0.0.1.9000 127.0.0.1.51234 TIME_WAIT`.
#[cfg(any(target_os = "macos", test))]
pub(crate) fn netstat_lists_active(netstat: &str, port: u16) -> bool {
    netstat.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let local = words.get(3).and_then(|address| address.rsplit_once('.'));
        words.first().is_some_and(|word| word.starts_with("tcp"))
            && local.is_some_and(|(_, local)| local.parse() == Ok(port))
            && words.get(5) != Some(&"TIME_WAIT")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "\r
Protocol tcp Port Exclusion Ranges\r
\r
Start Port    End Port      \r
----------    --------      \r
      5357        5357      \r
     49671       49770      \r
     50000       50059     *\r
\r
* - Administered port exclusions.\r
";

    const GERMAN: &str = "
Portausschlussbereiche für das Protokoll \"tcp\"

Startport      Endport
----------    --------
      5357        5357
      5985        5985
     47001       47001
     50000       50059     *

* - Verwaltete Portausschlüsse.
";

    fn join(ranges: &[PortRange]) -> String {
        let texts: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        texts.join(" ")
    }

    #[test]
    fn parses_netsh_in_any_language() {
        for (text, ranges) in [
            (ENGLISH, "5357 49671-49770 50000-50059"),
            (GERMAN, "5357 5985 47001 50000-50059"),
            (
                "协议 tcp 端口排除范围\n\n开始端口    结束端口\n 1607        1706\n",
                "1607-1706",
            ),
            ("The following command was not found: interface.", ""),
            ("", ""),
        ] {
            assert_eq!(join(&excluded_ranges(text)), ranges, "{text}");
        }
    }

    #[test]
    fn parses_reserved_ports_of_linux() {
        for (text, ranges) in [
            ("\n", ""),
            ("8080\n", "8080"),
            ("8080,9148,30000-32767\n", "8080 9148 30000-32767"),
        ] {
            assert_eq!(join(&reserved_ports(text)), ranges, "{text:?}");
        }
    }

    #[test]
    fn parses_the_ephemeral_range_of_windows_in_any_language() {
        for (text, range) in [
            (
                "Protocol tcp Dynamic Port Range\r\n-----\r\nStart Port      : 49152\r\n\
                 Number of Ports : 16384\r\n",
                Some("49152-65535"),
            ),
            (
                "Startport  : 1025\nAnzahl von Ports : 64511\n",
                Some("1025-65535"),
            ),
            ("Start Port : 49152\nNumber of Ports : 0\n", None),
            ("", None),
        ] {
            let found = dynamic_ports(text).map(|range| range.to_string());
            assert_eq!(found.as_deref(), range, "{text}");
        }
    }

    #[test]
    fn netstat_lists_every_state_but_time_wait() {
        let netstat = "Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.9000         127.0.0.1.51234        TIME_WAIT
tcp6       0      0  *.9001                 *.*                    LISTEN
tcp4       0      0  127.0.0.1.51300        127.0.0.1.9002         ESTABLISHED
tcp4       0      0  *.9003                 *.*                    CLOSED
";
        for (port, is_active) in [(9000, false), (9001, true), (9002, false), (9003, true)] {
            assert_eq!(netstat_lists_active(netstat, port), is_active, "{port}");
        }
    }
}
