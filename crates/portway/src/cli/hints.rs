//! Hints for words that other tools use as commands: docker compose, foreman, overmind, pm2,
//! process-compose, portless and tilt. They change only the error for an unknown command.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::args::Cli;

/// Words of other tools, and the arguments of Portway that do the same. Capital letters are placeholders.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (
        &["status", "list", "ls", "process", "processes", "top"],
        &["ps"],
    ),
    (&["start", "serve", "dev"], &["up"]),
    (
        &["stop", "quit", "shutdown", "delete", "rm", "remove"],
        &["down"],
    ),
    (&["kill"], &["down --now", "free PORT"]),
    (&["reload"], &["restart"]),
    (&["tail"], &["logs -f"]),
    (&["connect"], &["attach SERVICE"]),
    (&["get"], &["url SERVICE"]),
    (&["proxy", "service"], &["gateway"]),
    (&["check", "validate"], &["plan"]),
    (&["enable"], &["up --with SERVICE"]),
    (&["disable"], &["up --without SERVICE"]),
    (&["trigger"], &["restart SERVICE"]),
    (&["monit", "monitor", "open"], &["dashboard"]),
    (&["ports"], &["leases"]),
    (&["clean", "cleanup"], &["prune"]),
    (&["version"], &["--version"]),
];

/// Replaces the suggestions of clap in the error for an unknown command. A word of the table gets its
/// commands. For other words, commands that the help hides are no suggestions.
pub(super) fn add(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let mut cli = Cli::command();
    // Commands such as `gateway` have commands of their own.
    let is_first = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string() == cli.render_usage().to_string(),
        _ => false,
    };
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let commands = is_first.then(|| lookup(word)).flatten();
    if let Some(commands) = commands {
        let tips = commands.iter().map(|line| tip(&cli, line).into()).collect();
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    } else if let Some(ContextValue::Strings(names)) =
        error.remove(ContextKind::SuggestedSubcommand)
    {
        let is_hidden = |name: &String| cli.find_subcommand(name).is_some_and(Command::is_hide_set);
        let shown: Vec<String> = names.into_iter().filter(|name| !is_hidden(name)).collect();
        if !shown.is_empty() {
            error.insert(
                ContextKind::SuggestedSubcommand,
                ContextValue::Strings(shown),
            );
        }
    }
    error
}

fn lookup(word: &str) -> Option<&'static [&'static str]> {
    let of_word = COMMANDS.iter().find(|(words, _)| words.contains(&word));
    of_word.map(|(_, commands)| *commands)
}

/// What a command does, in the words of its help, and how to call it.
fn tip(cli: &Command, line: &str) -> String {
    let name = line.split(' ').next().unwrap_or_default();
    let about = cli.find_subcommand(name).and_then(Command::get_about);
    let about = about.map(ToString::to_string).unwrap_or_default();
    let mut letters = about.chars();
    match letters.next() {
        Some(first) => format!(
            "to {}{}, use 'portway {line}'",
            first.to_lowercase(),
            letters.as_str()
        ),
        None => format!("use 'portway {line}'"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use clap::Parser;

    use super::*;

    fn error(line: &str) -> clap::Error {
        add(Cli::try_parse_from(line.split(' ')).unwrap_err())
    }

    #[test]
    fn every_word_is_unknown_and_gets_its_commands() {
        let mut all = HashSet::new();
        for (words, commands) in COMMANDS {
            for word in *words {
                assert!(all.insert(*word), "`{word}` is in the table twice");
                for line in [
                    format!("portway {word}"),
                    format!("portway -C /tmp {word} api --json"),
                ] {
                    let error = error(&line);
                    assert_eq!(error.kind(), ErrorKind::InvalidSubcommand, "{line}");
                    let text = error.to_string();
                    assert!(!text.contains("a similar subcommand"), "{text}");
                    assert_eq!(text.matches("tip: ").count(), commands.len(), "{text}");
                    for command in *commands {
                        assert!(text.contains(&format!("'portway {command}'")), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_suggested_command_is_valid() {
        for line in COMMANDS.iter().flat_map(|(_, commands)| *commands) {
            let line = line.replace("SERVICE", "api").replace("PORT", "9000");
            let arguments = ["portway"].into_iter().chain(line.split(' '));
            if let Err(error) = Cli::try_parse_from(arguments) {
                assert_eq!(error.kind(), ErrorKind::DisplayVersion, "{line}: {error}");
            }
        }
    }

    #[test]
    fn other_words_get_the_suggestions_of_clap() {
        let text = |line: &str| error(line).to_string();
        assert!(text("portway upp").contains("a similar subcommand exists: 'up'"));
        assert!(!text("portway supervise").contains("__supervise"));
        // The gateway has commands of its own.
        assert!(!text("portway gateway start").contains("portway up"));
        assert!(!text("portway nothing").contains("tip: "));
    }
}
