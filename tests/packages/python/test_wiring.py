"""Where the package finds ports and URLs, and what it says if it does not."""

import pytest
from conftest import file_of, make_checkout

import portway

ALONE = "/nonexistent/portway"


def test_asks_portway_then_reads_its_file(checkout, monkeypatch):
    asked = portway.url("api-v2"), portway.port("api-v2")
    values = file_of(checkout)
    assert asked == (values["api_v2_url"], values["api_v2_port"])
    assert portway.port() == values["web_port"]
    monkeypatch.setenv("PORTWAY_BINARY", ALONE)
    (checkout / "sub").mkdir()
    monkeypatch.chdir(checkout / "sub")
    assert (portway.url("api-v2"), portway.port("api-v2")) == asked


def test_a_service_reads_its_own_variables(checkout, monkeypatch):
    own = portway.env("api-v2")
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PORTWAY_BINARY", ALONE)
    (checkout / ".ports.json").unlink()
    assert portway.port() == int(own["PORT"])
    assert portway.url() == own["API_V2_URL"]
    assert (portway.url("web"), portway.port("web")) == (own["WEB_URL"], int(own["WEB_PORT"]))
    assert portway.origins() == own["CORS_ORIGINS"].split(",")


def test_variables_of_another_checkout_are_not_used(checkout, monkeypatch):
    for name, value in portway.env().items():
        monkeypatch.setenv(name, value)
    # Also if it is inside the first one.
    for other in (checkout.parent / "other", checkout / "nested"):
        other.mkdir()
        make_checkout(other)
        own = portway.env(directory=other)
        found = portway.port("web", directory=other)
        assert found == file_of(other)["web_port"] != file_of(checkout)["web_port"]
        assert portway.origins(directory=other) == own["CORS_ORIGINS"].split(",") != portway.origins()


def test_a_directory_outside_git_uses_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"PORTWAY_ID": "0", "API_PORT": "9000", "API_URL": "http://api:9000"}.items():
        monkeypatch.setenv(name, value)
    assert portway.url("api") == "http://api:9000"


def test_errors_say_what_failed_where_and_what_to_do(checkout, monkeypatch):
    with pytest.raises(portway.PortwayError) as unknown:
        portway.url("shop")
    assert unknown.value.code == "unknown_service"
    assert str(unknown.value) == (
        f"`portway url shop --json` in {checkout} failed: there is no service `shop`\n"
        "help: use one of `web`, `api-v2`"
    )
    with pytest.raises(portway.PortwayError, match="is not the name of a service"):
        portway.url("--help")
    monkeypatch.setenv("PORTWAY_BINARY", ALONE)
    with pytest.raises(portway.PortwayError, match="^cannot run `portway url shop --json` .*\nhelp: install Portway"):
        portway.url("shop")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("{", "cannot use `.*ports.json`"),
        ("[]", "is not a JSON object"),
        ('{"web_port": true, "web_url": "http://localhost:1"}', "`web_port` or `web_url` in `.*` is invalid"),
        ("[" * 100_000, "cannot use"),
        (" " * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
    ids=["broken", "list", "no port", "deep", "large"],
)
def test_an_invalid_file_is_an_error(checkout, text, cause):
    (checkout / ".ports.json").write_text(text)
    with pytest.raises(portway.PortwayError, match=cause) as error:
        portway.port("web")
    assert error.value.code == "ports_file_invalid"
    assert error.value.hints == ["delete the file and run `portway detect`"]
