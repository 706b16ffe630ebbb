//! The hidden command that writes the man pages, made from the declaration of the command line.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use portway_app::error::CommandError;

/// The name of the command. `cargo xtask man` runs it.
pub(crate) const COMMAND: &str = "__man";

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory to write the pages to
    pub(crate) directory: PathBuf,
}

pub(crate) fn run(args: &ManArgs, declaration: Command) -> Result<u8, CommandError> {
    let dir = &args.directory;
    fs::create_dir_all(dir).map_err(|error| CommandError::file("create", dir, error))?;
    for (name, text) in
        pages(declaration).map_err(|error| CommandError::file("write", dir, error))?
    {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| CommandError::file("write", &path, error))?;
    }
    Ok(0)
}

/// Returns the file name and the text of the page of every command that is not hidden.
fn pages(declaration: Command) -> io::Result<Vec<(String, String)>> {
    let mut top = declaration.disable_help_subcommand(true);
    top.build();
    let mut pages = Vec::new();
    add(&top, &mut pages)?;
    Ok(pages)
}

/// Adds the page of one command, then those of its subcommands.
fn add(command: &Command, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    let mut visible = command.get_subcommands().filter(|one| !one.is_hide_set());
    visible.try_for_each(|one| add(one, pages))
}

fn page(command: &Command) -> io::Result<String> {
    let command = command.clone().subcommand_help_heading("COMMANDS");
    let man = Man::new(command.clone())
        .source(format!("Portway {}", env!("CARGO_PKG_VERSION")))
        .manual("Portway manual");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.get_subcommands().any(|one| !one.is_hide_set()) {
        man.render_subcommands_section(&mut text)?;
    }
    let after = command.get_after_help().map(ToString::to_string);
    sections(&after.unwrap_or_default()).to_writer(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    // A bare backtick is printed as an opening quotation mark.
    Ok(text.replace('`', "\\(ga"))
}

/// Converts the text after the options: `Examples:` becomes a section with its lines as they are.
fn sections(text: &str) -> Roff {
    let mut roff = Roff::new();
    let mut is_verbatim = false;
    let set_verbatim = |roff: &mut Roff, is_verbatim: &mut bool, value: bool| {
        if *is_verbatim != value {
            roff.control(if value { "nf" } else { "fi" }, []);
        }
        *is_verbatim = value;
    };
    for line in text.lines() {
        let title = line.strip_suffix(':').filter(|_| !line.starts_with(' '));
        match title {
            Some(title) => {
                set_verbatim(&mut roff, &mut is_verbatim, false);
                roff.control("SH", [title.to_uppercase().as_str()]);
            }
            None if line.starts_with(' ') => {
                set_verbatim(&mut roff, &mut is_verbatim, true);
                roff.text([roman(line)]);
            }
            None if line.is_empty() => {
                set_verbatim(&mut roff, &mut is_verbatim, false);
                roff.control("PP", []);
            }
            None => {
                set_verbatim(&mut roff, &mut is_verbatim, false);
                roff.text([roman(line)]);
            }
        }
    }
    set_verbatim(&mut roff, &mut is_verbatim, false);
    roff
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;

    #[test]
    fn every_visible_command_has_a_page() {
        let pages = pages(Cli::command()).unwrap();
        let page = |name: &str| {
            let found = pages.iter().find(|(file, _)| file == name);
            found.map(|(_, text)| text.as_str())
        };
        for name in ["portway.1", "portway-up.1", "portway-gateway-install.1"] {
            assert!(page(name).is_some(), "{name}");
        }
        assert!(pages.iter().all(|(name, _)| !name.contains("__")));
        let top = page("portway.1").unwrap_or_default();
        assert!(top.contains("\n.SH EXAMPLES\n.nf\n  portway up\n"), "{top}");
        assert!(top.contains(".SH COMMANDS\n"), "{top}");
        assert!(!top.contains("__supervise") && !top.contains('`'), "{top}");
    }

    #[test]
    fn keeps_the_lines_of_examples() {
        let text = "Examples:\n  portway who\n      Show all\n\nA name.\n";
        assert_eq!(
            sections(text).to_roff(),
            ".SH EXAMPLES\n.nf\n  portway who\n      Show all\n.fi\n.PP\nA name.\n"
        );
    }
}
