//! Variables that code reads without a default.

use super::{code_lines, fallback, reads};

/// Variables that the system or a tool sets, or that choose between variants of a program.
const USUAL: [&str; 20] = [
    "APPDATA", "CI", "DEBUG", "DEV", "HOME", "HOST", "HOSTNAME", "LANG", "LOGNAME", "MODE",
    "NODE_ENV", "PATH", "PORT", "PROD", "PWD", "SHELL", "SSR", "TERM", "TZ", "USER",
];

/// Starts of names of variables that a host of applications sets.
const OF_HOSTS: [&str; 7] = [
    "GITHUB_",
    "HEROKU_",
    "NETLIFY_",
    "NEXT_RUNTIME",
    "RENDER_",
    "VERCEL",
    "npm_",
];

/// Returns the variables that a text reads without a default and without a test whether they are set, with the
/// lines.
pub(super) fn in_text(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (index, start, line) in code_lines(text) {
        for name in reads::upper_names(line) {
            let at = start + name.start..start + name.end;
            let Some(read) = reads::read_at(text, &at) else {
                continue;
            };
            let (before, after) = (&text[start..read.start], &text[read.end..]);
            if !is_usual(read.name)
                && !is_tested(before, after)
                && fallback::default_of(text, &read).is_none()
            {
                found.push((index + 1, read.name));
            }
        }
    }
    found
}

fn is_usual(name: &str) -> bool {
    USUAL.contains(&name) || OF_HOSTS.iter().any(|start| name.starts_with(start))
}

/// Returns whether an expression is compared, set, or only used if it has a value.
fn is_tested(before: &str, after: &str) -> bool {
    let before = before.trim_start();
    let words = [
        "if ",
        "if(",
        "elif ",
        "unless ",
        "} else if",
        "while ",
        "delete ",
        "assert ",
    ];
    let after = after.trim_start_matches([')', '!', ']', ' ']);
    let signs = ["=", "?", "&&", "||", "!=", "in ", "is ", "or ", "and "];
    words.iter().any(|word| before.starts_with(word))
        || before.trim_end().ends_with(['!', '?'])
        || ["&&", "||", "??"].iter().any(|sign| before.contains(sign))
        || signs.iter().any(|sign| after.starts_with(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_code_reads_without_a_default() {
        for (text, expected) in [
            (
                "await mongoose.connect(process.env.MONGO_URI);",
                Some("MONGO_URI"),
            ),
            (
                "secret: process.env.JWT_SECRET as string,",
                Some("JWT_SECRET"),
            ),
            ("secret: process.env['JWT_SECRET'],", Some("JWT_SECRET")),
            ("url = os.environ[\"DATABASE_URL\"]", Some("DATABASE_URL")),
            ("url = os.getenv('DATABASE_URL')", Some("DATABASE_URL")),
            (
                "const key = config.get<string>('API_KEY');",
                Some("API_KEY"),
            ),
            ("process.env.MONGO_URI ?? 'mongodb://localhost/x'", None),
            ("process.env.MONGO_URI || 'mongodb://localhost/x'", None),
            ("if (process.env.SENTRY_DSN) { init() }", None),
            ("dsn && process.env.SENTRY_DSN", None),
            ("process.env.SENTRY_DSN ? a : b", None),
            ("process.env.A_MODE === 'x'", None),
            ("process.env.A_MODE = 'x'", None),
            ("os.getenv('DATABASE_URL', 'sqlite:///x')", None),
            ("// process.env.MONGO_URI", None),
            ("process.env.NODE_ENV", None),
            ("process.env.VERCEL_URL", None),
            ("listen(process.env.PORT)", None),
        ] {
            let found = in_text(text);
            let names: Vec<&str> = found.iter().map(|(_, name)| *name).collect();
            assert_eq!(names, expected.into_iter().collect::<Vec<_>>(), "{text}");
        }
        let lines = in_text("a\nb(process.env.ONE_KEY)\n\nc(process.env.TWO_KEY)");
        assert_eq!(lines, [(2, "ONE_KEY"), (4, "TWO_KEY")]);
    }
}
