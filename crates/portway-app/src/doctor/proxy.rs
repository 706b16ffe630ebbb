//! Checks the proxy targets of a frontend's development server. Its configuration is read as text and
//! never run.

use std::path::Path;

use portway_api::{Check, Finding};
use portway_detect::javascript::without_comments;
use portway_project::user_file;
use regex_lite::Regex;

use super::context::PortOwner;
use super::finding_builder::{FindingExt, error, fine};

/// Names of Vite's configuration file, in order of precedence.
const VITE: [&str; 6] = [
    "vite.config.js",
    "vite.config.mjs",
    "vite.config.ts",
    "vite.config.cjs",
    "vite.config.mts",
    "vite.config.cts",
];

/// Configuration files of other development servers, and the word that configures a proxy.
const OTHER_FILES: [(&str, &str); 10] = [
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

/// A literal local URL as the target of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The line number, from 1.
    pub(super) line: usize,
    /// The URL up to and including its port.
    pub(super) url: String,
    /// Its port.
    pub(super) port: u16,
}

/// The proxy configuration of a frontend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Config {
    /// The file.
    pub(super) file: String,
    /// Its literal targets.
    pub(super) targets: Vec<Target>,
}

/// Reads the configuration in a frontend's directory; `None` if it has no proxy.
pub(super) fn collect(dir: &Path) -> Option<Config> {
    let text = |name: &str| user_file::read_text(&dir.join(name)).ok();
    let config = |name: &str, targets| Config {
        file: dir.join(name).display().to_string(),
        targets,
    };
    if let Some((name, text)) = VITE.iter().find_map(|name| Some((name, text(name)?)))
        && proxy_block(&without_comments(&text)).is_some()
    {
        return Some(config(name, targets(&text)));
    }
    // Their formats differ too much to read targets.
    OTHER_FILES
        .iter()
        .find(|(name, word)| text(name).is_some_and(|text| text.contains(word)))
        .map(|(name, _)| config(name, Vec::new()))
}

/// Returns the byte range between the braces of the first `proxy: { … }`.
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

/// Finds literal local URLs in the `proxy` of a Vite configuration, or in a constant that is used there.
/// A URL that is only the default of an environment variable does not count.
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

/// Evaluates the targets of one frontend. `owner` returns the owner of a port, `backends` are the
/// services that the frontend may call, with their ports.
pub(super) fn evaluate(
    frontend: &str,
    config: &Config,
    owner: &dyn Fn(u16) -> PortOwner,
    backends: &[(String, u16)],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for target in &config.targets {
        let place = format!("{}:{}", config.file, target.line);
        let problem = match owner(target.port) {
            PortOwner::Own(service) if service != frontend => {
                findings.push(
                    fine(
                        Check::Proxy,
                        frontend,
                        format!(
                            "forwards requests to {}, the URL of `{service}`",
                            target.url
                        ),
                    )
                    .at(place),
                );
                continue;
            }
            PortOwner::Own(_) => "is its own port".to_owned(),
            PortOwner::Other(words) => format!("belongs to {words}"),
            // Without backends, the target must be outside this project.
            PortOwner::None if backends.is_empty() => continue,
            PortOwner::None => "belongs to no service of this checkout".to_owned(),
        };
        let candidates: Vec<String> = backends
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
        let mut message = format!("forwards requests to {}, which {problem}", target.url);
        if !candidates.is_empty() {
            message.push_str(&format!("; {}", candidates.join(", ")));
        }
        findings.push(
            error(
                Check::Proxy,
                frontend,
                message,
                format!("replace the URL with `process.env.{variable}`, which is correct in every checkout"),
            )
            .at(place),
        );
    }
    if config.targets.is_empty() {
        let message = "forwards requests without a literal port";
        findings.push(fine(Check::Proxy, frontend, message).at(config.file.clone()));
    }
    findings
}

#[cfg(test)]
mod tests;
