"""The checkout that contains a directory, and its `.ports.json`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple, Optional

from portway._errors import PortwayError

_PORTS_FILE = ".ports.json"
# The size up to which Portway itself reads the file.
_MAX_SIZE = 1024 * 1024


class PortsFile(NamedTuple):
    """A `.ports.json` and its content."""

    path: Path
    values: dict[str, Any]


def _is_top(directory: Path) -> bool:
    """Whether this is the top of a clone or a worktree. A submodule belongs to the checkout around it."""
    path = directory / ".git"
    try:
        return path.is_dir() or not re.search(r"^gitdir:.*[\\/]modules[\\/]", path.read_text(), re.MULTILINE)
    except (OSError, ValueError):
        return False


def git_top(directory: Path) -> Optional[Path]:
    """Return the top of the git checkout that contains the directory; None outside git."""
    resolved = directory.resolve()
    return next((one for one in (resolved, *resolved.parents) if _is_top(one)), None)


def _own_directories(directory: Path) -> list[Path]:
    """Return the directories from this one up to the top of its checkout. Above are other checkouts."""
    found = []
    resolved = directory.resolve()
    for one in (resolved, *resolved.parents):
        found.append(one)
        if _is_top(one):
            break
    return found


def instance_ids(directory: Path) -> list[str]:
    """Return the IDs of instances whose root is the directory, or one above it in its checkout."""
    return [hashlib.sha256(os.fsencode(one)).hexdigest()[:16] for one in _own_directories(directory)]


def read_ports_file(directory: Path) -> Optional[PortsFile]:
    """Return the nearest `.ports.json` of this checkout; None if there is none."""
    for one in _own_directories(directory):
        path = one / _PORTS_FILE
        if path.exists():
            return PortsFile(path, _read(path))
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is not a regular file")
        if about.st_size > _MAX_SIZE:
            raise ValueError("it is larger than 1 MiB")
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise PortwayError(
            "ports_file_invalid", f"cannot use `{path}`: {error}", ["delete the file and run `portway detect`"]
        ) from error
    return values
