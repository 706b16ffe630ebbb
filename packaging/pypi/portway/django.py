"""Django: the settings that depend on the checkout.

    import portway.django

    globals().update(portway.django.settings())
"""

from __future__ import annotations

import os
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

from portway._errors import PortwayError
from portway._wiring import origins

_ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
    "mariadb": "django.db.backends.mysql",
    "sqlite": "django.db.backends.sqlite3",
}


def settings() -> dict[str, Any]:
    """Return `ALLOWED_HOSTS` and `CSRF_TRUSTED_ORIGINS`, and `DATABASES` if `DATABASE_URL` is set."""
    found: dict[str, Any] = {"ALLOWED_HOSTS": allowed_hosts(), "CSRF_TRUSTED_ORIGINS": origins()}
    database_url = os.environ.get("DATABASE_URL")
    if database_url:
        found["DATABASES"] = {"default": database(database_url)}
    return found


def allowed_hosts() -> list[str]:
    """Return the hosts of this machine, and those of the gateway and the local network."""
    hosts = ["localhost", ".localhost", "127.0.0.1", "[::1]"]
    for origin in origins():
        host = urlsplit(origin).hostname
        if host and host not in hosts and not host.endswith(".localhost"):
            hosts.append(host)
    return hosts


def database(url: Optional[str] = None) -> dict[str, Any]:
    """Return the entry of `DATABASES` for a URL of PostgreSQL, MySQL or SQLite; by default `DATABASE_URL`.

    Raise PortwayError for a URL with options: an application with those needs a library such as
    dj-database-url.
    """
    given = os.environ.get("DATABASE_URL", "") if url is None else url
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError as error:
        raise _unusable(str(error)) from error
    engine = _ENGINES.get(parts.scheme)
    if engine is None:
        raise _unusable(f"its scheme is none of {', '.join(_ENGINES)}")
    if parts.query or parts.fragment:
        raise _unusable("it contains options")
    name = unquote(parts.path[1:])
    if parts.scheme == "sqlite":
        return {"ENGINE": engine, "NAME": name or ":memory:"}
    return {
        "ENGINE": engine,
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": port or "",
    }


def _unusable(cause: str) -> PortwayError:
    # The URL itself can contain a password.
    return PortwayError("usage", f"cannot use `DATABASE_URL`: {cause}", ["use dj-database-url, or set DATABASES"])
