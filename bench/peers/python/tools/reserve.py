"""ephemeral-port-reserve: one preferred port, else any."""

from ephemeral_port_reserve import reserve


def find(low, high):
    return reserve(ip="0.0.0.0", port=low)
