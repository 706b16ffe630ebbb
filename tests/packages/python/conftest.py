"""A checkout with two services, and an environment without Portway's variables."""

import json
import os
import subprocess

import pytest

MANIFEST = """
[services.web]
command = "python3 -m http.server {port}"
port = "23300-23399"
main = true

[services.api-v2]
command = "python3 -m http.server {port}"
port = "23400-23499"
"""


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("PORTWAY_") or name in ("PORT", "CORS_ORIGINS", "DATABASE_URL"):
            monkeypatch.delenv(name)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """The current directory is a checkout."""
    directory = tmp_path / "shop"
    directory.mkdir()
    make_checkout(directory)
    monkeypatch.chdir(directory)
    return directory


def make_checkout(directory):
    (directory / "portway.toml").write_text(MANIFEST)
    subprocess.run(["git", "init", "--quiet"], cwd=directory, check=True)


def file_of(directory):
    return json.loads((directory / ".ports.json").read_text())
