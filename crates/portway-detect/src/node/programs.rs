//! Programs that run the scripts, the files and the builds of a package.

/// Programs that run the scripts of a package.
pub(crate) const MANAGERS: [&str; 5] = ["npm", "npx", "yarn", "pnpm", "bun"];

/// Programs that run files of a package, or serve what its build makes.
const PROGRAMS: [&str; 19] = [
    "node",
    "next",
    "nuxt",
    "nest",
    "vite",
    "astro",
    "serve",
    "http-server",
    "sirv",
    "strapi",
    "medusa",
    "gatsby",
    "ts-node",
    "tsx",
    "pm2-runtime",
    "pm2",
    "remix-serve",
    "react-router-serve",
    "react-scripts",
];

/// Returns whether a command runs a script or a program of a package: `NODE_ENV=production npm start`,
/// `exec ./node_modules/.bin/next start`.
pub(crate) fn runs_program(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let is_variable = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
    };
    let program =
        words.find(|word| !["exec", "env", "cross-env"].contains(word) && !is_variable(word));
    program.is_some_and(|program| {
        let name = program.rsplit('/').next().unwrap_or(program);
        let is_of_package = program.contains("node_modules/.bin/");
        is_of_package
            || ((MANAGERS.contains(&name) || PROGRAMS.contains(&name)) && !program.contains('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_program_of_a_package() {
        for (command, expected) in [
            ("npm start", true),
            ("NODE_ENV=production node dist/main.js", true),
            ("exec ./node_modules/.bin/next start", true),
            ("node_modules/.bin/anything --port $PORT", true),
            ("cross-env A=1 B=2 tsx src/main.ts", true),
            ("nuxt start", true),
            ("gunicorn app.wsgi", false),
            ("./serve", false),
            ("bin/rails server", false),
        ] {
            assert_eq!(runs_program(command), expected, "{command}");
        }
    }
}
