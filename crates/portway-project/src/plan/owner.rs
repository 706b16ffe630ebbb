//! Whose process listens on the port of a service, if the manifest does not say.

use crate::policy::ListenerOwner;

const ENGINES: [&str; 5] = [
    "docker",
    "podman",
    "docker-compose",
    "podman-compose",
    "nerdctl",
];

/// The port of a container is served by the engine's proxy, which is not a child of the command. It is
/// published by the command that contains the port's placeholder, or else by the last one.
pub(super) fn default_owner(command: &str) -> ListenerOwner {
    match runs_container(command) {
        true => ListenerOwner::Any,
        false => ListenerOwner::Tree,
    }
}

/// Whether a container engine publishes the port of a service with this command.
pub(super) fn runs_container(command: &str) -> bool {
    let commands = simple_commands(command);
    let has_placeholder =
        |command: &&&str| command.contains("{port}") || command.contains("{ports.");
    let publishing = commands.iter().find(has_placeholder);
    publishing
        .or(commands.last())
        .is_some_and(|command| runs_engine(command))
}

fn runs_engine(command: &str) -> bool {
    let mut words = command
        .split_whitespace()
        .skip_while(|&word| word == "exec");
    let program = words.next().and_then(|word| word.rsplit('/').next());
    match program {
        Some("portway") => words.next() == Some("compose") && words.next() == Some("run"),
        program => program.is_some_and(|program| ENGINES.contains(&program)),
    }
}

/// Splits a command line of a shell at `;`, `&`, `|` and ends of lines outside of quotes and `$(…)`.
fn simple_commands(line: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut start = 0;
    // The quotes and parentheses that are open.
    let mut open: Vec<char> = Vec::new();
    let mut previous = None;
    for (at, char) in line.char_indices() {
        let is_escaped = previous == Some('\\') && open.last() != Some(&'\'');
        match (open.last(), char) {
            _ if is_escaped => {}
            (Some('\''), '\'') | (Some('"'), '"') | (Some('('), ')') => {
                open.pop();
            }
            (Some('\''), _) => {}
            (Some('"'), '(') if previous != Some('$') => {}
            (_, '"' | '(') => open.push(char),
            (None | Some('('), '\'') => open.push(char),
            (None, ';' | '&' | '|' | '\n') => {
                commands.push(&line[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        // Two backslashes are one character.
        previous = (!is_escaped || char != '\\').then_some(char);
    }
    commands.push(&line[start..]);
    commands.retain(|command| !command.trim().is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_engine_implies_any_listener_owner() {
        for (command, owner) in [
            ("docker run -p {port}:80 nginx", ListenerOwner::Any),
            ("exec /usr/bin/podman run x", ListenerOwner::Any),
            ("dockerize run", ListenerOwner::Tree),
            (
                "trap : TERM; docker rm -f x; docker compose -p \"$(echo \"$A\" | tr . -)\" run \
                 -p {host}:{ports.main}:80 web; status=$?; exit $status",
                ListenerOwner::Any,
            ),
            (
                "portway compose run --publish {host}:{port}:5432 db",
                ListenerOwner::Any,
            ),
            ("portway compose pull db", ListenerOwner::Tree),
            ("docker start db && vite --port {port}", ListenerOwner::Tree),
            ("vite --port {port}; docker stop db", ListenerOwner::Tree),
            ("docker start db; npm run dev", ListenerOwner::Tree),
            ("", ListenerOwner::Tree),
        ] {
            assert_eq!(default_owner(command), owner, "{command}");
        }
    }

    #[test]
    fn splits_only_outside_of_quotes() {
        assert_eq!(
            simple_commands("a 'b;c' \"d|e $(f; 'g)') h\" && i \\; j\nk"),
            ["a 'b;c' \"d|e $(f; 'g)') h\" ", " i \\; j", "k"]
        );
    }
}
