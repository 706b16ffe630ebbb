"""The visit counter: in Redis when there is one, otherwise nowhere."""

import logging

import redis

from .config import REDIS_URL

log = logging.getLogger("uvicorn.error")

# Connects on first use, so a Redis that comes up later is no problem. The short
# timeouts keep a Redis that went away from holding up the page.
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
        # The counter is decoration: losing it must not break the page.
        log.warning("the visit counter is out of reach: %s", error)
        return None
