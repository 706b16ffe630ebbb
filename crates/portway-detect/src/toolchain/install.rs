//! How to get the tools that run the services of projects.

/// Tools, with the way to get each of them.
const TOOLS: [(&str, &str); 33] = [
    ("air", "run `go install github.com/air-verse/air@latest`"),
    (
        "bun",
        "run `npm install --global bun`, or see https://bun.sh",
    ),
    ("bundle", "run `gem install bundler`"),
    ("cargo", "see https://rustup.rs"),
    ("composer", "see https://getcomposer.org/download"),
    ("corepack", "run `npm install --global corepack`"),
    (
        "deno",
        "see https://docs.deno.com/runtime/getting_started/installation",
    ),
    ("docker", "see https://docs.docker.com/engine/install"),
    ("dotnet", "see https://dotnet.microsoft.com/download"),
    ("foreman", "run `gem install foreman`"),
    ("go", "see https://go.dev/doc/install"),
    ("gradle", "see https://gradle.org/install"),
    ("hatch", "run `pipx install hatch`"),
    (
        "java",
        "install a JDK, for example from https://adoptium.net",
    ),
    ("just", "see https://just.systems/man/en/packages.html"),
    ("make", "install the package `make` of your system"),
    ("mix", "see https://elixir-lang.org/install.html"),
    ("mvn", "see https://maven.apache.org/install.html"),
    ("node", "see https://nodejs.org/en/download"),
    (
        "npm",
        "it comes with Node: see https://nodejs.org/en/download",
    ),
    (
        "npx",
        "it comes with Node: see https://nodejs.org/en/download",
    ),
    ("pdm", "run `pipx install pdm`"),
    ("php", "see https://www.php.net/manual/en/install.php"),
    ("pipenv", "run `pipx install pipenv`"),
    (
        "pnpm",
        "run `corepack enable pnpm` or `npm install --global pnpm`",
    ),
    ("poetry", "run `pipx install poetry`"),
    (
        "process-compose",
        "see https://f1bonacc1.github.io/process-compose/installation",
    ),
    ("python3", "see https://www.python.org/downloads"),
    (
        "ruby",
        "see https://www.ruby-lang.org/en/documentation/installation",
    ),
    ("task", "see https://taskfile.dev/installation"),
    (
        "uv",
        "run `pipx install uv`, or see https://docs.astral.sh/uv/getting-started/installation",
    ),
    ("watchexec", "run `cargo install watchexec-cli`"),
    (
        "yarn",
        "run `corepack enable yarn` or `npm install --global yarn`",
    ),
];

/// Returns the way to get a tool: `run COMMAND`, or `see URL`. `None` for a program that Portway does not know.
pub fn install_hint(program: &str) -> Option<&'static str> {
    let mut tools = TOOLS.iter();
    let found = tools.find(|(name, _)| *name == program);
    found.map(|(_, hint)| *hint)
}

/// Returns the tools that a shell command starts, of those that [`install_hint`] knows. A command that checks
/// itself whether a program exists needs none.
pub fn tools_of(command: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if command.contains("command -v") || command.contains("which ") {
        return found;
    }
    let parts = command.split(['&', '|', ';', '(', ')', '\n']);
    for part in parts {
        let mut words = part.split_whitespace();
        let is_prefix = |word: &&str| {
            ["exec", "then", "do", "else", "env"].contains(word) || word.contains('=')
        };
        let Some(program) = words.find(|word| !is_prefix(word)) else {
            continue;
        };
        let mut tools = TOOLS.iter();
        if let Some((name, _)) = tools.find(|(name, _)| *name == program)
            && !found.contains(name)
        {
            found.push(*name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_to_get_tools() {
        assert!(install_hint("pnpm").is_some_and(|hint| hint.starts_with("run ")));
        assert_eq!(install_hint("./run.sh"), None);
        assert!(TOOLS.is_sorted_by_key(|(name, _)| *name));
    }

    #[test]
    fn finds_the_tools_of_a_command() {
        for (command, expected) in [
            (
                "pnpm install --frozen-lockfile && pnpm build",
                &["pnpm"][..],
            ),
            ("NODE_ENV=dev exec uv run app.py", &["uv"]),
            (
                "[ -x .venv/bin/pip ] || python3 -m venv .venv; go run .",
                &["python3", "go"],
            ),
            ("echo pnpm uv", &[]),
            ("./node_modules/.bin/vite", &[]),
            ("command -v uv && uv sync || pip install -e .", &[]),
            ("", &[]),
        ] {
            assert_eq!(tools_of(command), expected, "{command}");
        }
    }
}
