//! Commands for Windows. The readers write commands for a POSIX shell; on Windows, `cmd.exe` runs them.
//!
//! A pure function from text to text. What only a POSIX shell can run stays as it is.

use super::DetectedService;
use super::text::quoted;

/// Rewrites the commands of all services for `cmd.exe`.
pub(super) fn apply(services: &mut [DetectedService]) {
    for service in services {
        match command(&service.command) {
            Some(command) => service.command = command,
            None => service
                .evidence
                .push("its command is for a POSIX shell, which Windows does not have".into()),
        }
        if let Some(prepare) = service.prepare.as_deref().and_then(command) {
            service.prepare = Some(prepare);
        }
        for line in &mut service.more {
            let table: Option<toml::Table> = line.parse().ok();
            let exec = table
                .as_ref()
                .and_then(|table| table.get("ready")?.get("exec")?.as_str());
            if let Some((exec, command)) = exec.and_then(|exec| Some((exec, command(exec)?))) {
                *line = line.replace(&quoted(exec), &quoted(&command));
            }
        }
    }
}

/// Returns a command of a POSIX shell as `cmd.exe` runs it; `None` if it needs a POSIX shell.
fn command(text: &str) -> Option<String> {
    // Quotes that keep `{port}` of another tool from being a placeholder.
    if ["{''", "{\"\""].iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let (before, create, after) = match text.split_once(FIND_PYTHON) {
        Some((before, rest)) => {
            let (minors, rest) = rest.split_once("; do ")?;
            let (search, rest) = rest.split_once("exit 1; }")?;
            let name = search.split_once(" -m venv ")?.1.split(' ').next()?;
            (before, create_venv(minors, name), rest)
        }
        None => (text, String::new(), ""),
    };
    let mut words = shlex::split(before)?;
    if !create.is_empty() {
        words.push(CREATE.into());
        words.extend(shlex::split(after)?);
    }
    let mut line = Line::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "&&" | "||" => line.operator(word),
            "[" if line.is_start => {
                let (flag, file, end, or) =
                    (words.next()?, words.next()?, words.next()?, words.next()?);
                if (flag, end, or) != ("-x", "]", "||") {
                    return None;
                }
                line.text += &format!("(if not exist {}.exe ", program(file));
                line.is_open = true;
            }
            "export" if line.is_start => line.set(words.next()?.strip_suffix(';')?)?,
            CREATE => line.word(&create),
            word if line.is_start
                && word.split_once('=').is_some_and(|(name, _)| is_name(name)) =>
            {
                line.set(word)?;
            }
            word if is_for_shell(word) => return None,
            word if line.is_start && (word.ends_with(".sh") || word.ends_with(".bash")) => {
                return None;
            }
            word if line.is_start => {
                line.word(&quote(&program(word)));
                line.is_start = false;
            }
            "/dev/null" => line.word("NUL"),
            word => line.word(&quote(&in_venv(word).unwrap_or_else(|| word.to_owned()))),
        }
    }
    Some(line.finish())
}

/// How the search for an interpreter that fits begins.
const FIND_PYTHON: &str = "for python in ";

/// Stands for the command that creates a venv.
const CREATE: &str = "\u{1}create";

/// The command that creates a venv with the first installed interpreter of these: `python3.13 python3`.
fn create_venv(interpreters: &str, name: &str) -> String {
    let versions = interpreters
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("python"))
        .filter(|version| version.contains('.'));
    let all: Vec<String> = versions
        .map(|version| format!("py -{version} -m venv {name}"))
        .collect();
    match &all[..] {
        [only] => only.clone(),
        all => format!("({})", all.join(" || ")),
    }
}

/// A command line of `cmd.exe`.
struct Line {
    text: String,
    /// Whether the next word starts a command.
    is_start: bool,
    /// Whether an `if` is open, which ends with the command after it.
    is_open: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            text: String::new(),
            is_start: true,
            is_open: false,
        }
    }
}

impl Line {
    fn word(&mut self, word: &str) {
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
        self.text += word;
    }

    fn operator(&mut self, operator: &str) {
        if std::mem::take(&mut self.is_open) {
            self.text.push(')');
        }
        self.word(operator);
        self.is_start = true;
    }

    /// Sets a variable for what follows; `None` if its value needs a POSIX shell.
    fn set(&mut self, assignment: &str) -> Option<()> {
        let (name, value) = assignment.split_once('=')?;
        // The parts that may name a variable of the shell: the rest must not.
        let (prefix, value, suffix) = match value.strip_prefix("$PWD") {
            Some(rest) => match rest.strip_suffix("/bin:$PATH") {
                Some(rest) => ("%CD%", rest.replace('/', "\\"), "\\Scripts;%PATH%"),
                None => ("%CD%", rest.replace('/', "\\"), ""),
            },
            None => ("", value.to_owned(), ""),
        };
        if is_for_shell(&value) || value.contains('"') {
            return None;
        }
        let value = format!("{prefix}{value}{suffix}");
        self.word(&format!("set \"{name}={value}\" &&"));
        Some(())
    }

    fn finish(mut self) -> String {
        if self.is_open {
            self.text.push(')');
        }
        self.text
    }
}

/// Returns whether a POSIX shell treats a word differently from `cmd.exe`.
fn is_for_shell(word: &str) -> bool {
    let is_operator = ["|", "&", "<", ">", ";", "(", ")", "{", "}", "!"].contains(&word);
    let redirects = word.starts_with(['<', '>']) || word.starts_with("2>");
    is_operator || redirects || word.ends_with(';') || word.contains(['$', '`', '\n', '*', '%'])
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Wrappers of build tools, and their files for Windows.
const WRAPPERS: [(&str, &str); 2] = [("mvnw", "mvnw.cmd"), ("gradlew", "gradlew.bat")];

/// Returns a program as Windows names it.
fn program(path: &str) -> String {
    if path == "python3" {
        return "python".into();
    }
    if let Some(path) = in_venv(path) {
        return path;
    }
    let (place, name) = path.rsplit_once('/').unwrap_or(("", path));
    if place == "bin" {
        // Scripts of Ruby have no file for Windows beside them.
        return format!("ruby {}", path.replace('/', "\\"));
    }
    let wrapper = WRAPPERS.iter().find(|(known, _)| *known == name);
    let name = wrapper.map_or(name, |(_, name)| name);
    match place {
        "" | "." => name.to_owned(),
        place => format!("{}\\{name}", place.replace('/', "\\")),
    }
}

/// Returns the path of a program of a venv: `.venv/bin/x` is `.venv\Scripts\x`.
fn in_venv(path: &str) -> Option<String> {
    let (venv, program) = path.split_once("/bin/")?;
    let is_venv = venv
        .split('/')
        .any(|part| part.trim_start_matches('.').ends_with("env"));
    is_venv.then(|| format!("{}\\Scripts\\{program}", venv.replace('/', "\\")))
}

/// Quotes a word for `cmd.exe` and for the programs that parse their own command line.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./\\:=@+,-{}~#".contains(c);
    let is_ruby = word.starts_with("ruby bin\\");
    match !word.is_empty() && (is_ruby || word.chars().all(is_plain)) {
        true => word.to_owned(),
        false => format!("\"{}\"", word.replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{checkout, checkout_on_windows};

    #[test]
    fn rewrites_commands_for_cmd() {
        for (text, expected) in [
            (
                "npm run dev -- --port {port}",
                "npm run dev -- --port {port}",
            ),
            (
                "HOST='a b' X=1 node server.js",
                "set \"HOST=a b\" && set \"X=1\" && node server.js",
            ),
            (
                ".venv/bin/uvicorn app:app --host {host}",
                ".venv\\Scripts\\uvicorn app:app --host {host}",
            ),
            ("python3 -m uvicorn app:app", "python -m uvicorn app:app"),
            (
                "[ -x .venv/bin/pip ] || python3 -m venv .venv && .venv/bin/python -m pip install -q 'fastapi[standard]>=1'",
                "(if not exist .venv\\Scripts\\pip.exe python -m venv .venv) && .venv\\Scripts\\python -m pip install -q \"fastapi[standard]>=1\"",
            ),
            (
                "export PATH=\"$PWD/.venv/bin:$PATH\"; celery -A app worker",
                "set \"PATH=%CD%\\.venv\\Scripts;%PATH%\" && celery -A app worker",
            ),
            (
                "UV_PROJECT_ENVIRONMENT=\"$PWD/.venv\" .venv/uv/bin/uv sync",
                "set \"UV_PROJECT_ENVIRONMENT=%CD%\\.venv\" && .venv\\uv\\Scripts\\uv sync",
            ),
            (
                "go build -o /dev/null ./cmd/api",
                "go build -o NUL ./cmd/api",
            ),
            ("./mvnw spring-boot:run", "mvnw.cmd spring-boot:run"),
            ("../gradlew -p .. bootRun", "..\\gradlew.bat -p .. bootRun"),
            (
                "bin/rails server -p {port}",
                "ruby bin\\rails server -p {port}",
            ),
            (
                "npm exec -- tsx 'src/a b.ts'",
                "npm exec -- tsx \"src/a b.ts\"",
            ),
            (
                "portway compose run --publish {host}:{port}:5432 db",
                "portway compose run --publish {host}:{port}:5432 db",
            ),
        ] {
            assert_eq!(command(text).as_deref(), Some(expected), "{text}");
        }
        for text in [
            "gunicorn app --bind :$PORT",
            "export PATH=\"$PWD/.venv/bin:$PATH\"; ./bin/start.sh",
            "for x in *; do y; done",
            "a | b",
            "awk '{print $1}' x",
            "echo {''port}",
            "echo 'unclosed",
            "sleep 1; node x",
        ] {
            assert_eq!(command(text), None, "{text}");
        }
    }

    #[test]
    fn each_system_gets_its_own_commands() {
        let files = [
            (
                "api/pyproject.toml",
                "[project]\nname = \"x\"\nrequires-python = \">=3.12,<3.14\"\ndependencies = [\"fastapi\"]\n",
            ),
            (
                "api/main.py",
                "from fastapi import FastAPI\napp = FastAPI()\n",
            ),
            ("Procfile.dev", ""),
        ];
        let of = |services: Vec<DetectedService>| {
            let one = services.into_iter().next().unwrap();
            (one.command, one.prepare.unwrap())
        };
        let (command, prepare) = of(checkout(&files, &["python3"]).services);
        assert!(
            command.starts_with(".venv/bin/uvicorn main:app "),
            "{command}"
        );
        assert!(
            prepare.contains("for python in python3 python3.13"),
            "{prepare}"
        );
        let (command, prepare) = of(checkout_on_windows(&files, &["python"]).services);
        assert!(
            command.starts_with(".venv\\Scripts\\uvicorn main:app "),
            "{command}"
        );
        assert_eq!(
            prepare,
            "(if not exist .venv\\Scripts\\pip.exe (py -3.13 -m venv .venv || py -3.12 -m venv .venv)) && \
             .venv\\Scripts\\python -m pip install -q fastapi uvicorn"
        );
    }

    #[test]
    fn the_check_of_a_container_is_rewritten_too() {
        let compose = "services: {db: {image: postgres, healthcheck: {test: [CMD-SHELL, 'pg_isready -U x']}}}";
        let found = checkout_on_windows(&[("compose.yml", compose)], &["docker"]);
        let ready = found.services[0]
            .more
            .iter()
            .find(|line| line.starts_with("ready"));
        assert_eq!(
            ready.map(String::as_str),
            Some(
                "ready = { exec = 'portway compose exec sh -c \"pg_isready -U x\"', timeout = \"2m\" }"
            )
        );
    }
}
