//! Placeholders in commands and environment values: `{port}`, `{backend.url}`.
//!
//! A placeholder is a known word in braces, or a name and a property. All other braces stay
//! unchanged, as in `awk '{print}'`, `${HOME}` and JSON.

use crate::suggest::suggestion;

/// The properties of a service.
const PROPERTIES: [&str; 3] = ["port", "host", "url"];
/// The tables of a service with its named ports and their URLs.
const TABLES: [&str; 2] = ["ports", "urls"];
/// All placeholders of one word.
const WORDS: [&str; 8] = [
    "name", "instance", "project", "branch", "origins", "port", "host", "url",
];

/// The value that a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property<'a> {
    /// The service's own name.
    Name,
    /// The name of the instance.
    Instance,
    /// The name of the project, as a label of a host name.
    Project,
    /// The branch of the checkout, as a label of a host name; empty without one.
    Branch,
    /// The origins that may call the backends of this instance, separated by commas.
    Origins,
    /// The address that it binds and that others connect to.
    Host,
    /// A port: the main port, or the one with this name.
    Port(Option<&'a str>),
    /// The URL of the main port, or of the port with this name.
    Url(Option<&'a str>),
}

/// An invalid placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// The index of its first byte in the template.
    pub at: usize,
    /// Its length in bytes.
    pub length: usize,
    /// What is wrong, without a final period.
    pub message: String,
    /// How to fix it.
    pub help: String,
}

/// Expands the placeholders of `template` for the service `own`.
///
/// `services` are the names of all services. `value` returns a property of a service, or `None` if
/// the service does not have it. Its last argument is the word of the template, between spaces, that
/// contains the placeholder.
///
/// # Errors
/// When a placeholder names a service or a property that does not exist.
pub fn expand(
    template: &str,
    own: &str,
    services: &[&str],
    mut value: impl FnMut(&str, Property<'_>, &str) -> Option<String>,
) -> Result<String, TemplateError> {
    let mut expanded = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        expanded.push_str(before);
        let Some(close) = from.find('}') else {
            rest = from;
            break;
        };
        let inside = &from[1..close];
        let is_shell_variable = before.ends_with('$');
        match parse(inside, own, services).filter(|_| !is_shell_variable) {
            None => {
                // Skips only the brace: another placeholder may start before the next `}`.
                expanded.push('{');
                rest = &from[1..];
            }
            Some(parsed) => {
                let at = template.len() - from.len();
                let fail = |(message, help)| TemplateError {
                    at,
                    length: close + 1,
                    message,
                    help,
                };
                let (service, property) = parsed.map_err(fail)?;
                let text = value(service, property, word_at(template, at))
                    .ok_or_else(|| fail(missing(service, property)))?;
                expanded.push_str(&text);
                rest = &from[close + 1..];
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The word that contains the byte at this index.
fn word_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind(char::is_whitespace).map_or(0, |space| {
        let width = text[space..].chars().next().map_or(1, char::len_utf8);
        space + width
    });
    let end = text[at..].find(char::is_whitespace);
    &text[start..end.map_or(text.len(), |end| at + end)]
}

type Parsed<'a> = Result<(&'a str, Property<'a>), (String, String)>;

/// Parses the text between two braces. `None` if it is not a placeholder.
fn parse<'a>(inside: &'a str, own: &'a str, services: &[&str]) -> Option<Parsed<'a>> {
    let parts: Vec<&str> = inside.split('.').collect();
    let is_word = |part: &&str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !parts.iter().all(is_word) {
        return None;
    }
    match parts.as_slice() {
        ["name"] => Some(Ok((own, Property::Name))),
        ["instance"] => Some(Ok((own, Property::Instance))),
        ["project"] => Some(Ok((own, Property::Project))),
        ["branch"] => Some(Ok((own, Property::Branch))),
        ["origins"] => Some(Ok((own, Property::Origins))),
        [word] => match simple(word) {
            Some(property) => Some(Ok((own, property))),
            None => transposed(word).map(|known| {
                Err((
                    format!("`{{{inside}}}` is not a placeholder"),
                    format!("did you mean `{{{known}}}`?"),
                ))
            }),
        },
        [table, port] if TABLES.contains(table) => Some(Ok((own, named(table, port)))),
        [service, table] if services.contains(service) && TABLES.contains(table) => Some(Err((
            format!("`{{{inside}}}` names no port"),
            format!("add its name: `{{{inside}.NAME}}`"),
        ))),
        [service, property] if services.contains(service) => Some(
            simple(property)
                .map(|property| (*service, property))
                .ok_or_else(|| unknown(service, "property", property, &PROPERTIES)),
        ),
        [service, table, port] if services.contains(service) => Some(if TABLES.contains(table) {
            Ok((service, named(table, port)))
        } else {
            Err(unknown(service, "table", table, &TABLES))
        }),
        ["port" | "url", name] => Some(Err((
            format!("`{{{inside}}}` names a service that does not exist"),
            format!("a port with a name is `{{{}s.{name}}}`", parts[0]),
        ))),
        // `{bakend.url}` is a misspelled placeholder: nothing else in a command has this form.
        [service, property, ..] if PROPERTIES.contains(property) || TABLES.contains(property) => {
            let help = suggestion(service, services.iter().copied());
            Some(Err((
                format!("`{{{inside}}}` names a service that does not exist"),
                help,
            )))
        }
        _ => None,
    }
}

/// Returns the placeholder whose letters `word` has in another order, as `prot` has those of `port`.
/// Other words close to a placeholder may well be meant, such as `{post}`.
fn transposed(word: &str) -> Option<&'static str> {
    let letters = |word: &str| {
        let mut letters = word.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    let of_word = letters(word);
    WORDS.into_iter().find(|known| letters(known) == of_word)
}

fn simple(property: &str) -> Option<Property<'static>> {
    match property {
        "port" => Some(Property::Port(None)),
        "host" => Some(Property::Host),
        "url" => Some(Property::Url(None)),
        _ => None,
    }
}

fn named<'a>(table: &str, port: &'a str) -> Property<'a> {
    if table == "ports" {
        Property::Port(Some(port))
    } else {
        Property::Url(Some(port))
    }
}

/// The message and help for an unknown property or table of a service.
fn unknown(service: &str, what: &str, name: &str, known: &[&str]) -> (String, String) {
    (
        format!("service `{service}` has no {what} `{name}`"),
        suggestion(name, known.iter().copied()),
    )
}

fn missing(service: &str, property: Property<'_>) -> (String, String) {
    match property {
        Property::Port(Some(name)) | Property::Url(Some(name)) => (
            format!("service `{service}` has no port named `{name}`"),
            format!("add it to `[services.{service}.ports]`"),
        ),
        _ => (
            format!("service `{service}` has no port"),
            format!("add one: `port = \"9100-9199\"` in `[services.{service}]`"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand_example(template: &str) -> Result<String, TemplateError> {
        expand(
            template,
            "web",
            &["web", "backend", "worker"],
            |service, property, _| {
                let port = match service {
                    "web" => 5173,
                    "backend" => 9000,
                    _ => return None,
                };
                match property {
                    Property::Name => Some(service.into()),
                    Property::Instance => Some("fix.shop".into()),
                    Property::Project => Some("shop".into()),
                    Property::Branch => Some("fix".into()),
                    Property::Origins => Some("http://a,http://b".into()),
                    Property::Host => Some("127.0.0.1".into()),
                    Property::Port(None) => Some(port.to_string()),
                    Property::Url(None) => Some(format!("http://localhost:{port}")),
                    Property::Port(Some("metrics")) => Some("9100".into()),
                    Property::Url(Some("metrics")) => Some("http://localhost:9100".into()),
                    _ => None,
                }
            },
        )
    }

    #[test]
    fn expands_the_name_of_the_instance() {
        assert_eq!(
            expand_example("postgres://localhost/{instance}").unwrap(),
            "postgres://localhost/fix.shop"
        );
        assert_eq!(expand_example("${instance}").unwrap(), "${instance}");
        assert_eq!(
            expand_example("{project}_{branch} {origins}").unwrap(),
            "shop_fix http://a,http://b"
        );
    }

    #[test]
    fn expands_properties_of_all_services() {
        for (template, expanded) in [
            (
                "{name} {host}:{port} {url}",
                "web 127.0.0.1:5173 http://localhost:5173",
            ),
            (
                "--api={backend.url}/v1 {backend.port}",
                "--api=http://localhost:9000/v1 9000",
            ),
            (
                "{ports.metrics} {backend.urls.metrics}",
                "9100 http://localhost:9100",
            ),
            ("{port}{port}", "51735173"),
        ] {
            assert_eq!(expand_example(template).as_deref(), Ok(expanded));
        }
    }

    #[test]
    fn the_word_of_a_placeholder_ends_at_spaces() {
        let mut words = Vec::new();
        let template = "serve\t-p={port} --at http://{host}:{port}/x {port}";
        let result = expand(template, "web", &["web"], |_, _, word| {
            words.push(word.to_owned());
            Some(String::new())
        });
        assert!(result.is_ok());
        let url = "http://{host}:{port}/x";
        assert_eq!(words, ["-p={port}", url, url, "{port}"]);
    }

    #[test]
    fn other_braces_stay_unchanged() {
        for template in [
            "awk '{print}'",
            "awk '{print $1}' | sed s/{/}/",
            "${port} ${HOME}",
            r#"echo '{"port": 1}'"#,
            "f() { :; }; f",
            "{a,b}{1..3}",
            "{",
            "}{",
            "{}",
            "{unknown}",
            "/posts/{post}",
            "{a.b}",
        ] {
            assert_eq!(expand_example(template).as_deref(), Ok(template));
        }
        assert_eq!(
            expand_example("awk '{print {port}}'").as_deref(),
            Ok("awk '{print 5173}'")
        );
    }

    #[test]
    fn a_misspelled_placeholder_is_an_error_with_a_suggestion() {
        let error = expand_example("curl {bakend.url}").unwrap_err();
        assert_eq!((error.at, error.length), (5, 12));
        assert_eq!(error.help, "did you mean `backend`?");
        assert_eq!(
            expand_example("{backend.prot}").unwrap_err().help,
            "did you mean `port`?"
        );
        assert!(
            expand_example("{worker.port}")
                .unwrap_err()
                .message
                .contains("`worker` has no port")
        );
        assert!(
            expand_example("{backend.ports.admin}")
                .unwrap_err()
                .message
                .contains("no port named `admin`")
        );
        assert_eq!(
            expand_example("{backend.port.metrics}").unwrap_err().help,
            "did you mean `ports`?"
        );
        for (template, help) in [
            ("{prot}", "did you mean `{port}`?"),
            ("--base={ulr}", "did you mean `{url}`?"),
            ("{port.metrics}", "a port with a name is `{ports.metrics}`"),
            ("{url.metrics}", "a port with a name is `{urls.metrics}`"),
        ] {
            assert_eq!(expand_example(template).unwrap_err().help, help);
        }
        assert_eq!(
            expand_example("{backend.ports}").unwrap_err().help,
            "add its name: `{backend.ports.NAME}`"
        );
    }
}
