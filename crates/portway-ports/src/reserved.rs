//! Ranges that a system has set aside, read from what it prints.

use crate::range::PortRange;

/// The ranges of Linux's `ip_local_reserved_ports`: `8080,30000-32767`.
///
/// The kernel gives these to nobody who lets it choose, and leaves them to whoever asks for one by
/// number: they are meant for programs that the administrator knows. Portway treats them in the
/// same way.
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
}
