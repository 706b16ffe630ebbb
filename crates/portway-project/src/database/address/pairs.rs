//! Addresses that consist of keywords and values: those of libpq, separated by spaces, and those of
//! ADO.NET, separated by semicolons.

use std::ops::Range;

use super::{DatabaseAddress, Engine, Server, normalized};

/// A keyword in lower case without spaces, its value, and where the value is.
type Pair = (String, String, Range<usize>);

pub(super) fn parse(text: &str) -> Option<DatabaseAddress> {
    let is_ado = text.contains(';');
    let pairs = if is_ado {
        semicolons(text)
    } else {
        spaces(text)?
    };
    let find = |names: &[&str]| pairs.iter().find(|(name, ..)| names.contains(&&**name));
    let value = |names: &[&str]| find(names).map(|(_, value, _)| value.clone());
    let names: &[&str] = match is_ado {
        true => &["database", "initialcatalog"],
        false => &["dbname"],
    };
    let (_, name, name_at) = find(names)?;
    let host = value(&["host", "server", "hostaddr"]).or_else(|| value(&["datasource"]))?;
    let port = value(&["port"]);
    let is_npgsql = find(&["host", "username"]).is_some();
    let engine = match port.as_deref() {
        _ if !is_ado => Engine::Postgres,
        Some("3306") => Engine::Mysql,
        Some("5432") => Engine::Postgres,
        _ if is_npgsql => Engine::Postgres,
        _ if find(&["uid", "pwd"]).is_some() => Engine::Mysql,
        // It may be SQL Server.
        _ => return None,
    };
    Some(DatabaseAddress {
        server: Server {
            engine,
            host: normalized(&host),
            port: port.unwrap_or_else(|| engine.default_port().to_owned()),
        },
        host,
        user: value(&["user", "username", "userid", "uid"]).unwrap_or_default(),
        password: value(&["password", "pwd"]),
        name: name.clone(),
        options: pairs
            .iter()
            .map(|(name, value, _)| (name.clone(), value.clone()))
            .collect(),
        text: text.to_owned(),
        name_at: name_at.clone(),
        separator: "",
    })
}

/// Splits `Host=localhost;Database=shop`.
fn semicolons(text: &str) -> Vec<Pair> {
    let mut from = 0;
    let mut pairs = Vec::new();
    for part in text.split(';') {
        if let Some((name, value)) = part.split_once('=') {
            let at = from + name.len() + 1;
            let name = name.to_ascii_lowercase().replace(char::is_whitespace, "");
            let trimmed = value.trim();
            let start = at + (value.len() - value.trim_start().len());
            pairs.push((name, trimmed.to_owned(), start..start + trimmed.len()));
        }
        from += part.len() + 1;
    }
    pairs
}

/// Splits `host=localhost dbname='my shop'`; `None` if a word is no pair.
fn spaces(text: &str) -> Option<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return None;
        }
        let at = text.len() - after.len();
        let (raw, quote) = match after.strip_prefix('\'') {
            Some(inside) => (&inside[..inside.find('\'')?], 1),
            None => (after.split_whitespace().next().unwrap_or(""), 0),
        };
        // An escaped value is not one that can be replaced in place.
        if raw.contains('\\') {
            return None;
        }
        let start = at + quote;
        pairs.push((name.to_owned(), raw.to_owned(), start..start + raw.len()));
        rest = text[start + raw.len() + quote..].trim_start();
    }
    (!pairs.is_empty()).then_some(pairs)
}
