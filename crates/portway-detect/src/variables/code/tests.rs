//! Defaults of variables in code.

use super::*;

mod forms;
mod libraries;

fn found(text: &str) -> Vec<String> {
    let all = defaults_in(text);
    all.iter()
        .map(|(line, name, value)| format!("{line} {name}={value}"))
        .collect()
}

#[test]
fn finds_defaults_in_many_languages() {
    for (line, expected) in [
        (
            "url = os.getenv(\"API_URL\", \"http://localhost:8000\")",
            "API_URL=http://localhost:8000",
        ),
        ("os.environ.get('DB_PORT', 5432)", "DB_PORT=5432"),
        (
            "URL = os.environ.get(\"API_URL\") or \"http://a:1\"",
            "API_URL=http://a:1",
        ),
        (
            "config('DB_HOST', default='localhost', cast=str)",
            "DB_HOST=localhost",
        ),
        ("config('DB_PORT', cast=int, default=5432)", "DB_PORT=5432"),
        (
            "env.str(\"API_URL\", default=\"http://a:1\")",
            "API_URL=http://a:1",
        ),
        (
            "const a = process.env.API_URL || 'http://a:1';",
            "API_URL=http://a:1",
        ),
        (
            "const a = process.env['API_URL'] ?? `http://a:1`",
            "API_URL=http://a:1",
        ),
        ("Number(process.env.DB_PORT) || 5432", "DB_PORT=5432"),
        (
            "import.meta.env.VITE_API_URL ?? \"http://a:1\"",
            "VITE_API_URL=http://a:1",
        ),
        (
            "config.get<string>('API_URL', 'http://a:1')",
            "API_URL=http://a:1",
        ),
        (
            "API_URL: z.string().url().default(\"http://a:1\"),",
            "API_URL=http://a:1",
        ),
        (
            "  API_URL: str({ default: 'http://a:1' }),",
            "API_URL=http://a:1",
        ),
        (
            "addr := getEnv(\"API_ADDR\", \"localhost:8000\")",
            "API_ADDR=localhost:8000",
        ),
        (
            "ENV.fetch(\"REDIS_URL\", \"redis://localhost:6379\")",
            "REDIS_URL=redis://localhost:6379",
        ),
        (
            "ENV.fetch(\"REDIS_URL\") { \"redis://localhost:6379\" }",
            "REDIS_URL=redis://localhost:6379",
        ),
        (
            "url: ENV[\"REDIS_URL\"] || \"redis://a:1\"",
            "REDIS_URL=redis://a:1",
        ),
        ("'port' => env('DB_PORT', '3306'),", "DB_PORT=3306"),
        (
            "env::var(\"API_URL\").unwrap_or_else(|_| \"http://a:1\".into())",
            "API_URL=http://a:1",
        ),
        (
            "std::env::var(\"API_URL\").unwrap_or(String::from(\"http://a:1\"))",
            "API_URL=http://a:1",
        ),
        (
            "System.get_env(\"API_URL\") || \"http://a:1\"",
            "API_URL=http://a:1",
        ),
        (
            "url: jdbc:postgresql://${DB_HOST:localhost}/x",
            "DB_HOST=localhost",
        ),
    ] {
        assert_eq!(found(line), [format!("1 {expected}")], "{line}");
    }
}

#[test]
fn other_code_has_no_defaults() {
    for line in [
        "process.env.API_URL",
        "os.getenv(\"API_URL\")",
        "// process.env.API_URL || 'http://a:1'",
        "# os.getenv('API_URL', 'x')",
        "process.env.API_URL || `http://a:${port}`",
        "print(\"API_URL\", \"x\")",
        "f(`${API_URL}`)",
        "process.env.API_URL || ''",
    ] {
        assert_eq!(found(line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn reads_the_fields_of_settings() {
    let text = "\
class Other(BaseModel):
    port: int = 1

class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=\"SHOP_\",
    )
    api_url: str = \"http://a:1\"  # note
    POSTGRES_PORT: int = Field(default=5432)
    name: str

settings: Settings = make()
";
    assert_eq!(
        found(text),
        ["8 SHOP_API_URL=http://a:1", "9 SHOP_POSTGRES_PORT=5432"]
    );
}

#[test]
fn replaces_expressions_in_defaults() {
    for (line, expected) in [
        (
            "os.getenv(\"URL\", f\"http://{HOST}:8000/{a['b']}/x\")",
            "http://…:8000/…/x",
        ),
        (
            "process.env.URL ?? `http://localhost:8000/${path}`",
            "http://localhost:8000/…",
        ),
    ] {
        let found = values_in(line);
        let values: Vec<(&str, bool)> = found
            .iter()
            .map(|(_, _, value)| (value.text.as_str(), value.has_expression))
            .collect();
        assert_eq!(values, [(expected, true)], "{line}");
    }
}
