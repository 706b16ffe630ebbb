//! Packages that `setup.cfg`, `setup.py` and the file of a conda environment name.

use super::packages::{Group, Packages};
use crate::Dir;

/// Files of conda environments.
const CONDA: [&str; 4] = [
    "environment.yml",
    "environment.yaml",
    "conda.yml",
    "conda.yaml",
];

impl Packages {
    /// Reads the names of packages in `setup.cfg` and `setup.py`, which pip installs with the project.
    pub(super) fn setup_files(&mut self, dir: &Dir<'_>) {
        for name in ["setup.cfg", "setup.py"] {
            let Some(text) = dir.read(name) else {
                continue;
            };
            let found = match name {
                "setup.cfg" => setup_cfg(&text),
                _ => setup_py(&text),
            };
            for requirement in &found {
                self.requirement(&dir.path_of(name), requirement, &Group::Main);
            }
            if !found.is_empty() {
                self.setup = Some(name);
            }
        }
    }

    /// Reads the names of packages in the file of a conda environment.
    pub(super) fn conda_file(&mut self, dir: &Dir<'_>) -> Option<()> {
        let file = dir.first_of(&CONDA)?;
        let value = dir.yaml(file)?;
        let list = value.get("dependencies")?.as_array()?;
        let nested = list.iter().filter_map(|one| one.get("pip")?.as_array());
        for text in list
            .iter()
            .chain(nested.flatten())
            .filter_map(|one| one.as_str())
        {
            self.requirement(&dir.path_of(file), text, &Group::Main);
        }
        self.conda = Some(file);
        Some(())
    }
}

/// Returns the requirements below `install_requires` in `setup.cfg`.
fn setup_cfg(text: &str) -> Vec<String> {
    let mut is_within = false;
    let mut all = Vec::new();
    for line in text.lines() {
        if !line.starts_with(char::is_whitespace) {
            let (key, rest) = line.split_once('=').unwrap_or((line, ""));
            is_within = key.trim() == "install_requires";
            all.extend(Some(rest).filter(|_| is_within));
        } else if is_within {
            all.push(line);
        }
    }
    let lines = all.into_iter().map(|line| line.trim().to_owned());
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// Returns the texts in the list `install_requires=[…]` of `setup.py`.
fn setup_py(text: &str) -> Vec<String> {
    let list = text.split_once("install_requires").and_then(|(_, rest)| {
        let list = rest.trim_start().strip_prefix('=')?.trim_start();
        let list = list.strip_prefix('[')?;
        // Extras have brackets too.
        let ends = ["\n    ]", "],", "])"]
            .into_iter()
            .filter_map(|end| list.find(end));
        ends.min().map(|end| &list[..end])
    });
    let Some(list) = list else {
        return Vec::new();
    };
    let lines = list
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(|line| {
            let mark = line
                .chars()
                .find(|c| matches!(c, '"' | '\''))
                .unwrap_or('"');
            line.split(mark)
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_packages_of_setup_files() {
        let cfg = "[metadata]\nname = x\n[options]\ninstall_requires =\n    # web\n    flask>=3\n    \
                   requests; python_version > '3'\n[options.extras_require]\ndev =\n    pytest\n";
        assert_eq!(
            setup_cfg(cfg),
            ["flask>=3", "requests; python_version > '3'"]
        );
        assert_eq!(setup_cfg("install_requires = flask"), ["flask"]);
        for (text, expected) in [
            (
                "setup(\n    install_requires=[\n        'flask[async]>=3',\n        # 'old',\n        \"gunicorn\",\n    ],\n    tests_require=['pytest'],\n)",
                &["flask[async]>=3", "gunicorn"][..],
            ),
            ("setup(install_requires=['a', 'b'], x=['c'])", &["a", "b"]),
            ("setup(install_requires=requirements)", &[]),
            ("setup(name='x')", &[]),
        ] {
            assert_eq!(setup_py(text), expected, "{text}");
        }
    }
}
