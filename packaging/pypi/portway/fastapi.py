"""FastAPI and Starlette: allow the pages of this checkout to call the backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from portway._wiring import origins

try:
    from starlette.middleware.cors import CORSMiddleware
except ImportError as error:
    raise ImportError("`portway.fastapi` needs FastAPI or Starlette; run `pip install fastapi`") from error


def cors(app: Any, *, default: Sequence[str] = (), **options: Any) -> None:
    """Add `CORSMiddleware` with the origins of this checkout.

    `options` are those of the middleware. By default, it allows credentials, all methods and all headers.
    `default` are the origins where `CORS_ORIGINS` is not set; by default, no other origin is allowed.
    """
    allowed = origins() or list(default)
    settings = {"allow_credentials": True, "allow_methods": ["*"], "allow_headers": ["*"], **options}
    app.add_middleware(CORSMiddleware, allow_origins=allowed, **settings)
