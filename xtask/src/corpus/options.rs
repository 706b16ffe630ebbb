//! The arguments of `cargo xtask corpus`.

use std::path::PathBuf;

use super::list::Set;
use crate::command::root;

const USAGE: &str = "\
Run Portway on the public repositories of xtask/corpus.toml

usage: cargo xtask corpus [OPTION…] [OWNER/NAME…]

Measures repositories that have no record in target/corpus/results.json yet, one after the other,
then writes docs/compatibility.md.

options:
  --from DIR     use the clones DIR/OWNER+NAME instead of GitHub
  --set SET      only the half `learn` or `measure`
  --plan         only compare the plan with the expectation; start nothing
  --again        also repositories that have a record
  --table        measure nothing, only write the page
  --binary FILE  the binary to measure [default: target/debug/portway]
";

/// What the arguments request.
#[derive(Debug)]
pub(super) struct Options {
    /// A directory with clones.
    pub(super) clones: Option<PathBuf>,
    /// Only this half.
    pub(super) set: Option<Set>,
    pub(super) plan_only: bool,
    /// Whether to replace records.
    pub(super) again: bool,
    pub(super) table_only: bool,
    /// The Portway to measure.
    pub(super) binary: PathBuf,
    /// Only these repositories; all if there are none.
    pub(super) names: Vec<String>,
}

/// Parse the arguments. Returns the usage as an error if they are wrong.
pub(super) fn parse(arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options {
        clones: None,
        set: None,
        plan_only: false,
        again: false,
        table_only: false,
        binary: root().join("target/debug/portway"),
        names: Vec::new(),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().copied().ok_or_else(|| USAGE.to_owned());
        match *argument {
            "--from" => options.clones = Some(value()?.into()),
            "--binary" => options.binary = value()?.into(),
            "--set" => {
                options.set = Some(match value()? {
                    "learn" => Set::Learn,
                    "measure" => Set::Measure,
                    _ => return Err(USAGE.to_owned()),
                });
            }
            "--plan" => options.plan_only = true,
            "--again" => options.again = true,
            "--table" => options.table_only = true,
            name if name.contains('/') && !name.starts_with('-') => {
                options.names.push(name.to_owned());
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_options_and_names() {
        let options = parse(&["--set", "learn", "--plan", "owner/shop"]);
        let options = options.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(options.set, Some(Set::Learn));
        assert!(options.plan_only && !options.again);
        assert_eq!(options.names, ["owner/shop"]);
    }

    #[test]
    fn rejects_unknown_arguments() {
        for arguments in [&["--set", "all"][..], &["--set"], &["help"], &["--all"]] {
            assert_eq!(parse(arguments).map(|_| ()), Err(USAGE.to_owned()));
        }
    }
}
