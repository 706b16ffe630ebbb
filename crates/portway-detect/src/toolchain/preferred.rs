//! The version of Python that a project is developed with, where no file requires one.

use crate::Dir;

/// Directories below that of the code in which its Dockerfile may be.
const DIRS: [&str; 6] = [
    "docker",
    ".docker",
    "compose",
    "deploy",
    "build",
    ".devcontainer",
];

/// Maximum number of Dockerfiles of a directory that are read.
const MAX_FILES: usize = 8;

/// Returns the minor version of Python 3 with which the project in `dir` is developed, and the file that says
/// so. Another version may work as well, so this requires nothing.
pub(crate) fn preferred_python(dir: &Dir<'_>) -> Option<(u32, String)> {
    dir.upwards().find_map(|at| {
        pinned(&at)
            .or_else(|| in_dockerfiles(&at))
            .or_else(|| DIRS.iter().find_map(|name| below(&at.sub(name)?)))
    })
}

/// Returns the version in the Dockerfiles of a directory such as `docker`, or of one in it.
fn below(dir: &Dir<'_>) -> Option<(u32, String)> {
    in_dockerfiles(dir).or_else(|| dir.subs().find_map(|sub| in_dockerfiles(&sub)))
}

/// Returns the version in `.python-version` or in Heroku's `runtime.txt`.
fn pinned(dir: &Dir<'_>) -> Option<(u32, String)> {
    [".python-version", "runtime.txt"]
        .into_iter()
        .find_map(|name| {
            let text = dir.read(name)?;
            let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
            let version = line.strip_prefix("python-").unwrap_or(line);
            Some((minor(version)?, dir.path_of(name)))
        })
}

fn in_dockerfiles(dir: &Dir<'_>) -> Option<(u32, String)> {
    let is_one = |name: &&str| name.starts_with("Dockerfile") || name.ends_with(".Dockerfile");
    let mut names: Vec<&str> = dir.files().filter(is_one).take(MAX_FILES).collect();
    // `Dockerfile` itself sorts before the others.
    names.sort_unstable();
    names
        .into_iter()
        .find_map(|name| Some((base_image(&dir.read(name)?)?, dir.path_of(name))))
}

/// Returns the minor version of Python 3 in the first base image of a Dockerfile that names one.
fn base_image(text: &str) -> Option<u32> {
    let words = text.lines().map(|line| line.split_whitespace());
    let mut arguments: Vec<(&str, &str)> = Vec::new();
    for mut words in words {
        let instruction = words.next().unwrap_or_default().to_ascii_uppercase();
        match instruction.as_str() {
            "ARG" => arguments.extend(words.filter_map(|word| word.split_once('='))),
            "FROM" => {
                let Some(image) = words.find(|word| !word.starts_with("--")) else {
                    continue;
                };
                if let Some(minor) = of_image(&expand(image, &arguments)) {
                    return Some(minor);
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces `${NAME}` and `$NAME` in the name of an image.
fn expand(image: &str, arguments: &[(&str, &str)]) -> String {
    arguments
        .iter()
        .fold(image.to_owned(), |image, (name, value)| {
            let value = value.trim_matches(['"', '\'']);
            let image = image.replace(&format!("${{{name}}}"), value);
            image.replace(&format!("${name}"), value)
        })
}

/// Returns the version in `python:3.12-slim` or `astral-sh/uv:python3.12-bookworm`.
fn of_image(image: &str) -> Option<u32> {
    let at = image.rfind("python")?;
    let version = &image[at + "python".len()..];
    minor(version.trim_start_matches([':', '-']))
}

/// Returns the minor version of `3.12.1`.
fn minor(version: &str) -> Option<u32> {
    let digits = version.strip_prefix("3.")?;
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::base_image;

    #[test]
    fn reads_the_version_of_a_base_image() {
        for (text, expected) in [
            ("FROM python:3.9.10-slim\n", Some(9)),
            (
                "# x\nfrom --platform=linux/amd64 python:3.12 AS base",
                Some(12),
            ),
            (
                "FROM docker.io/library/python:3.11-alpine3.19\nRUN x",
                Some(11),
            ),
            (
                "ARG PYTHON_VERSION=\"3.10.2\"\nFROM python:${PYTHON_VERSION}-slim as base",
                Some(10),
            ),
            ("ARG V=3.8\nFROM python:$V", Some(8)),
            (
                "FROM ghcr.io/astral-sh/uv:python3.13-bookworm-slim",
                Some(13),
            ),
            ("FROM tiangolo/uvicorn-gunicorn-fastapi:python3.7", Some(7)),
            (
                "FROM node:20 AS web\nRUN npm ci\nFROM python:3.12-slim\n",
                Some(12),
            ),
            ("FROM python:3\n", None),
            ("FROM python\n", None),
            ("FROM python:${V}-slim\n", None),
            ("FROM python:2.7\n", None),
            ("FROM\nFROM node:20", None),
            ("", None),
        ] {
            assert_eq!(base_image(text), expected, "{text}");
        }
    }
}
