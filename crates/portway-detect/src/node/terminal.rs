//! Programs for the terminal, which are no services even if a part of them listens, such as for the answer of a login
//! page or to find a free port.

use super::imports;
use super::package::Package;

/// Packages that programs for the terminal use: they read arguments, or ask.
const LIBRARIES: [&str; 15] = [
    "@clack/prompts",
    "@inquirer/prompts",
    "@oclif/core",
    "@stricli/core",
    "cac",
    "caporal",
    "citty",
    "cleye",
    "clipanion",
    "commander",
    "enquirer",
    "ink",
    "inquirer",
    "meow",
    "prompts",
];

/// Returns whether a program that uses no server framework and names no port is for the terminal. `own` are its
/// files, with their texts.
pub(super) fn is_for_terminal(package: &Package, own: &[(String, String)]) -> bool {
    let is_imported = |name: &str| own.iter().any(|(_, text)| imports::imports(text, name));
    package.has_programs || LIBRARIES.iter().any(|name| is_imported(name))
}

#[cfg(test)]
mod tests {
    use crate::fixture::checkout;

    const LISTENS: &str =
        "import http from 'http'\nfor (const p of all) http.createServer().listen({ port: p })";

    fn found(package: &str, main: &str) -> usize {
        let files = [("package.json", package), ("src/main.ts", main)];
        checkout(&files, &["npm", "bun"]).services.len()
    }

    #[test]
    fn programs_for_the_terminal_are_no_services() {
        let script = "\"scripts\": {\"dev\": \"tsx src/main.ts\"}";
        let plain = format!("{{{script}}}");
        let with_bin = format!("{{\"bin\": {{\"shop\": \"bin/shop.js\"}}, {script}}}");
        assert_eq!(found(&with_bin, LISTENS), 0);
        for library in ["commander", "@clack/prompts", "citty"] {
            let text = format!("import x from '{library}'\n{LISTENS}");
            assert_eq!(found(&plain, &text), 0, "{library}");
        }
        assert_eq!(found(&plain, LISTENS), 1);
        // A server that installs a program that starts it.
        let with_library = "import express from 'express'\nstart(express())";
        for (package, main) in [
            (
                &with_bin,
                "require('http').createServer().listen(process.env.PORT || 4108)",
            ),
            (&with_bin, "require('http').createServer().listen(4108)"),
            (
                &with_bin.replace("{\"bin", "{\"dependencies\": {\"express\": \"5\"}, \"bin"),
                with_library,
            ),
        ] {
            assert_eq!(found(package, main), 1, "{package} {main}");
        }
    }
}
