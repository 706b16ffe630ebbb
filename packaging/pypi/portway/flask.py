"""Flask: allow the pages of this checkout to call the backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portway._wiring import origins

try:
    from flask_cors import CORS  # type: ignore[import-untyped,unused-ignore]
except ImportError as error:
    raise ImportError("`portway.flask` needs Flask-Cors; run `pip install flask-cors`") from error


def cors(app: Any, *, default: Sequence[str] = (), **options: Any) -> None:
    """Add Flask-Cors with the origins of this checkout.

    `options` are those of Flask-Cors. By default, it allows credentials. `default` are the origins where
    `CORS_ORIGINS` is not set; by default, no other origin is allowed.
    """
    allowed = origins() or list(default)
    CORS(app, origins=allowed, **{"supports_credentials": True, **options})
