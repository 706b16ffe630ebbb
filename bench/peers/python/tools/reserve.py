"""ephemeral-port-reserve: one preferred port, otherwise any port."""

from ephemeral_port_reserve import reserve


def find(low, high):
    return reserve(ip="0.0.0.0", port=low)
