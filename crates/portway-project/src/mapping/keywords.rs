//! Addresses in keywords: those of libpq, `host=localhost port=5432 dbname=shop`, and those of ADO.NET,
//! `Host=localhost;Port=5432;Database=shop` and `Server=localhost,1433;Database=shop`.

use std::ops::Range;

use super::address::{is_any_address, is_this_machine};
use super::value::{MappedValue, Part};
use super::{AppVariable, Context, Endpoint};

/// Keys of the host.
const HOSTS: [&str; 5] = ["host", "server", "data source", "addr", "address"];

/// Keys that only the addresses of databases have. At least one of them is necessary.
const OTHERS: [&str; 16] = [
    "database",
    "dbname",
    "initial catalog",
    "integrated security",
    "password",
    "pooling",
    "pwd",
    "sslmode",
    "ssl mode",
    "trusted_connection",
    "trustservercertificate",
    "uid",
    "user",
    "user id",
    "username",
    "timezone",
];

/// The host and the port of an address in keywords.
struct Keywords {
    host: Range<usize>,
    /// The number and where it is.
    port: Option<(u16, Range<usize>)>,
}

/// Replaces the host and the port of a service in an address in keywords; `None` for every other value.
pub(super) fn map(
    context: &Context<'_>,
    variable: &AppVariable,
) -> Option<(MappedValue, Vec<String>)> {
    let text = &variable.value;
    let Keywords { host, port } = parse(text)?;
    let (number, port_at) = port?;
    let name = &text[host.clone()];
    let endpoint = owner(context, name, number)?;
    let service = endpoint.service.clone();
    let is_here = is_this_machine(name) && !is_any_address(name) && name != "host.docker.internal";
    let host = (!is_here).then(|| {
        let service = service.clone();
        (host.clone(), Part::Host { service })
    });
    let name_of_port = endpoint.name.clone();
    let port = Part::Port {
        service,
        name: name_of_port,
    };
    let mut parts: Vec<(Range<usize>, Part)> = host.into_iter().chain([(port_at, port)]).collect();
    parts.sort_by_key(|(at, _)| at.start);
    let mut value = MappedValue::default();
    let mut done = 0;
    for (at, part) in parts {
        value.push_literal(&text[done..at.start]);
        value.parts.push(part);
        done = at.end;
    }
    value.push_literal(&text[done..]);
    let meaning = match endpoint.usual.contains(&number) {
        true => super::context::number(number, endpoint),
        false => super::context::host_name(name, endpoint),
    };
    Some((value, vec![meaning]))
}

/// Returns the port that a host and a number stand for. Pages and APIs have no such addresses.
fn owner<'a>(context: &Context<'a>, host: &str, port: u16) -> Option<&'a Endpoint> {
    if !is_this_machine(host) {
        return context.by_alias_and_port(host, Some(port));
    }
    let is_usual = |one: &&Endpoint| one.usual.contains(&port) && !one.kind.is_http();
    let mut usual = context.endpoints.iter().filter(is_usual);
    usual.next().filter(|_| usual.next().is_none())
}

/// Returns where host and port are in an address in keywords.
fn parse(text: &str) -> Option<Keywords> {
    let separator = if text.contains(';') { ';' } else { ' ' };
    let mut host = None;
    let mut port = None;
    let mut is_database = false;
    let mut start = 0;
    for part in text.split(separator) {
        let at = start;
        start += part.len() + 1;
        let Some((key, value)) = part.split_once('=') else {
            continue;
        };
        let from = at + key.len() + 1 + (value.len() - value.trim_start().len());
        let value = value.trim().trim_end_matches(['"', '\'']);
        let key = key
            .trim()
            .trim_start_matches(['"', '\''])
            .to_ascii_lowercase();
        is_database |= OTHERS.contains(&key.as_str());
        if key == "port" {
            port = port.or(digits(value, from));
        } else if HOSTS.contains(&key.as_str()) && host.is_none() {
            // SQL Server has the port behind the host: `tcp:localhost,1433`.
            let skipped = if value.starts_with("tcp:") { 4 } else { 0 };
            let rest = &value[skipped..];
            let end = rest.find([',', ':']).unwrap_or(rest.len());
            let host_at = from + skipped..from + skipped + end;
            if end < rest.len() {
                port = port.or(digits(&rest[end + 1..], host_at.end + 1));
            }
            host = Some(host_at);
        }
    }
    let host = host.filter(|at| is_database && !at.is_empty())?;
    Some(Keywords { host, port })
}

fn digits(text: &str, from: usize) -> Option<(u16, Range<usize>)> {
    let port = text.parse().ok().filter(|port| *port > 0)?;
    Some((port, from..from + text.len()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{endpoint, mapped_among, templates};
    use crate::kind::Kind;

    #[test]
    fn maps_addresses_in_keywords() {
        let services = [
            endpoint("db", Kind::Postgres, &[5433, 5432]),
            endpoint("mssql", Kind::Tcp, &[1433]),
            endpoint("shop", Kind::Mysql, &[3306]),
            endpoint("api", Kind::Http, &[8000]),
        ];
        for (value, expected) in [
            (
                "host=localhost port=5432 user=u password=5432 dbname=d",
                Some("host=localhost port={db.port} user=u password=5432 dbname=d"),
            ),
            (
                "user=u dbname=d port=5432 host=db sslmode=disable",
                Some("user=u dbname=d port={db.port} host={db.host} sslmode=disable"),
            ),
            (
                "dbname=d host=db port=5432",
                Some("dbname=d host={db.host} port={db.port}"),
            ),
            (
                "Host=localhost;Port=5432;Database=d;Username=u;Password=5432",
                Some("Host=localhost;Port={db.port};Database=d;Username=u;Password=5432"),
            ),
            (
                "Server=127.0.0.1; Port = 3306; Database=d",
                Some("Server=127.0.0.1; Port = {shop.port}; Database=d"),
            ),
            (
                "Server=localhost,1433;Database=d;User Id=sa;Password=p;TrustServerCertificate=True",
                Some(
                    "Server=localhost,{mssql.port};Database=d;User Id=sa;Password=p;TrustServerCertificate=True",
                ),
            ),
            (
                "Data Source=tcp:mssql,1433;Initial Catalog=d",
                Some("Data Source=tcp:{mssql.host},{mssql.port};Initial Catalog=d"),
            ),
            ("Server=db.example.com,1433;Database=d", None),
            ("Server=localhost,1433;Other=d", None),
            ("host=localhost port=8000 user=u", None),
            ("host=localhost port=70000 user=u", None),
            ("host=localhost dbname=d", None),
            ("Server=;Database=d", None),
            ("Data Source=app.db;Database=d", None),
        ] {
            let found = templates(&mapped_among(&services, &[("DSN", value)]));
            let found = found.into_iter().map(|(_, value)| value).next();
            assert_eq!(found.as_deref(), expected, "{value}");
        }
    }
}
