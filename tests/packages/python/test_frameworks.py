"""The helpers, with the real libraries."""

import socket
import subprocess
import sys

import pytest

import portway

ORIGIN = "http://localhost:5301"
OTHER = "http://localhost:5302"


@pytest.fixture(params=["variable", "default"])
def origins(request, monkeypatch):
    """Options with which a page of `ORIGIN` may call the backend."""
    if request.param == "default":
        return {"default": [ORIGIN]}
    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN}, http://127.0.0.1:5301")
    return {}


def test_fastapi_allows_the_pages_of_this_checkout(origins):
    import portway.fastapi
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    app = FastAPI()
    portway.fastapi.cors(app, **origins)
    app.get("/")(lambda: {})
    client = TestClient(app)
    preflight = {"origin": ORIGIN, "access-control-request-method": "DELETE"}
    assert client.options("/", headers=preflight).headers["access-control-allow-origin"] == ORIGIN
    allowed = client.get("/", headers={"origin": ORIGIN}).headers
    assert (allowed["access-control-allow-origin"], allowed["access-control-allow-credentials"]) == (ORIGIN, "true")
    assert "access-control-allow-origin" not in client.get("/", headers={"origin": OTHER}).headers


def test_flask_allows_the_pages_of_this_checkout(origins):
    import portway.flask
    from flask import Flask

    app = Flask(__name__)
    portway.flask.cors(app, **origins)
    app.get("/")(lambda: "")
    client = app.test_client()
    allowed = client.get("/", headers={"origin": ORIGIN}).headers
    assert (allowed["access-control-allow-origin"], allowed["access-control-allow-credentials"]) == (ORIGIN, "true")
    assert "access-control-allow-origin" not in client.get("/", headers={"origin": OTHER}).headers


def test_without_origins_nothing_is_allowed():
    import portway.fastapi
    import portway.flask
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from flask import Flask

    app, flask = FastAPI(), Flask(__name__)
    portway.fastapi.cors(app)
    portway.flask.cors(flask)
    app.get("/")(lambda: {})
    flask.get("/")(lambda: "")
    headers = {"origin": ORIGIN}
    for answer in (TestClient(app).get("/", headers=headers), flask.test_client().get("/", headers=headers)):
        assert "access-control-allow-origin" not in answer.headers


def test_django_accepts_the_hosts_and_origins_of_this_checkout(monkeypatch):
    import django
    import portway.django
    from django.conf import settings
    from django.http import HttpResponse
    from django.test import Client
    from django.urls import path

    monkeypatch.setenv("CORS_ORIGINS", f"{ORIGIN},http://shop.local:7678")
    monkeypatch.setenv("DATABASE_URL", "sqlite://")
    found = portway.django.settings()
    assert found["CSRF_TRUSTED_ORIGINS"] == [ORIGIN, "http://shop.local:7678"]
    middleware = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
    settings.configure(**found, ROOT_URLCONF=__name__, MIDDLEWARE=middleware, SECRET_KEY="test")
    globals()["urlpatterns"] = [path("", lambda request: HttpResponse(request.method))]
    django.setup()
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for host, status in [("localhost:9000", 200), ("api.shop.localhost:7678", 200), ("shop.local", 200), ("example.org", 400)]:
        assert client.get("/", headers={"host": host}).status_code == status
    from django.db import connection

    assert connection.vendor == "sqlite"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://app:s%40cret@localhost:5437/shop", ("postgresql", "shop", "app", "s@cret", "localhost", 5437)),
        ("mysql://root@127.0.0.1/shop", ("mysql", "shop", "root", "", "127.0.0.1", "")),
    ],
)
def test_a_database_url(url, expected):
    import portway.django

    entry = portway.django.database(url)
    keys = ("NAME", "USER", "PASSWORD", "HOST", "PORT")
    assert (entry["ENGINE"].rpartition(".")[2], *(entry[key] for key in keys)) == expected


def test_a_sqlite_file():
    import portway.django

    assert portway.django.database("sqlite:///db.sqlite3")["NAME"] == "db.sqlite3"
    assert portway.django.database("sqlite:////srv/db.sqlite3")["NAME"] == "/srv/db.sqlite3"


@pytest.mark.parametrize("url", ["", "redis://localhost", "postgresql://u:secret@h/d?sslmode=require", "mysql://h:port/d"])
def test_other_database_urls_are_refused(url):
    import portway.django

    with pytest.raises(portway.PortwayError, match="cannot use `DATABASE_URL`") as error:
        portway.django.database(url)
    assert "secret" not in str(error.value)


def test_pytest_holds_a_port(portway_port):
    # Other programs do not get it.
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0")):
        with socket.socket(family) as taker, pytest.raises(OSError):
            taker.bind((address, portway_port))
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", portway_port)) != 0
    # A server that is started with it does.
    serve = "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), None).server_close()"
    subprocess.run([sys.executable, "-c", serve, str(portway_port)], check=True)
    with portway_port.listening_socket() as server:
        socket.create_connection(("127.0.0.1", portway_port.port)).close()
        assert portway_port.url == f"http://localhost:{server.getsockname()[1]}"


def test_pytest_holds_several_ports(portway_hold):
    ports = [portway_hold() for _ in range(50)]
    assert len(set(ports)) == 50
    # The system chooses none of them for other sockets.
    others = [socket.create_server(("127.0.0.1", 0)) for _ in range(200)]
    assert not {one.getsockname()[1] for one in others} & set(ports)
    for one in others:
        one.close()
    ports[0].release()
    socket.create_server(("127.0.0.1", ports[0])).close()
