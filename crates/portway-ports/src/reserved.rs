//! Ranges that a system has set aside, read from what it prints.

use crate::range::PortRange;

/// The ranges of Linux's `ip_local_reserved_ports`: `8080,30000-32767`.
///
/// The kernel gives these to nobody who lets it choose, and leaves them to whoever asks for one by
/// number: they are meant for programs that the administrator knows. Portway treats them in the
/// same way.
#[cfg(any(target_os = "linux", test))]
pub(crate) fn reserved_ports(text: &str) -> Vec<PortRange> {
    text.split(',')
        .filter_map(|part| part.parse().ok())
        .collect()
}

/// The ranges that `netsh interface ipv4 show excludedportrange protocol=tcp` prints on Windows,
/// and the same for `ipv6`.
///
/// Windows prints it in the user's language, so only the shape counts: a line that begins with two
/// numbers. The asterisk behind some marks what an administrator set aside.
pub fn excluded_ranges(netsh: &str) -> Vec<PortRange> {
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

/// The range of source ports that `netsh interface ipv4 show dynamicport tcp` prints: the first
/// port and how many there are, each behind a colon, in the user's language.
#[cfg(any(windows, test))]
pub(crate) fn dynamic_ports(netsh: &str) -> Option<PortRange> {
    let mut numbers = netsh
        .lines()
        .filter_map(|line| line.rsplit_once(':')?.1.trim().parse::<u16>().ok());
    let first = numbers.next()?;
    let count = numbers.next()?;
    PortRange::new(first, first.checked_add(count.checked_sub(1)?)?).ok()
}

/// Whether `netstat -anp tcp` of macOS shows anything but TIME_WAIT with `port` as its local port:
/// `tcp4 0 0 127.0.0.1.9000 127.0.0.1.51234 TIME_WAIT`.
#[cfg(any(target_os = "macos", test))]
pub(crate) fn lives_in_netstat(netstat: &str, port: u16) -> bool {
    netstat.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let own = words.get(3).and_then(|address| address.rsplit_once('.'));
        words.first().is_some_and(|word| word.starts_with("tcp"))
            && own.is_some_and(|(_, own)| own.parse() == Ok(port))
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

    fn words(ranges: &[PortRange]) -> String {
        let words: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        words.join(" ")
    }

    #[test]
    fn netsh_is_read_in_any_language() {
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
            assert_eq!(words(&excluded_ranges(text)), ranges, "{text}");
        }
    }

    #[test]
    fn what_linux_has_set_aside_is_read() {
        for (text, ranges) in [
            ("\n", ""),
            ("8080\n", "8080"),
            ("8080,9148,30000-32767\n", "8080 9148 30000-32767"),
        ] {
            assert_eq!(words(&reserved_ports(text)), ranges, "{text:?}");
        }
    }

    #[test]
    fn the_source_ports_of_windows_are_read_in_any_language() {
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
    fn netstat_tells_what_lives_on_a_port() {
        let netstat = "Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.9000         127.0.0.1.51234        TIME_WAIT
tcp6       0      0  *.9001                 *.*                    LISTEN
tcp4       0      0  127.0.0.1.51300        127.0.0.1.9002         ESTABLISHED
tcp4       0      0  *.9003                 *.*                    CLOSED
";
        for (port, lives) in [(9000, false), (9001, true), (9002, false), (9003, true)] {
            assert_eq!(lives_in_netstat(netstat, port), lives, "{port}");
        }
    }
}
