//! Defaults of ports that a constant names, in the same file or in one that it imports:
//! `process.env.PORT || DEFAULT_PORT`.

use super::files::{read, resolve};
use super::imports;
use super::source::constant;
use crate::Dir;

/// Files with the aliases of imports, the most likely first.
const ALIASES: [&str; 3] = ["tsconfig.base.json", "tsconfig.json", "jsconfig.json"];

/// Returns the number of the constant that `text` names as the default of a variable. `own` are the texts of
/// the program's files.
pub(super) fn default(
    dir: &Dir<'_>,
    text: &str,
    variable: &str,
    own: &[(String, String)],
) -> Option<u16> {
    let names: Vec<&str> = names(text, variable).collect();
    let number = |text: &str| names.iter().find_map(|name| constant(text, name));
    number(text)
        .or_else(|| own.iter().find_map(|(_, text)| number(text)))
        .or_else(|| {
            let mut imported = names.iter().filter_map(|name| of_alias(dir, text, name));
            imported.find_map(|text| number(&text))
        })
}

/// Returns the words for a port in the lines that read `variable`, except the variable itself.
fn names<'t>(text: &'t str, variable: &str) -> impl Iterator<Item = &'t str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let reads = move |line: &&str| line.split(|c| !is_word(c)).any(|word| word == variable);
    let lines: Vec<&str> = text.lines().filter(reads).collect();
    let words = lines
        .into_iter()
        .flat_map(move |line| line.split(move |c| !is_word(c)));
    let is_name =
        |word: &&str| word.len() > "port".len() && word.to_ascii_lowercase().contains("port");
    let words: Vec<&str> = words
        .filter(is_name)
        .filter(|word| *word != variable)
        .collect();
    words.into_iter()
}

/// Returns the text of the file from which `text` imports `name` through an alias of the TypeScript
/// configuration: `@shop/common/config`.
fn of_alias(dir: &Dir<'_>, text: &str, name: &str) -> Option<String> {
    let mut imported = imports::statements(text);
    let (_, path) = imported.find(|(names, path)| {
        let mut words = names.split(|c: char| !c.is_alphanumeric() && c != '_');
        !path.starts_with('.') && words.any(|word| word == name)
    })?;
    dir.upwards().find_map(|place| {
        let mut files = ALIASES.iter().filter(|file| place.has(file));
        files.find_map(|file| {
            let config = place.jsonc(file)?;
            let options = &config["compilerOptions"];
            let base = options["baseUrl"].as_str().unwrap_or(".");
            let base = base.trim_start_matches("./").trim_matches(['/', '.']);
            let aliases = options["paths"].as_object()?;
            aliases.iter().find_map(|(alias, targets)| {
                let target = targets[0].as_str()?;
                let target = match alias.split_once('*') {
                    Some((before, after)) => {
                        let rest = path.strip_prefix(before)?.strip_suffix(after)?;
                        target.replacen('*', rest, 1)
                    }
                    None => (*alias == path).then(|| target.to_owned())?,
                };
                let target = target.trim_start_matches("./");
                let target = match base {
                    "" => target.to_owned(),
                    base => format!("{base}/{target}"),
                };
                let file = resolve(&place, &target)
                    .or_else(|| resolve(&place, &format!("{target}/index")))?;
                read(&place, &file)
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::fixture::only;

    const PACKAGE: &str = "{\"scripts\": {\"dev\": \"tsx watch src/main.ts\"}, \
        \"dependencies\": {\"express\": \"5\"}}";

    #[test]
    fn a_constant_may_be_the_default() {
        for (main, file, text) in [
            (
                "const USUAL_PORT = 4107\napp.listen(process.env.PORT || USUAL_PORT)",
                "src/x.ts",
                "",
            ),
            (
                "import { usualPort } from './limits'\nconst port = process.env.PORT ?? usualPort\napp.listen(port)",
                "src/limits.ts",
                "export const usualPort: number = 4107;",
            ),
            (
                "import {\n  HOST,\n  SHOP_PORT_DEFAULT\n} from '@shop/base/limits'\nconst PORT = config.get<number>('PORT') || SHOP_PORT_DEFAULT\napp.listen(PORT)",
                "libs/base/src/limits.ts",
                "export const SHOP_PORT_DEFAULT = 4107",
            ),
            (
                "import { ports } from '~/limits'\napp.listen(process.env.PORT || ports.appPort)",
                "src/limits/index.ts",
                "export const ports = { appPort: 4107 }",
            ),
        ] {
            let found = only(
                &[
                    ("package.json", PACKAGE),
                    ("src/main.ts", main),
                    (file, text),
                    (
                        "tsconfig.json",
                        "{\"compilerOptions\": {\"paths\": {\"@shop/base/*\": [\"libs/base/src/*\"], \"~/*\": [\"./src/*\"]}}}",
                    ),
                ],
                &["npm"],
            );
            assert_eq!(found.prefers(), Some(4107), "{main}");
        }
    }
}
