//! Libraries that read variables.

use super::found;

#[test]
fn schemas_have_defaults() {
    for (text, expected) in [
        (
            "  BASE_URL: url({\n    desc: 'where it is',\n    devDefault: 'http://localhost:3100',\n  }),",
            "1 BASE_URL=http://localhost:3100",
        ),
        (
            "  BASE_URL: z\n    .string()\n    .url()\n    .default('http://localhost:3100'),",
            "1 BASE_URL=http://localhost:3100",
        ),
        (
            "createEnv({ server: { WEB_PORT: z.coerce.number().default(3100), X: z.string() } })",
            "1 WEB_PORT=3100",
        ),
        (
            "Joi.object({ WEB_PORT: Joi.number().port().default(3100) })",
            "1 WEB_PORT=3100",
        ),
        (
            "properties: {\n  WEB_PORT: {\n    type: 'number',\n    default: 3100,\n  },\n}",
            "2 WEB_PORT=3100",
        ),
        (
            "port: {\n  doc: 'Port',\n  format: 'port',\n  default: 3100,\n  env: 'WEB_PORT',\n},",
            "5 WEB_PORT=3100",
        ),
        (
            "env.get('WEB_PORT').default('3100').asPortNumber()",
            "1 WEB_PORT=3100",
        ),
        (
            "@click.option('--port', envvar='WEB_PORT', default=3100)",
            "1 WEB_PORT=3100",
        ),
        (
            "port: int = typer.Option(3100, envvar=\"WEB_PORT\")",
            "1 WEB_PORT=3100",
        ),
        (
            "config('QU', 'redis://localhost:6380/3')",
            "1 QU=redis://localhost:6380/3",
        ),
        ("env.int('WEB_PORT', 3100)", "1 WEB_PORT=3100"),
        (
            "DATABASES = {'default': env.db('SQL_URL', default='postgres://localhost:5433/x')}",
            "1 SQL_URL=postgres://localhost:5433/x",
        ),
        (
            "env = environ.Env(SQL_URL=(str, 'postgres://localhost:5433/x'))",
            "1 SQL_URL=postgres://localhost:5433/x",
        ),
        (
            "env.list('WEB_ORIGINS', default=['http://localhost:3100', 'http://localhost:3101'])",
            "1 WEB_ORIGINS=http://localhost:3100,http://localhost:3101",
        ),
        (
            "dj_database_url.config(\n    default='postgres://localhost:5433/x',\n)",
            "1 DATABASE_URL=postgres://localhost:5433/x",
        ),
        (
            "URL = Config('.env')('SQL_URL', default='postgres://localhost:5433/x')",
            "1 SQL_URL=postgres://localhost:5433/x",
        ),
        (
            "builder.Configuration[\"Services:Cart\"] ?? \"http://localhost:5010\"",
            "1 Services__Cart=http://localhost:5010",
        ),
        (
            "@Value(\"${cart.base-url:http://localhost:8090}\")",
            "1 CART_BASEURL=http://localhost:8090",
        ),
        (
            "viper.AutomaticEnv()\nviper.SetDefault(\"listen_port\", 8090)",
            "2 LISTEN_PORT=8090",
        ),
        (
            "v.SetEnvPrefix(\"shop\")\nv.SetEnvKeyReplacer(r)\nv.AutomaticEnv()\nv.SetDefault(\"http.port\", 8090)",
            "4 SHOP_HTTP_PORT=8090",
        ),
        ("env!(\"WEB_PORT\", :integer, 4100)", "1 WEB_PORT=4100"),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn classes_of_settings_have_defaults() {
    let text = "\
class Plain(BaseModel):
    url: str = \"http://localhost:1\"

class Shop(
    SharedSettings,
):
    \"\"\"Settings: of = the shop\"\"\"
    cors: list[str] = [\"http://localhost:3100\", \"http://localhost:3101\"]
    store: str = Field(
        default=\"postgres://localhost:5433/x\",
        description=\"where\",
    )
    queue: str = Field(\"redis://localhost:6380\", validation_alias=\"QUEUE_DSN\")
    pages: list[str] = Field(default_factory=lambda: [\"http://localhost:3102\"])
    broken: str = (
        \"http://localhost:1\"
    )

    def make(self) -> str:
        url: str = \"http://localhost:2\"
        return url

    class Config:
        env_prefix = \"shop_\"

other: str = \"http://localhost:3\"
";
    assert_eq!(
        found(text),
        [
            "8 SHOP_CORS=[\"http://localhost:3100\",\"http://localhost:3101\"]",
            "9 SHOP_STORE=postgres://localhost:5433/x",
            "13 QUEUE_DSN=redis://localhost:6380",
            "14 SHOP_PAGES=[\"http://localhost:3102\"]",
            "15 SHOP_BROKEN=http://localhost:1",
        ]
    );
}
