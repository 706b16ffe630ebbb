//! Port numbers in source code of any language. Works line by line: numbers in an address, or
//! assigned to something called a port, count.

/// Words that mark a line that listens.
const LISTENING: [&str; 8] = [
    "listen", "bind", "serve", "addr", "run(", "start(", "launch", "urls",
];

/// Words that mark a line that connects to something else.
const CALLING: [&str; 6] = [
    "dial",
    "connect",
    "http.get(",
    "client",
    "origin",
    "database",
];

/// Ports of databases and brokers, which programs connect to rather than listen on.
const OTHERS: [u16; 18] = [
    25, 587, 1025, 2379, 3306, 4222, 4317, 4318, 5432, 5433, 5672, 6379, 8086, 9042, 9092, 9200,
    11211, 27017,
];

/// Parts of names that contain `port` but are not the server's port.
const OTHER_NAMES: [&str; 20] = [
    "support",
    "report",
    "import",
    "export",
    "transport",
    "viewport",
    "passport",
    "db",
    "sql",
    "postgres",
    "mongo",
    "redis",
    "smtp",
    "mail",
    "metric",
    "debug",
    "grpc",
    "remote",
    "target",
    "proxy",
];

/// Maximum length of a line that is searched, in bytes; longer lines are generated.
const MAX_LINE: usize = 500;

/// Returns the port that a text sets, and its line: the port in the address of a line that listens,
/// or else the value of something called `port`.
pub(super) fn number(text: &str) -> Option<(u16, usize)> {
    let mut named = None;
    let mut before = String::new();
    for (index, line) in text.lines().enumerate() {
        if is_comment(line) || line.len() > MAX_LINE {
            continue;
        }
        let lower = line.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        let listens = has(&LISTENING) || LISTENING.iter().any(|word| before.contains(word));
        for (port, lead) in numbers(&lower) {
            if OTHERS.contains(&port) || has(&CALLING) {
                continue;
            }
            // A URL usually names another server.
            let is_own = !is_in_url(lead) || has(&["listen", "urls", ".run(", "serve("]);
            if listens && is_own && is_address(lead) {
                return Some((port, index + 1));
            }
            if named.is_none() && is_named(lead) {
                named = Some((port, index + 1));
            }
        }
        // The address may be on the line after the call.
        before = match lower.trim_end().ends_with(['(', '{', '&']) {
            true => lower,
            false => String::new(),
        };
    }
    named
}

/// The numbers of a line that are valid ports, each with the text before it.
pub(super) fn numbers(line: &str) -> impl Iterator<Item = (u16, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + line[at..].find(|c: char| c.is_ascii_digit())?;
            let end = line[start..]
                .find(|c: char| !c.is_ascii_digit())
                .map_or(line.len(), |length| start + length);
            at = end;
            let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
            let lone = !line[..start].ends_with(is_part)
                && !line[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
            let port = line[start..end].parse().ok().filter(|port| *port >= 80);
            if let (true, Some(port)) = (lone, port) {
                return Some((port, &line[..start]));
            }
        }
    })
}

/// Returns whether the text before a number is a host, so that both form an address: `"127.0.0.1:`,
/// `":`, `("0.0.0.0", `, `([127, 0, 0, 1], `.
fn is_address(lead: &str) -> bool {
    const HOSTS: [&str; 9] = [
        "\"",
        "'",
        "`",
        "localhost",
        "0.0.0.0",
        "127.0.0.1",
        "[::]",
        "[::1]",
        "*",
    ];
    if let Some(host) = lead.strip_suffix(':') {
        return HOSTS.iter().any(|known| host.ends_with(known));
    }
    let Some(host) = lead.trim_end().strip_suffix(',') else {
        return false;
    };
    let host = host.trim_end();
    let bytes: String = host.chars().filter(|c| *c != ' ').collect();
    [
        // `("", 8000)` in Python
        "(\"\"",
        "(''",
        "[0,0,0,0]",
        "[127,0,0,1]",
        "(0,0,0,0)",
        "(127,0,0,1)",
        "unspecified",
        "localhost",
    ]
    .iter()
    .any(|known| bytes.ends_with(known) || bytes.ends_with(&format!("{known})")))
        || host.strip_suffix(['"', '\'']).is_some_and(|host| {
            ["localhost", "0.0.0.0", "127.0.0.1", "::", "::1"]
                .iter()
                .any(|known| host.ends_with(known))
        })
}

/// Returns whether the text before a number starts a URL.
fn is_in_url(lead: &str) -> bool {
    let host = lead.rsplit(['"', '\'', '`', ' ']).next();
    host.is_some_and(|host| host.contains("//"))
}

/// Returns whether the text before a number names a port: `port := `, `const PORT: u16 = `, `set
/// :port, `, `"port": "`.
fn is_named(lead: &str) -> bool {
    let marks = |c: char| " \t\"'`:=,(".contains(c);
    let name = lead.trim_end_matches(marks);
    // Name and number must be separated.
    if name.len() == lead.trim_end().len() {
        return false;
    }
    let types = [
        "u16",
        "&str",
        "&'static str",
        "int",
        "uint16",
        "string",
        "number",
    ];
    let bare = types.iter().find_map(|one| name.strip_suffix(one));
    let name = bare.map_or(name, |name| name.trim_end_matches(marks));
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let start = name.rfind(|c| !is_part(c)).map_or(0, |at| {
        at + name[at..].chars().next().map_or(1, char::len_utf8)
    });
    let name = &name[start..];
    name.ends_with("port") && !OTHER_NAMES.iter().any(|other| name.contains(other))
}

/// Returns whether a name in lower case is that of the port of something other than a server of HTTP or gRPC.
pub(super) fn is_of_others(name: &str) -> bool {
    OTHER_NAMES
        .iter()
        .any(|other| *other != "grpc" && name.contains(other))
}

/// Returns whether programs connect to a port rather than listen on it.
pub(super) fn is_of_database(port: u16) -> bool {
    OTHERS.contains(&port)
}

/// Returns whether a line is a comment in the supported languages.
pub(super) fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    ["//", "/*", "* ", "--", "# "]
        .iter()
        .any(|mark| line.starts_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_ports_in_code() {
        for (line, port) in [
            ("http.ListenAndServe(\":8080\", nil)", Some(8080)),
            ("TcpListener::bind(\"127.0.0.1:3000\").await?", Some(3000)),
            ("TcpListener::bind(\n    \"127.0.0.1:3000\",\n)", Some(3000)),
            (".bind((\"0.0.0.0\", 8081))?", Some(8081)),
            (
                "HTTPServer((\"\", 8766), Handler).serve_forever()",
                Some(8766),
            ),
            (
                "let addr = SocketAddr::from(([127, 0, 0, 1], 3030));",
                Some(3030),
            ),
            ("bind((Ipv4Addr::UNSPECIFIED, 3000))", Some(3000)),
            ("const PORT: u16 = 3001;", Some(3001)),
            ("port := \"8082\"", Some(8082)),
            ("set :port, 4000", Some(4000)),
            ("http: [ip: {127, 0, 0, 1}, port: 4000],", Some(4000)),
            ("app.Run(\"http://localhost:5005\");", Some(5005)),
            ("options.ListenLocalhost(5001)", None),
            ("// http.ListenAndServe(\":8080\", nil)", None),
            ("redis.Options{Addr: \"localhost:6379\"}", None),
            ("net.Dial(\"tcp\", \"localhost:8080\")", None),
            ("support = 8080", None),
            ("metricsPort := 9100", None),
            ("apiAddr := \"http://localhost:9000\"", None),
            ("app.Urls.Add(\"http://localhost:5006\")", Some(5006)),
            ("bind(\"127.0.0.1:70000\")", None),
            ("bind(\"127.0.0.1:0\")", None),
            ("x\u{e9}8080\u{e9}", None),
        ] {
            assert_eq!(number(line).map(|(port, _)| port), port, "{line}");
        }
    }
}
