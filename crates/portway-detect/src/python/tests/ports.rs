//! Ports in expressions.

use crate::python::calls::{call, last_of_pair};
use crate::python::port::{File, Told};

fn port(text: &str, expression: &str) -> Option<(Told, Option<u16>)> {
    let file = File { text, dir: None };
    file.port(expression).map(|port| (port.told, port.usual))
}

#[test]
fn follows_expressions_to_what_sets_the_port() {
    let variable = |name: &str, usual| Some((Told::Variable(name.into()), usual));
    let option = |name: &str, usual| Some((Told::Option(name.into()), usual));
    for (text, expression, expected) in [
        ("", "8000", Some((Told::Number, Some(8000)))),
        (
            "",
            "int(os.environ.get('A_PORT', 9009))",
            variable("A_PORT", Some(9009)),
        ),
        (
            "",
            "int(os.getenv(\"B\", \"8010\"))",
            variable("B", Some(8010)),
        ),
        ("", "int(os.environ['C'])", variable("C", None)),
        ("", "int(os.getenv('D') or 7000)", variable("D", Some(7000))),
        (
            "",
            "int(os.environ['E']) if 'E' in os.environ else 7001",
            variable("E", Some(7001)),
        ),
        (
            "",
            "config('F', default=7002, cast=int)",
            variable("F", Some(7002)),
        ),
        (
            "P = 81\n",
            "int(os.getenv('G', P))",
            variable("G", Some(81)),
        ),
        (
            "P: int = int(os.getenv('H', 82))  # x\n",
            "P",
            variable("H", Some(82)),
        ),
        (
            "P = int(\n    os.environ.get(\n        'I',\n        '83',\n    )\n)\n",
            "P",
            variable("I", Some(83)),
        ),
        (
            "def main(port: int = 84):\n",
            "port",
            Some((Told::Number, Some(84))),
        ),
        (
            "parser.add_argument('-p', '--port', type=int, default=85)\n",
            "args.port",
            option("--port ", Some(85)),
        ),
        (
            "define(\"port\", default=86, type=int)\n",
            "options.port",
            option("--port=", Some(86)),
        ),
        ("", "int(sys.argv[1])", Some((Told::Argument, None))),
        (
            "",
            "int(sys.argv[1]) if len(sys.argv) > 1 else 87",
            Some((Told::Argument, Some(87))),
        ),
        (
            "class S(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    port: int = 88\ns = S()\n",
            "s.port",
            variable("APP_PORT", Some(88)),
        ),
        (
            "class C:\n    PORT = 89\n",
            "C.PORT",
            Some((Told::Number, Some(89))),
        ),
        (
            "class S(BaseSettings):\n    port: int = Field(default=92, gt=0)\ns = S()\n",
            "get_s().port",
            variable("PORT", Some(92)),
        ),
        (
            "class S(BaseModel):\n    port: int = Field(\n        93,\n        env='S_PORT',\n    )\n",
            "s.port",
            variable("S_PORT", Some(93)),
        ),
        (
            "@click.option('--port', default=94)\ndef main(\n    port: int,\n):\n    run(\n        port=port,\n    )\n",
            "port",
            option("--port ", Some(94)),
        ),
        (
            "def main(\n    port: int = typer.Option(95, envvar=\"T_PORT\"),\n): ...\n",
            "port",
            variable("T_PORT", Some(95)),
        ),
        ("a = b\nb = a\n", "a", None),
        ("", "get_port()", None),
        ("", "free_config('X')", None),
    ] {
        assert_eq!(port(text, expression), expected, "{text}{expression}");
    }
}

#[test]
fn reads_addresses() {
    let file = File {
        text: "P = os.getenv('P', '91')\nADDRESS = f'0.0.0.0:{P}'\n",
        dir: None,
    };
    for (text, expected) in [
        ("'[::]:50051'", Some(50051)),
        ("f\"[::]:{os.getenv('GRPC_PORT', '50052')}\"", Some(50052)),
        ("\"[::]:\" + P", Some(91)),
        ("'[::]:{}'.format(P)", Some(91)),
        ("'[::]:%s' % P", Some(91)),
        ("ADDRESS", Some(91)),
        ("address()", None),
    ] {
        let port = file.port_of_address(text).and_then(|port| port.usual);
        assert_eq!(port, expected, "{text}");
    }
}

#[test]
fn finds_calls_and_their_arguments() {
    let text = "def serve(x): pass\n# serve(1)\nobserve(2)\n\nasync def main():\n    async with serve(\n        f, \"a,b\", port=3,\n    ):\n        pass\n";
    let call = call(text, "serve").unwrap();
    assert_eq!((call.line, call.is_top), (6, false));
    assert_eq!(call.positional(1), Some("\"a,b\""));
    assert_eq!(
        (call.keyword("port"), call.positional(2)),
        (Some("3"), None)
    );
    assert_eq!(
        last_of_pair("(\"\", int(f(\"A\", 1)))"),
        Some("int(f(\"A\", 1))")
    );
}

#[test]
fn another_file_may_run_the_application() {
    const PYPROJECT: &str = "[project]\nname = 'shop'\ndependencies = ['fastapi', 'uvicorn']\n";
    const APP: &str =
        "from fastapi import FastAPI\ndef create_app():\n    app = FastAPI()\n    return app\n";
    for (file, text) in [
        (
            "shop/server.py",
            "import click, uvicorn\nfrom shop.settings import (\n    other,\n    settings,\n)\n@click.command()\n\
             @click.option('--port', default=settings.port)\ndef main(port: int):\n    c = uvicorn.Config(\n        \
             'shop.main:app',\n        port=port,\n    )\n",
        ),
        (
            "run.py",
            "import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('shop.app:app', port=4111)\n",
        ),
        (
            "shop/__main__.py",
            "from shop.app import create_app\nfrom granian import Granian\nGranian('x', port=4111).serve()\n",
        ),
        (
            "serve.py",
            "from shop.app import create_app\nfrom shop.settings import settings\nuvicorn.run(create_app(), port=settings.port)\n",
        ),
    ] {
        let found = crate::fixture::only(
            &[
                ("pyproject.toml", PYPROJECT),
                ("shop/__init__.py", ""),
                ("shop/app.py", APP),
                (
                    "shop/settings.py",
                    "from pydantic_settings import BaseSettings\nfrom pydantic import Field\n\
                     class Settings(BaseSettings):\n    port: int = Field(default=4111, gt=0)\nsettings = Settings()\n",
                ),
                (file, text),
            ],
            &["python3"],
        );
        assert_eq!(found.prefers(), Some(4111), "{file} {:?}", found.evidence);
        found.has_evidence("names port 4111");
    }
}
