//! Finds the port that the program of a command listens on, from its arguments.

use portway_project::kind::Kind;
use portway_project::preferences::Preferences;

use super::written::{CLIENTS, FLAGS, named_variable, written};

/// The port that a command's program listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listens {
    /// The value of PORT; with the reason.
    WherePortSays(String),
    /// The value of another variable.
    WhereVariableSays(String),
    /// A fixed port; with the reason.
    At(u16, String),
    /// The command does not say.
    Unknown,
}

/// How a program gets its port if no argument sets it.
#[derive(Clone, Copy)]
enum Program {
    /// From the variable PORT.
    ReadsPort,
    /// From another variable.
    Reads(&'static str),
    /// Only from arguments; this is its default.
    Fixed(u16),
}

/// Programs by the words of their commands; other words may be in between.
const PROGRAMS: [(&[&str], Program); 24] = [
    (&["rails", "server"], Program::ReadsPort),
    (&["rails", "s"], Program::ReadsPort),
    (&["puma"], Program::ReadsPort),
    (&["gunicorn"], Program::ReadsPort),
    (&["next", "dev"], Program::ReadsPort),
    (&["next", "start"], Program::ReadsPort),
    (&["nuxt", "dev"], Program::ReadsPort),
    (&["react-scripts", "start"], Program::ReadsPort),
    (&["mix", "phx.server"], Program::ReadsPort),
    (&["uvicorn"], Program::Reads("UVICORN_PORT")),
    (&["flask", "run"], Program::Reads("FLASK_RUN_PORT")),
    (&["artisan", "serve"], Program::Reads("SERVER_PORT")),
    (
        &["streamlit", "run"],
        Program::Reads("STREAMLIT_SERVER_PORT"),
    ),
    (&["manage.py", "runserver"], Program::Fixed(8000)),
    (&["hypercorn"], Program::Fixed(8000)),
    (&["rackup"], Program::Fixed(9292)),
    (&["jekyll", "serve"], Program::Fixed(4000)),
    (&["hugo", "server"], Program::Fixed(1313)),
    (&["vite", "build"], Program::Fixed(0)),
    (&["vite"], Program::Fixed(5173)),
    (&["astro", "dev"], Program::Fixed(4321)),
    (&["ng", "serve"], Program::Fixed(4200)),
    (&["webpack", "serve"], Program::Fixed(8080)),
    (&["http.server"], Program::Fixed(8000)),
];

/// Arguments that are followed by an address to connect to.
const CALL_FLAGS: [&str; 7] = [
    "--base-url",
    "--endpoint",
    "--forward-to",
    "--proxy",
    "--target",
    "--upstream",
    "--url",
];

/// Returns whether a command mentions `$PORT` only as the port of an address that it connects to.
pub(super) fn only_calls(command: &str) -> bool {
    let words: Vec<&str> = command.split_whitespace().collect();
    let program = |word: &&str| CLIENTS.contains(&word.rsplit('/').next().unwrap_or(word));
    let is_client = words.iter().take(3).any(program);
    let mut mentions = words
        .iter()
        .enumerate()
        .filter(|(_, word)| mentions_port(word))
        .peekable();
    mentions.peek().is_some()
        && mentions.all(|(index, word)| {
            let before = index.checked_sub(1).and_then(|index| words.get(index));
            let flag = word
                .split_once('=')
                .map(|(flag, _)| flag)
                .or(before.copied());
            let flag = flag.unwrap_or("");
            let (address, path) = word.split_once("PORT").unwrap_or((word, ""));
            let is_address =
                address.contains("://") || path.trim_start_matches('}').starts_with('/');
            !FLAGS.contains(&flag) && (is_client || CALL_FLAGS.contains(&flag) || is_address)
        })
}

/// Replaces `$PORT` and `${PORT…}` in a command.
pub(super) fn replace_port(command: &str, with: &str) -> String {
    let mut text = String::new();
    let mut rest = command;
    while let Some(at) = rest
        .find("$PORT")
        .into_iter()
        .chain(rest.find("${PORT"))
        .min()
    {
        text += &rest[..at];
        let after = &rest[at..];
        let end = match after.starts_with("${") {
            true => after.find('}').map_or(after.len(), |end| end + 1),
            false => "$PORT".len(),
        };
        let is_longer = after[end..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        text += match is_longer && !after.starts_with("${") {
            true => &after[..end],
            false => with,
        };
        rest = &after[end..];
    }
    text + rest
}

/// Finds the port that the program of `command` listens on; `kind` is its assumed kind.
pub(crate) fn listens(command: &str, kind: Kind) -> Listens {
    if mentions_port(command) {
        return Listens::WherePortSays("its command uses `$PORT`".into());
    }
    if let Some(port) = written(command) {
        return Listens::At(
            port,
            format!("its command requires port {port}; use `$PORT` instead to allow any port"),
        );
    }
    if let Some((variable, _)) = named_variable(command) {
        return Listens::WhereVariableSays(variable.to_owned());
    }
    // A kind other than HTTP was inferred from a program that has its own port.
    let data = Preferences::default()
        .range(kind, "")
        .filter(|_| !kind.is_http());
    if let Some(range) = data.filter(|_| Kind::infer("", command) == kind) {
        let port = range.first();
        let why = format!("its program listens on {port} unless its command has `--port $PORT`");
        return Listens::At(port, why);
    }
    let words: Vec<&str> = command
        .split(|c: char| c.is_whitespace() || c == '/')
        .collect();
    let is_in = |pattern: &[&str]| {
        let mut words = words.iter();
        pattern.iter().all(|part| words.any(|word| word == part))
    };
    let known = PROGRAMS.iter().find(|(pattern, _)| is_in(pattern));
    match known.map(|(pattern, program)| (pattern.join(" "), *program)) {
        Some((program, Program::ReadsPort)) => {
            Listens::WherePortSays(format!("`{program}` reads `PORT`"))
        }
        Some((_, Program::Reads(variable))) => Listens::WhereVariableSays(variable.to_owned()),
        Some((_, Program::Fixed(0))) | None => Listens::Unknown,
        Some((program, Program::Fixed(port))) => {
            let why = format!(
                "`{program}` listens on {port} unless its command sets another port; use `$PORT` there to allow any port"
            );
            Listens::At(port, why)
        }
    }
}

/// Returns whether a command contains `$PORT` or `${PORT…}`.
pub(crate) fn mentions_port(command: &str) -> bool {
    command.match_indices("PORT").any(|(at, _)| {
        let (before, after) = (&command[..at], &command[at + 4..]);
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        ends && (before.ends_with('$') || before.ends_with("${"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinguishes_addresses_to_call_from_addresses_to_listen_on() {
        for (command, expected) in [
            ("stripe listen --forward-to localhost:$PORT/webhooks", true),
            ("npx wait-on http://localhost:${PORT:-3000}", true),
            ("node warm.js http://127.0.0.1:$PORT/", true),
            ("proxy --target=localhost:$PORT", true),
            ("ngrok http $PORT", true),
            ("gunicorn --bind tcp://0.0.0.0:$PORT app:app", false),
            ("python3 -m http.server $PORT --bind 127.0.0.1", false),
            ("node x.js --port $PORT --url http://localhost:$PORT", false),
            ("ngrok http 3000", false),
        ] {
            assert_eq!(only_calls(command), expected, "{command}");
        }
    }

    #[test]
    fn replaces_the_variable_only() {
        for (command, expected) in [
            ("a :$PORT/x ${PORT:-3000} $PORT", "a :N/x N N"),
            ("$PORTS ${PORT}", "$PORTS N"),
            ("none", "none"),
        ] {
            assert_eq!(replace_port(command, "N"), expected);
        }
    }

    #[test]
    fn recognizes_programs_by_their_words() {
        let at = |command: &str| listens(command, Kind::infer("x", command));
        assert!(matches!(
            at("env X=1 bin/rails server"),
            Listens::WherePortSays(_)
        ));
        assert!(matches!(
            at("a -p ${PORT:-3000}"),
            Listens::WherePortSays(_)
        ));
        assert_eq!(
            at("flask --app x run"),
            Listens::WhereVariableSays("FLASK_RUN_PORT".into())
        );
        assert!(matches!(at("npx vite"), Listens::At(5173, _)));
        assert!(matches!(at("redis-server"), Listens::At(6379, _)));
        for command in [
            "npx vite build --watch",
            "bin/rails tailwindcss:watch",
            "echo $PORTS",
            "",
        ] {
            assert_eq!(at(command), Listens::Unknown, "{command}");
        }
    }
}
