"""portpicker; with PORTSERVER_ADDRESS set it asks its server. It takes no range."""

import portpicker


def find(low, high):
    if low == high:
        return low if portpicker.is_port_free(low) else 0
    return portpicker.pick_unused_port()
