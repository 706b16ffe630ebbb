"""The ports and URLs of the services of this checkout."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from portway._checkout import PortsFile, git_top, instance_ids, read_ports_file
from portway._errors import PortwayError
from portway._find import find_binary

# How long one question may take, in seconds. The first one in a checkout detects its services.
_TIMEOUT = 30

Directory = Union[str, "os.PathLike[str]", None]


class _Address(NamedTuple):
    port: int
    url: str


def url(service: Optional[str] = None, *, directory: Directory = None) -> str:
    """Return the URL of a service, such as `http://localhost:9000`.

    Without a name, that of the service which this process is, or else of the main service. `SERVICE.NAME`
    is a named port. Reads the environment, then `.ports.json` of this checkout, then asks Portway.

    Raise PortwayError if there is no such service, or Portway cannot be asked.
    """
    return _find(service, directory).url


def port(service: Optional[str] = None, *, directory: Directory = None) -> int:
    """Return the port of a service.

    Without a name, the port that this process is to bind, or else that of the main service. `SERVICE.NAME`
    is a named port. Reads the environment, then `.ports.json` of this checkout, then asks Portway.

    Raise PortwayError if there is no such service, or Portway cannot be asked.
    """
    return _find(service, directory).port


def env(service: Optional[str] = None, *, directory: Directory = None) -> dict[str, str]:
    """Return the variables that Portway sets: the addresses of all services, or all that one service gets.

    Asks Portway. Raise PortwayError if there is no such service, or Portway cannot be asked.
    """
    variables: dict[str, str] = _ask(["env", *_argument(service)], _directory(directory))
    return variables


def origins(*, directory: Directory = None) -> list[str]:
    """Return the origins that may call a backend: `CORS_ORIGINS`, as a list; empty without the variable.

    Asks Portway only if the variable is that of another checkout's shell.
    """
    value = os.environ.get("CORS_ORIGINS", "")
    own = os.environ.get("PORTWAY_ID")
    where = _directory(directory)
    if own and own not in instance_ids(where) and git_top(where):
        value = env(directory=where)["CORS_ORIGINS"]
    return [origin.strip() for origin in value.split(",") if origin.strip()]


def _find(service: Optional[str], given: Directory) -> _Address:
    directory = _directory(given)
    own = os.environ.get("PORTWAY_SERVICE")
    if service is None and own:
        bound = _as_port(os.environ.get("PORT"))
        if bound:
            return _Address(bound, os.environ.get(f"{_variable(own)}_URL") or f"http://localhost:{bound}")
    if service is not None:
        known = _from_environment(service)
        # The variables are those of this checkout, and not of a shell that came from another one.
        if known and os.environ["PORTWAY_ID"] in instance_ids(directory):
            return known
        file = read_ports_file(directory)
        stored = _from_file(service, file) if file else None
        if stored:
            return known if known and known.port == stored.port else stored
        # A container, for example, in which nothing but the environment is known.
        if known and not file and not git_top(directory):
            return known
    answer = _ask(["url", *_argument(service)], directory)
    return _Address(answer["port"], answer["url"])


def _from_environment(service: str) -> Optional[_Address]:
    if not os.environ.get("PORTWAY_ID"):
        return None
    name = _variable(service)
    found = _as_port(os.environ.get(f"{name}_PORT"))
    address = os.environ.get(f"{name}_URL")
    return _Address(found, address) if found and address else None


def _from_file(service: str, file: PortsFile) -> Optional[_Address]:
    name = re.sub(r"[-.]", "_", service)
    found, address = (file.values.get(f"{name}_{key}") for key in ("port", "url"))
    if found is None or address is None:
        return None
    if type(found) is int and 0 < found < 65536 and isinstance(address, str):
        return _Address(found, address)
    raise PortwayError(
        "ports_file_invalid",
        f"`{name}_port` or `{name}_url` in `{file.path}` is invalid",
        ["delete the file and run `portway detect`"],
    )


def _as_port(value: Optional[str]) -> Optional[int]:
    if value is None or not re.fullmatch("[0-9]{1,5}", value):
        return None
    return int(value) if 0 < int(value) < 65536 else None


def _variable(service: str) -> str:
    """Return the name of a service in its variables."""
    return re.sub(r"[-.]", "_", service).upper()


def _directory(given: Directory) -> Path:
    return Path(given) if given is not None else Path.cwd()


def _argument(service: Optional[str]) -> list[str]:
    if service is None:
        return []
    if not re.fullmatch(r"\w[\w-]*(\.[\w-]+)?", service):
        raise PortwayError(
            "usage",
            f"`{service}` is not the name of a service",
            ["use a name from `portway plan`, or `SERVICE.NAME` for a named port"],
        )
    return [service]


def _binary() -> str:
    configured = os.environ.get("PORTWAY_BINARY")
    if configured:
        return configured
    try:
        return find_binary()
    except FileNotFoundError:
        return "portway"


def _ask(arguments: list[str], directory: Path) -> Any:
    """Run `portway ARGUMENTS --json` in the directory, and return its answer."""
    command = " ".join(["portway", *arguments, "--json"])
    binary = _binary()
    try:
        done = subprocess.run(
            [binary, *arguments, "--json"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PortwayError(
            "binary_failed",
            f"cannot run `{command}` (`{binary}`): {error}",
            ["install Portway, or set PORTWAY_BINARY to the path of its binary"],
        ) from error
    try:
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise PortwayError(
            "binary_failed",
            f"`{command}` in {directory} ended with {done.returncode}",
            [f"run `{command}` there to see why"],
        ) from error
    if isinstance(answer, dict) and isinstance(answer.get("error"), dict):
        problem = answer["error"]
        raise PortwayError(
            problem["code"], f"`{command}` in {directory} failed: {problem['message']}", problem.get("hints", [])
        )
    return answer
