"""No allocation: the port that the harness gives."""


def find(low, high):
    return low
