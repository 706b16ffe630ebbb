"""Portway: give every service of every checkout its own port.

    import portway

    portway.url("backend")  # "http://localhost:9000"
    portway.port()          # the port that this process is to bind
"""

from portway._errors import PortwayError
from portway._find import find_binary
from portway._wiring import env, origins, port, url

__all__ = ["PortwayError", "env", "find_binary", "origins", "port", "url"]
