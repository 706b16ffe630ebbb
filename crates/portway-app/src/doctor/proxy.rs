//! Where a frontend's development server passes requests on to. Its configuration is a program; what
//! stands in it as text is read and nothing is run.

use std::fs;
use std::path::Path;

use portway_api::{Check, Finding};
use regex_lite::Regex;

use super::note::{Further, error, fine};
use super::scene::PortOwner;

/// The names under which Vite finds its configuration, in its order.
const VITE: [&str; 6] = [
    "vite.config.js",
    "vite.config.mjs",
    "vite.config.ts",
    "vite.config.cjs",
    "vite.config.mts",
    "vite.config.cts",
];

/// Files in which other development servers are told to pass requests on, and the word for it.
const OTHERS: [(&str, &str); 10] = [
    ("next.config.js", "rewrites"),
    ("next.config.mjs", "rewrites"),
    ("next.config.ts", "rewrites"),
    ("nuxt.config.ts", "proxy"),
    ("nuxt.config.js", "proxy"),
    ("proxy.conf.json", "target"),
    ("proxy.conf.js", "target"),
    ("vue.config.js", "proxy"),
    ("webpack.config.js", "proxy"),
    ("package.json", "\"proxy\""),
];

/// A configuration larger than this was not written by a person.
const MAX_BYTES: u64 = 1 << 20;

/// A local URL that is written out as the target of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The line, from 1.
    pub(super) line: usize,
    /// The URL up to its port.
    pub(super) url: String,
    /// Its port.
    pub(super) port: u16,
}

/// What the configuration of a frontend says about passing requests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The file.
    pub(super) file: String,
    /// The targets that are written out in it.
    pub(super) targets: Vec<Target>,
}

/// Reads the configuration in a frontend's directory; `None` where none passes anything on.
pub(super) fn gather(dir: &Path) -> Option<Config> {
    let text = |name: &str| {
        let path = dir.join(name);
        let small = path.metadata().is_ok_and(|file| file.len() <= MAX_BYTES);
        small.then(|| fs::read_to_string(path).ok()).flatten()
    };
    let config = |name: &str, targets| Config {
        file: dir.join(name).display().to_string(),
        targets,
    };
    if let Some((name, text)) = VITE.iter().find_map(|name| Some((name, text(name)?)))
        && proxy_block(&without_comments(&text)).is_some()
    {
        return Some(config(name, targets(&text)));
    }
    // Only whether there is one: how they write it differs too much.
    OTHERS
        .iter()
        .find(|(name, word)| text(name).is_some_and(|text| text.contains(word)))
        .map(|(name, _)| config(name, Vec::new()))
}

/// The text with every comment blanked out, each character where it was. What looks like a comment
/// within a string, as in every URL, is none.
fn without_comments(text: &str) -> String {
    #[derive(PartialEq)]
    enum In {
        Code,
        Text(char),
        Line,
        Block,
    }
    let mut place = In::Code;
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().copied();
        let mut kept = character;
        match place {
            In::Code => match (character, next) {
                ('/', Some('/')) => (place, kept) = (In::Line, ' '),
                ('/', Some('*')) => (place, kept) = (In::Block, ' '),
                ('"' | '\'' | '`', _) => place = In::Text(character),
                _ => {}
            },
            In::Text(quote) => {
                if character == '\\' {
                    out.push(character);
                    kept = characters.next().unwrap_or(' ');
                } else if character == quote || (character == '\n' && quote != '`') {
                    place = In::Code;
                }
            }
            In::Line if character == '\n' => place = In::Code,
            In::Block if character == '*' && next == Some('/') => {
                characters.next();
                out.push(' ');
                (place, kept) = (In::Code, ' ');
            }
            In::Line => kept = ' ',
            In::Block if character != '\n' => kept = ' ',
            In::Block => {}
        }
        out.push(kept);
    }
    out
}

/// The bytes between the braces of the first `proxy: { … }`.
fn proxy_block(text: &str) -> Option<std::ops::Range<usize>> {
    let start = Regex::new(r#"\bproxy["']?\s*[:=]\s*\{"#).ok()?.find(text)?;
    let mut depth = 1;
    for (index, byte) in text.bytes().enumerate().skip(start.end()) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(start.end()..index);
        }
    }
    Some(start.end()..text.len())
}

/// The local URLs that are written out within the `proxy` of a Vite configuration, or given to a
/// name that is used there. One beside which the environment is asked is only for want of it.
fn targets(text: &str) -> Vec<Target> {
    let text = without_comments(text);
    let Some(block) = proxy_block(&text) else {
        return Vec::new();
    };
    let (Ok(url), Ok(named)) = (
        Regex::new(r"(?:https?|wss?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):(\d{1,5})"),
        Regex::new(r"(?:const|let|var)\s+([A-Za-z_$][\w$]*)[^=\n]*="),
    ) else {
        return Vec::new();
    };
    let used = |name: &str| {
        text[block.clone()]
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
            .any(|word| word == name)
    };
    let mut start = 0;
    let mut targets = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line_start = start;
        start += line.len() + 1;
        for found in url.captures_iter(line) {
            let (Some(whole), Some(port)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let inside = block.contains(&(line_start + whole.start()));
            let by_name = named
                .captures(line)
                .is_some_and(|name| name.get(1).is_some_and(|name| used(name.as_str())));
            let asks_environment = line[..whole.start()].contains("env");
            if let Ok(port) = port.as_str().parse()
                && (inside || by_name)
                && !asks_environment
            {
                targets.push(Target {
                    line: index + 1,
                    url: whole.as_str().to_owned(),
                    port,
                });
            }
        }
    }
    targets
}

/// Judges the targets of one frontend. `owner` tells whose a port is, `backends` are the services
/// that a frontend may mean, each with its port.
pub(super) fn judge(
    frontend: &str,
    config: &Config,
    owner: &dyn Fn(u16) -> PortOwner,
    backends: &[(String, u16)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for target in &config.targets {
        let place = format!("{}:{}", config.file, target.line);
        let whose = match owner(target.port) {
            PortOwner::Own(service) if service != frontend => {
                findings.push(
                    fine(
                        Check::Proxy,
                        frontend,
                        format!("passes requests on to {}, where `{service}` is", target.url),
                    )
                    .at(place),
                );
                continue;
            }
            PortOwner::Own(_) => "is its own port".to_owned(),
            PortOwner::Other(words) => format!("belongs to {words}"),
            // Where nothing here could be meant, it is somebody's business elsewhere.
            PortOwner::Nobody if backends.is_empty() => continue,
            PortOwner::Nobody => "is no service's of this checkout".to_owned(),
        };
        let meant: Vec<String> = backends
            .iter()
            .map(|(service, port)| format!("`{service}` is on {port}"))
            .collect();
        let variable = backends.first().map_or_else(
            || "BACKEND_URL".to_owned(),
            |(service, _)| {
                let name = portway_project::plan::identifier(service);
                format!("{}_URL", name.to_ascii_uppercase())
            },
        );
        let mut message = format!("passes requests on to {}, which {whose}", target.url);
        if !meant.is_empty() {
            message.push_str(&format!("; {}", meant.join(", ")));
        }
        findings.push(
            error(
                Check::Proxy,
                frontend,
                message,
                format!("write `process.env.{variable}` in the place of the URL: it is right in every checkout"),
            )
            .at(place),
        );
    }
    if config.targets.is_empty() {
        let message = "passes requests on without a port that is written out";
        findings.push(fine(Check::Proxy, frontend, message).at(config.file.clone()));
    }
    findings
}

#[cfg(test)]
mod tests;
