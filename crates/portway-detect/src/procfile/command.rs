//! Where the program of a command listens, as far as the command tells.

use portway_project::kind::Kind;
use portway_project::preferences::Preferences;

/// Where a command's program listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listens {
    /// At the port that the variable PORT names; with the reason.
    WherePortSays(String),
    /// At the port that another variable names.
    WhereVariableSays(&'static str),
    /// At one port, whatever it is told; with the reason.
    At(u16, String),
    /// The command does not tell.
    Unknown,
}

/// How a program gets its port when its arguments do not say it.
#[derive(Clone, Copy)]
enum Program {
    /// From the variable PORT.
    ReadsPort,
    /// From another variable.
    Reads(&'static str),
    /// From arguments alone; else it takes this one.
    Insists(u16),
}

/// Programs by the words of their commands, which may have others between them.
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
    (&["manage.py", "runserver"], Program::Insists(8000)),
    (&["hypercorn"], Program::Insists(8000)),
    (&["rackup"], Program::Insists(9292)),
    (&["jekyll", "serve"], Program::Insists(4000)),
    (&["hugo", "server"], Program::Insists(1313)),
    (&["vite", "build"], Program::Insists(0)),
    (&["vite"], Program::Insists(5173)),
    (&["astro", "dev"], Program::Insists(4321)),
    (&["ng", "serve"], Program::Insists(4200)),
    (&["webpack", "serve"], Program::Insists(8080)),
    (&["http.server"], Program::Insists(8000)),
];

/// Arguments behind which the port to listen at stands, alone or behind an address.
const FLAGS: [&str; 10] = [
    "--port",
    "-p",
    "--bind",
    "-b",
    "--listen",
    "--addr",
    "-addr",
    "-port",
    "--server.port",
    "PORT",
];

/// Words behind which it stands as an argument of its own.
const WORDS: [&str; 2] = ["runserver", "http.server"];

/// Where the program of `command` listens; `kind` is what it is taken for.
pub(crate) fn listens(command: &str, kind: Kind) -> Listens {
    if mentions_port(command) {
        return Listens::WherePortSays("its command has $PORT".into());
    }
    if let Some(port) = written(command) {
        return Listens::At(
            port,
            format!("its command insists on {port}; with $PORT in its place it takes any"),
        );
    }
    // What another kind than HTTP is known by has a port of its own.
    let data = Preferences::default()
        .range(kind, "")
        .filter(|_| !kind.is_http());
    if let Some(range) = data.filter(|_| Kind::infer("", command) == kind) {
        let port = range.first();
        let why = format!("its program listens at {port} unless its command says `--port $PORT`");
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
            Listens::WherePortSays(format!("`{program}` reads PORT"))
        }
        Some((_, Program::Reads(variable))) => Listens::WhereVariableSays(variable),
        Some((_, Program::Insists(0))) | None => Listens::Unknown,
        Some((program, Program::Insists(port))) => {
            let why = format!(
                "`{program}` listens at {port} unless its command has another; with $PORT there it takes any"
            );
            Listens::At(port, why)
        }
    }
}

/// Whether a command has `$PORT` or `${PORT…}`.
pub(crate) fn mentions_port(command: &str) -> bool {
    command.match_indices("PORT").any(|(at, _)| {
        let (before, after) = (&command[..at], &command[at + 4..]);
        let ends = !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        ends && (before.ends_with('$') || before.ends_with("${"))
    })
}

/// The port that a command says in so many digits.
pub(crate) fn written(command: &str) -> Option<u16> {
    let mut words = command.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word, words.peek().copied()),
        };
        if (FLAGS.contains(&flag) || WORDS.contains(&flag))
            && let Some(port) = value.and_then(port_of)
        {
            return Some(port);
        }
    }
    None
}

/// The port of `8000`, `:8000`, `0.0.0.0:8000` or `tcp://[::]:8000`.
fn port_of(value: &str) -> Option<u16> {
    let value = value.trim_matches(['\'', '"']);
    let digits = value.rsplit(':').next()?;
    let port: u16 = digits.parse().ok()?;
    // `-p 4` of some other program is none.
    (port == 80 || port >= 1024).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_commands_are_read() {
        for (command, port) in [
            ("node server.js --port 3001", Some(3001)),
            ("bin/rails s -p 3000", Some(3000)),
            ("gunicorn --bind=0.0.0.0:8001 app", Some(8001)),
            ("uvicorn app:app --port '8002'", Some(8002)),
            ("PORT=4000 node x.js", Some(4000)),
            ("python manage.py runserver 0.0.0.0:8003", Some(8003)),
            ("stripe listen --forward-to localhost:3000/hook", None),
            ("make -p 4", None),
            ("x --port $PORT", None),
            ("x --port", None),
        ] {
            assert_eq!(written(command), port, "{command}");
        }
    }

    #[test]
    fn programs_are_known_by_their_words() {
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
            Listens::WhereVariableSays("FLASK_RUN_PORT")
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
