//! Man pages and shell completions, which are the same for all platforms.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::files::{cannot, read, write};
use super::target_dir;
use crate::command::{cargo, output, run};

/// The names of the shells, each with the name of its file.
const SHELLS: [(&str, &str); 4] = [
    ("bash", "portway.bash"),
    ("zsh", "_portway"),
    ("fish", "portway.fish"),
    ("powershell", "portway.ps1"),
];

/// A file of the documents.
pub(super) struct Document {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
}

/// Man pages such as `portway.1`, and completions, each named as its shell expects it.
pub(super) struct Documents {
    pub(super) man: Vec<Document>,
    pub(super) completions: Vec<Document>,
}

/// Makes the documents in a directory, which is removed again, with a Portway for this machine; builds one if
/// none is given.
pub(super) fn make(portway: Option<&Path>, dir: &Path) -> Result<Documents, String> {
    let portway = match portway {
        Some(portway) => portway.to_owned(),
        None => {
            run(&mut cargo("build --quiet --workspace --bin portway"))?;
            target_dir().join("debug/portway")
        }
    };
    let pages = dir.join("man");
    run(Command::new(&portway).arg("__man").arg(&pages))?;
    let man = directory(&pages)?;
    fs::remove_dir_all(dir).map_err(|error| cannot("remove", dir, &error))?;
    let completions = SHELLS.iter().map(|(shell, name)| {
        let text = output(Command::new(&portway).args(["completions", shell]))?;
        Ok(Document {
            name: (*name).to_owned(),
            text: text.into_bytes(),
        })
    });
    Ok(Documents {
        man,
        completions: completions.collect::<Result<_, String>>()?,
    })
}

fn directory(path: &Path) -> Result<Vec<Document>, String> {
    let entries = path
        .read_dir()
        .map_err(|error| cannot("read", path, &error))?;
    let mut documents = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot("read", path, &error))?;
        documents.push(Document {
            name: entry.file_name().to_string_lossy().into_owned(),
            text: read(&entry.path())?,
        });
    }
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(documents)
}

impl Documents {
    /// Writes the documents into the directories `man` and `completions` of an archive.
    pub(super) fn write(&self, dir: &Path) -> Result<(), String> {
        for (name, documents) in [("man", &self.man), ("completions", &self.completions)] {
            for document in documents {
                let file = dir.join(name).join(&document.name);
                write(&file, &document.text, 0o644)?;
            }
        }
        Ok(())
    }
}

/// Documents as the other modules expect them.
#[cfg(test)]
pub(super) fn examples() -> Documents {
    let document = |name: &str| Document {
        name: name.to_owned(),
        text: format!("the text of {name}\n").into_bytes(),
    };
    Documents {
        man: ["portway-up.1", "portway.1"].map(document).into(),
        completions: SHELLS.map(|(_, name)| document(name)).into(),
    }
}
