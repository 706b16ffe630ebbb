"""Visit counter in Redis. Without Redis, visits are not counted."""

import logging

import redis

from .config import REDIS_URL

log = logging.getLogger("uvicorn.error")

# The client connects on first use, so Redis may start later. Short timeouts keep
# the page responsive if Redis stops.
_client = (
    redis.Redis.from_url(REDIS_URL, socket_connect_timeout=1, socket_timeout=1)
    if REDIS_URL
    else None
)


def count_visit() -> int | None:
    if _client is None:
        return None
    try:
        return _client.incr("jobi:visits")
    except redis.RedisError as error:
        # The counter is optional. The page must work without it.
        log.warning("visit counter is not available: %s", error)
        return None
