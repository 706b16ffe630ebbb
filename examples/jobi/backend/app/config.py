"""Settings of the backend, read from environment variables.

There are no default ports: Portway sets all addresses.
"""

import os
from pathlib import Path

BACKEND_DIR = Path(__file__).resolve().parent.parent


def _text(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None


def _port(name: str) -> int | None:
    value = _text(name)
    if value is None:
        return None
    if not value.isdecimal():
        raise RuntimeError(f"{name} must be a port number, not {value!r}")
    return int(value)


def _origins(name: str) -> list[str]:
    """Read exact origins, separated by commas. Return none if unset or empty."""
    origins = [part.strip() for part in os.environ.get(name, "").split(",") if part.strip()]
    # Starlette treats "*" as "allow every origin", so reject it.
    if any("*" in origin for origin in origins):
        raise RuntimeError(f"{name} must list exact origins, without wildcards")
    return origins


DATABASE = Path(_text("JOBI_DB") or BACKEND_DIR / "data" / "jobi.sqlite3")
PORT = _port("PORT")
CORS_ORIGINS = _origins("CORS_ORIGINS")
REDIS_URL = _text("REDIS_URL")
INSTANCE = _text("PORTWAY_INSTANCE")
