"""No allocation: the port from the harness."""


def find(low, high):
    return low
