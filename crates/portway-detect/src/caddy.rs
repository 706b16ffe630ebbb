//! Caddy as a development proxy: `caddy run`, which a script starts. Its first site names its port.

use super::shell::literal;
use super::{DetectedPort, DetectedService, Dir};
use portway_project::kind::Kind;

/// Caddy's usual configuration file.
const FILE: &str = "Caddyfile";

/// Options that name another configuration file.
const CONFIG_FLAGS: [&str; 2] = ["--config", "-c"];

/// Where a site listens.
#[derive(Debug, PartialEq, Eq)]
enum Site {
    /// At the value of a variable, which is set to this text with placeholders.
    Variable {
        name: String,
        value: String,
        port: u16,
    },
    Fixed(u16),
}

/// Returns the proxy that a command in `dir` starts, if its configuration names the port.
pub(super) fn server(dir: &Dir<'_>, command: &str) -> Option<DetectedService> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let at = words.windows(2).position(|pair| {
        let name = pair[0].rsplit('/').next();
        name == Some("caddy") && ["run", "start"].contains(&pair[1])
    })?;
    let mut options = words[at..].iter().enumerate();
    let file = options.find_map(|(index, word)| match word.split_once('=') {
        Some((flag, value)) if CONFIG_FLAGS.contains(&flag) => Some(value),
        None if CONFIG_FLAGS.contains(word) => words.get(at + index + 1).copied(),
        _ => None,
    });
    let file = file.unwrap_or(FILE).trim_start_matches("./");
    let (place, name) = file.rsplit_once('/').unwrap_or(("", file));
    let place = dir.below(place)?;
    let site = site(&place.read(name)?)?;
    let file = place.path_of(name);
    let port = match &site {
        Site::Variable { port, .. } => DetectedPort::Preferred(*port),
        Site::Fixed(port) => DetectedPort::Fixed(*port),
    };
    let mut found =
        DetectedService::http(dir, "caddy", literal(command), port).with_kind(Kind::Http);
    found.is_port_written = true;
    Some(match site {
        Site::Fixed(port) => found.with_evidence(format!(
            "{file} requires port {port}; write `:{{$PORT:{port}}}` there to allow any port"
        )),
        Site::Variable { name, value, .. } => {
            // Every service receives `PORT` anyway.
            if name != "PORT" || value != "{port}" {
                found = found.with_env(&name, &value);
            }
            found.with_evidence(format!(
                "{file} takes the address of its first site from `{name}`"
            ))
        }
    })
}

/// Returns where the first site of a configuration listens.
fn site(text: &str) -> Option<Site> {
    let mut depth = 0_usize;
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or(line).trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let opens = line.ends_with('{');
        if depth == 0 && line != "{" && !line.starts_with('(') && !line.starts_with("import ") {
            let addresses = line.trim_end_matches('{').trim();
            return addresses.split([',', ' ']).find_map(address);
        }
        if opens {
            depth += 1;
        } else if line == "}" {
            depth = depth.saturating_sub(1);
        }
    }
    None
}

/// Parses the address of a site: `:8080`, `http://localhost:8080`, `:{$PORT:8080}`, `{$HOST::8080}`.
fn address(text: &str) -> Option<Site> {
    let text = text.trim();
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let Some((before, rest)) = text.split_once("{$") else {
        let (_, port) = text.rsplit_once(':')?;
        return number(port).map(Site::Fixed);
    };
    let (inside, after) = rest.split_once('}')?;
    let (name, default) = inside.split_once(':')?;
    if !after.is_empty() {
        // `{$HOST:localhost}:8080`.
        return number(after.strip_prefix(':')?).map(Site::Fixed);
    }
    let (host, port) = match default.rsplit_once(':') {
        Some((host, port)) => (format!("{host}:"), number(port)?),
        None => (String::new(), number(default)?),
    };
    // A host needs a port, and a number alone follows one.
    if host.is_empty() != before.ends_with(':') {
        return None;
    }
    Some(Site::Variable {
        name: name.to_owned(),
        value: format!("{host}{{port}}"),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::only;

    #[test]
    fn finds_the_address_of_the_first_site() {
        let variable = |name: &str, value: &str, port| {
            Some(Site::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
                port,
            })
        };
        for (text, expected) in [
            (
                ":8081 {\n\treverse_proxy localhost:3000\n}",
                Some(Site::Fixed(8081)),
            ),
            (
                "http://localhost:8082\n\nreverse_proxy :3000",
                Some(Site::Fixed(8082)),
            ),
            (
                "# proxy\n{\n\tservers {\n\t\tx y\n\t}\n}\n(snippet) {\n\tx\n}\n{$SHOP_ADDRESS::8083} {\n}",
                variable("SHOP_ADDRESS", ":{port}", 8083),
            ),
            (
                "{$SHOP_ADDRESS:localhost:8084} {\n}",
                variable("SHOP_ADDRESS", "localhost:{port}", 8084),
            ),
            (":{$PORT:8085} {\n}", variable("PORT", "{port}", 8085)),
            (
                "localhost:{$WEB_PORT:8086}, shop.test {\n}",
                variable("WEB_PORT", "{port}", 8086),
            ),
            ("{$HOST:localhost}:8087 {\n}", Some(Site::Fixed(8087))),
            ("shop.test {\n\treverse_proxy localhost:3000\n}", None),
            ("{$ADDRESS} {\n}", None),
        ] {
            assert_eq!(site(text), expected, "{text}");
        }
    }

    #[test]
    fn a_script_starts_the_proxy() {
        let package = |script: &str| format!("{{\"scripts\": {{\"dev\": \"{script}\"}}}}");
        for (script, file) in [
            ("caddy run", "proxy/Caddyfile"),
            ("./bin/caddy run || caddy run", "proxy/Caddyfile"),
            (
                "caddy run --config dev/Caddyfile --watch",
                "proxy/dev/Caddyfile",
            ),
        ] {
            let found = only(
                &[
                    ("proxy/package.json", &package(script)),
                    (file, "{$SHOP_ADDRESS::8083} {\n}"),
                ],
                &["npm"],
            );
            assert_eq!(
                (found.framework, found.prefers()),
                ("caddy", Some(8083)),
                "{script}"
            );
            assert_eq!(found.env["SHOP_ADDRESS"], ":{port}");
        }
    }

    #[test]
    fn a_procfile_starts_the_proxy() {
        let found = only(
            &[
                ("Procfile.dev", "proxy: caddy run\n"),
                ("Caddyfile", ":{$PORT:8085} {\n}"),
            ],
            &[],
        );
        assert_eq!(
            (found.name.as_str(), found.prefers()),
            ("proxy", Some(8085))
        );
    }
}
