//! The forms in which languages write a default.

use super::found;
use crate::variables::code::values_in;

/// Asserts that texts have these defaults, as `LINE NAME=VALUE`.
#[track_caller]
fn assert_found(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(found(text), *expected, "{text}");
    }
}

#[test]
fn a_line_has_several_variables() {
    assert_found(&[
        (
            "const queue = connect({ host: process.env.QUEUE_HOST ?? 'localhost', port: +(process.env.QUEUE_PORT ?? 6380) });",
            &["1 QUEUE_HOST=localhost", "1 QUEUE_PORT=6380"],
        ),
        (
            "DATABASES = {\"default\": {\"HOST\": os.environ.get(\"SQL_HOST\", \"localhost\"), \"PORT\": os.environ.get(\"SQL_PORT\", \"5433\")}}",
            &["1 SQL_HOST=localhost", "1 SQL_PORT=5433"],
        ),
        (
            "host, port = ENV.fetch('CACHE_HOST', 'localhost'), ENV.fetch('CACHE_PORT') { 6381 }",
            &["1 CACHE_HOST=localhost", "1 CACHE_PORT=6381"],
        ),
        (
            "const a = process.env.ONE || process.env.TWO || 'http://localhost:1234'",
            &["1 TWO=http://localhost:1234"],
        ),
    ]);
}

#[test]
fn a_default_is_on_a_later_line() {
    assert_found(&[
        (
            "x = 1\nURL = os.environ.get(\n    \"BROKER_URL\",\n    \"redis://localhost:6380/0\",\n)\n",
            &["3 BROKER_URL=redis://localhost:6380/0"],
        ),
        (
            "URL = os.environ.get(\n    \"BROKER_URL\", default=(\n        \"redis://\"\n        \"localhost:6380/0\"\n    )\n)\n",
            &["2 BROKER_URL=redis://localhost:6380/0"],
        ),
        (
            "const url =\n  process.env.BROKER_URL ??\n  'redis://localhost:6380/0'",
            &["2 BROKER_URL=redis://localhost:6380/0"],
        ),
        (
            "const url = process.env.BROKER_URL\n  || 'redis://localhost:6380/0'",
            &["1 BROKER_URL=redis://localhost:6380/0"],
        ),
        (
            "let url = env::var(\"BROKER_URL\")\n    .ok()\n    .unwrap_or_else(|| \"redis://localhost:6380/0\".to_string());",
            &["1 BROKER_URL=redis://localhost:6380/0"],
        ),
    ]);
}

#[test]
fn a_pattern_has_defaults() {
    assert_found(&[
        (
            "const { STORE_URI = 'postgres://localhost:5433/x', WEB_PORT = 4322, DEBUG } = process.env",
            &["1 STORE_URI=postgres://localhost:5433/x", "1 WEB_PORT=4322"],
        ),
        (
            "const {\n  // where jobs are\n  QUEUE_URL: queue = 'redis://localhost:6380/1',\n  WEB_PORT = 4322,\n} = import.meta.env;",
            &["3 QUEUE_URL=redis://localhost:6380/1", "4 WEB_PORT=4322"],
        ),
        ("const { WEB_PORT = 4322 } = options", &[]),
        ("const { WEB_PORT = 4322 } = process.env.X", &[]),
    ]);
}

#[test]
fn a_condition_has_a_default() {
    for text in [
        "process.env.A_URL ? process.env.A_URL : 'http://localhost:1'",
        "process.env.A_URL !== undefined ? process.env.A_URL : 'http://localhost:1'",
        "!process.env.A_URL ? 'http://localhost:1' : process.env.A_URL",
        "process.env.A_URL === undefined ? 'http://localhost:1' : process.env.A_URL",
        "'A_URL' in process.env ? process.env.A_URL : 'http://localhost:1'",
        "os.environ[\"A_URL\"] if \"A_URL\" in os.environ else \"http://localhost:1\"",
        "os.getenv('A_URL') if os.getenv('A_URL') else 'http://localhost:1'",
        "ENV['A_URL'] ? ENV['A_URL'] : 'http://localhost:1'",
        "$_ENV['A_URL'] ?? 'http://localhost:1'",
        "getenv('A_URL') ?: 'http://localhost:1'",
        "System.getenv(\"A_URL\") != null ? System.getenv(\"A_URL\") : \"http://localhost:1\"",
        "System.getenv().getOrDefault(\"A_URL\", \"http://localhost:1\")",
        "System.getenv(\"A_URL\") ?: \"http://localhost:1\"",
        "System.getenv()[\"A_URL\"] ?: \"http://localhost:1\"",
        "Environment.GetEnvironmentVariable(\"A_URL\") ?? \"http://localhost:1\"",
        "String url = System.getenv(\"A_URL\");\nif (url == null) url = \"http://localhost:1\";",
        "let url = process.env.A_URL\nif (!url) {\n  url = 'http://localhost:1'\n}",
        "url = os.getenv('A_URL')\nif not url:\n    url = 'http://localhost:1'",
        "url = os.getenv('A_URL')\nurl = url or 'http://localhost:1'",
        "process.env.A_URL ??= 'http://localhost:1'",
        "os.environ.setdefault('A_URL', 'http://localhost:1')",
        "new URL(process.env.A_URL ?? 'http://localhost:1')",
        "process.env.A_URL?.split(',') ?? ['http://localhost:1']",
        "process.env.A_URL as string || 'http://localhost:1'",
        "process.env.A_URL! || 'http://localhost:1'",
    ] {
        assert_eq!(found(text), ["1 A_URL=http://localhost:1"], "{text}");
    }
}

#[test]
fn go_and_rust_have_defaults() {
    for text in [
        "addr := cmp.Or(os.Getenv(\"X_ADDR\"), \":8086\")",
        "addr := cmp.Or(os.Getenv(\"X_ADDR\"), other, \":8086\")",
        "addr := firstNonEmpty(os.Getenv(\"X_ADDR\"), \":8086\")",
        "addr := os.Getenv(\"X_ADDR\")\nif addr == \"\" {\n\taddr = \":8086\"\n}",
        "addr, ok := os.LookupEnv(\"X_ADDR\"); if !ok { addr = \":8086\" }",
        "if addr, ok := os.LookupEnv(\"X_ADDR\"); ok {\n\treturn addr\n}\nreturn \":8086\"",
        "Addr string `env:\"X_ADDR\" envDefault:\":8086\"`",
        "Addr string `env:\"X_ADDR,default=:8086\"`",
        "Addr string `envconfig:\"X_ADDR\" default:\":8086\"`",
        "addr: getEnv(\"X_ADDR\", \":8086\"),",
        "env::var(\"X_ADDR\").unwrap_or(\":8086\".into())",
        "std::env::var(\"X_ADDR\").unwrap_or_else(|_| { \":8086\".to_string() })",
        "let a = match env::var(\"X_ADDR\") { Ok(a) => a, Err(_) => \":8086\".into() };",
        "#[arg(long, env = \"X_ADDR\", default_value = \":8086\")]",
        "#[clap(long, default_value_t = String::from(\":8086\"), env = \"X_ADDR\")]",
        "Arg::new(\"addr\").env(\"X_ADDR\").default_value(\":8086\")",
    ] {
        assert_eq!(found(text), ["1 X_ADDR=:8086"], "{text}");
    }
    assert_found(&[(
        "p, err := strconv.Atoi(os.Getenv(\"WEB_PORT\"))\nif err != nil { p = 7007 }",
        &["1 WEB_PORT=7007"],
    )]);
}

#[test]
fn what_is_no_default_is_not_read() {
    for text in [
        // The value is calculated, or of another variable.
        "process.env.A_URL || 'http://localhost:' + port",
        "process.env.A_TIME || 60 * 1000",
        "isLive ? process.env.A_URL : 'http://localhost:1'",
        "process.env.A_URL.startsWith('x') || 'http://localhost:1'",
        "a = os.environ[\"A_URL\"]\nif b:\n    c = 1\nelse:\n    d = 'http://localhost:1'",
        "port := os.Getenv(\"A_PORT\")\n}\n\nfunc f() {\n\tif x {\n\t\tport = \"1\"\n\t}",
        "config(\"A_URL\", cast=str)",
        "app.config['A_URL'] or 'http://localhost:1'",
        "x(process.env.A_URL, 'http://localhost:1')",
        "URL = { A_URL: 'http://localhost:1' }",
        "API_KIND: z.object({ a: z.string().default('x') }),",
        "HOST: env('A_HOST'),",
        "/* process.env.A_URL || 'http://localhost:1'",
        "",
    ] {
        assert_eq!(found(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_default_with_an_expression_is_marked() {
    for text in [
        "os.getenv(\"A_URL\", f\"postgresql://{NAME}@localhost:5433/x\")",
        "process.env.A_URL ?? `postgresql://${name}@localhost:5433/x`",
        "ENV['A_URL'] || \"postgresql://#{name}@localhost:5433/x\"",
        "process.env.A_URL || 'postgresql://localhost:5433/' + name",
        "os.getenv('A_URL', 'postgresql://localhost:5433/{}'.format(name))",
    ] {
        let all = values_in(text);
        assert!(all.len() == 1 && all[0].2.has_expression, "{text} {all:?}");
        assert!(all[0].2.text.contains("localhost:5433/"), "{text}");
    }
}
