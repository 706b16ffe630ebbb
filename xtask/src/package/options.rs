//! The arguments of `cargo xtask package`.

use std::path::PathBuf;

use super::platforms;

pub(super) const USAGE: &str = "\
Build the packages of Portway in `target/packages`

usage: cargo xtask package [OPTION…]

options:
  --target TARGET          a Rust target of `packaging/platforms.json`; can be repeated
                           [default: x86_64-unknown-linux-gnu]
  --binary [TARGET=]FILE   use this binary instead of building it; can be repeated
  --build-only FILE        only build the binary of one target, check it, and copy it
  --url URL                where users download the files; for the formulas and manifests
                           [default: the release of this version in the repository]
  --out DIR                write the packages into another directory
  --test                   test packages with the debug binary in all package managers instead
";

/// What the arguments request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    /// The targets, each with its binary if it need not be built.
    pub(super) targets: Vec<(String, Option<PathBuf>)>,
    pub(super) build_only: Option<PathBuf>,
    pub(super) url: Option<String>,
    pub(super) out: Option<PathBuf>,
}

/// Reads the arguments.
pub(super) fn parse(arguments: &[&str]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = arguments.iter();
    while let Some(&option) = rest.next() {
        let mut value = || {
            let value = rest.next().copied();
            value.ok_or_else(|| format!("`{option}` needs a value\n\n{USAGE}"))
        };
        match option {
            "--target" => options.targets.push((value()?.to_owned(), None)),
            "--build-only" => options.build_only = Some(value()?.into()),
            "--url" => options.url = Some(value()?.trim_end_matches('/').to_owned()),
            "--out" => options.out = Some(value()?.into()),
            "--binary" => {
                let value = value()?;
                let (target, file) = value.split_once('=').unwrap_or((platforms::DEFAULT, value));
                options.targets.push((target.to_owned(), Some(file.into())));
            }
            _ => return Err(USAGE.to_owned()),
        }
    }
    if options.targets.is_empty() {
        options.targets.push((platforms::DEFAULT.to_owned(), None));
    }
    if options.build_only.is_some() && options.targets.len() != 1 {
        return Err(format!("`--build-only` is for one target\n\n{USAGE}"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn reads_the_options() {
        let target = |name: &str, file: Option<&str>| (name.to_owned(), file.map(PathBuf::from));
        let options = parse(&[]).unwrap();
        assert_eq!(options.targets, [target(platforms::DEFAULT, None)]);
        let words = [
            "--binary",
            "a/portway",
            "--binary",
            "t2=b=c",
            "--target",
            "t3",
        ];
        let more = ["--out", "d", "--url", "https://host/files/"];
        let options = parse(&[&words[..], &more].concat()).unwrap();
        assert_eq!(
            options.targets,
            [
                target(platforms::DEFAULT, Some("a/portway")),
                target("t2", Some("b=c")),
                target("t3", None),
            ]
        );
        assert_eq!(options.out.as_deref(), Some(Path::new("d")));
        assert_eq!(options.url.as_deref(), Some("https://host/files"));
        assert!(parse(&["--out"]).is_err());
        assert!(parse(&["--publish"]).is_err());
        assert!(parse(&[&words[..], &["--build-only", "f"]].concat()).is_err());
    }
}
