//! Finds the client programs of database servers, which are not always in `PATH`.

use std::path::PathBuf;

use portway_api::ErrorCode;

use crate::error::CommandError;

/// Directories with client programs. The part `*` is a version; the newest is used.
const DIRECTORIES: [&str; 9] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/opt/homebrew/opt/mysql-client/bin",
    "/usr/local/opt/libpq/bin",
    "/usr/local/opt/mysql-client/bin",
    "/Applications/Postgres.app/Contents/Versions/latest/bin",
    r"C:\Program Files\PostgreSQL\*\bin",
    r"C:\Program Files\MySQL\*\bin",
];

/// Returns the first of several programs that is installed.
///
/// # Errors
/// When none of them is.
pub(super) fn find(names: &[&str], package: &str) -> Result<PathBuf, CommandError> {
    let in_path = names.iter().find_map(|name| which::which(name).ok());
    in_path
        .or_else(|| {
            let directories = DIRECTORIES.iter().flat_map(|pattern| expand(pattern));
            directories
                .flat_map(|dir| names.iter().map(move |name| dir.join(executable(name))))
                .find(|path| path.is_file())
        })
        .ok_or_else(|| {
            let message = format!("`{}` is not installed; Portway needs it to copy the database", names[0]);
            CommandError::new(ErrorCode::MissingRequirement, message).hint(format!(
                "install it: `apt install {package}` on Debian and Ubuntu, `brew install {}` on macOS",
                match package {
                    "postgresql-client" => "libpq",
                    _ => "mysql-client",
                }
            ))
        })
}

fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// Returns the directories that a pattern matches, the newest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![pattern.into()];
    };
    let separator = before.rfind(['/', '\\']).map_or(0, |at| at + 1);
    let (parent, prefix) = before.split_at(separator);
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?;
            let digits: String = version
                .chars()
                .skip_while(|c| !c.is_ascii_digit())
                .take_while(char::is_ascii_digit)
                .collect();
            let dir = entry.path().join(after.trim_start_matches(['/', '\\']));
            Some((digits.parse().unwrap_or(0), dir))
        })
        .collect();
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found.into_iter().map(|(_, dir)| dir).collect()
}
