//! Errors of package managers, bundlers and interpreters whose way out is one line.

use portway_api::ServiceStatus;

/// Parts of a line of output, with what to write.
const KNOWN: [(&str, &str); 5] = [
    (
        " ERESOLVE ",
        "its packages require versions that exclude each other; write the line `legacy-peer-deps=true` into the \
         `.npmrc` beside its `package.json` to install them anyway",
    ),
    (
        "ERR_OSSL_EVP_UNSUPPORTED",
        "its bundler is older than Node 17; run `portway init`, and write `env = { NODE_OPTIONS = \
         \"--openssl-legacy-provider\" }` for the service",
    ),
    (
        "ERR_PNPM_OUTDATED_LOCKFILE",
        "its `pnpm-lock.yaml` does not match its `package.json`; run `pnpm install`, which updates the lock file",
    ),
    (
        "ERR_PNPM_LOCKFILE_BREAKING_CHANGE",
        "another major version of pnpm wrote its `pnpm-lock.yaml`; install that version, for example with \
         `npm install --global pnpm@8`",
    ),
    (
        "No module named 'psycopg'",
        "for `postgresql://`, SQLAlchemy uses the module `psycopg` since version 2.1; write `sqlalchemy<2.1` or \
         `psycopg[binary]` into the requirements",
    ),
];

/// What is before the name of a Python module that is not installed.
const NO_MODULE: &str = "ModuleNotFoundError: No module named '";

/// Returns what to write so that a service that failed can start, if its error is a known one.
pub(super) fn way_out(service: &ServiceStatus) -> Option<String> {
    let message = service.message.as_deref().into_iter();
    let lines = message.chain(service.last_output.iter().map(String::as_str));
    way_out_of(&lines.collect::<Vec<_>>())
}

fn way_out_of(lines: &[&str]) -> Option<String> {
    let contains = |part: &str| lines.iter().any(|line| line.contains(part));
    if let Some((_, way_out)) = KNOWN.iter().find(|(part, _)| contains(part)) {
        return Some((*way_out).to_owned());
    }
    let module = lines.iter().find_map(|line| {
        let (_, rest) = line.split_once(NO_MODULE)?;
        rest.split(['\'', '.']).next()
    })?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!module.is_empty() && module.chars().all(is_name)).then(|| {
        format!(
            "its requirements do not install the Python module `{module}`; add the package that contains it to them"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_errors_have_a_line_to_write() {
        for (line, words) in [
            (
                "npm error ERESOLVE unable to resolve dependency tree",
                "`legacy-peer-deps=true`",
            ),
            ("  code: 'ERR_OSSL_EVP_UNSUPPORTED'", "NODE_OPTIONS"),
            (
                "ModuleNotFoundError: No module named 'psycopg'",
                "sqlalchemy<2.1",
            ),
            (
                "ModuleNotFoundError: No module named 'packaging.version'",
                "module `packaging`;",
            ),
        ] {
            let found = way_out_of(&["starting", line]).unwrap_or_default();
            assert!(found.contains(words), "{line}: {found}");
        }
        for line in ["", "Error: x", "ModuleNotFoundError: No module named '`x`'"] {
            assert_eq!(way_out_of(&[line]), None, "{line}");
        }
    }
}
