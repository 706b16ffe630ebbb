"""portpicker. It uses its server if PORTSERVER_ADDRESS is set. It does not support ranges."""

import portpicker


def find(low, high):
    if low == high:
        return low if portpicker.is_port_free(low) else 0
    return portpicker.pick_unused_port()
